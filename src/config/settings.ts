/** Every setting of Dropslot: its default, type, check and meaning, in one schema that also makes docs/settings.md. */
import { z } from 'zod';

const positive = z.coerce.number().int().positive();
const fraction = z.coerce.number().min(0).max(1);

export const settingsSchema = z.strictObject({
  data: z
    .string()
    .min(1)
    .default('./data')
    .describe('Folder of everything Dropslot keeps: databases, keys, sealed files.'),
  database: z
    .string()
    .regex(/^(sqlite|postgres(ql)?:\/\/.+)$/, 'must be "sqlite" or a postgres:// URL')
    .default('sqlite')
    .describe('`sqlite` (two files in the data folder) or a `postgres://` URL (two schemas of that database).'),
  databasePool: positive.default(8).describe('PostgreSQL connections of one process.'),
  masterKey: z
    .string()
    .min(1)
    .optional()
    .describe(
      "File of the master identity (age) that opens every organization's key. Default: `keys/master.key` in the data folder.",
    ),

  host: z.string().min(1).optional().describe('Address to listen on. Default: every address of the machine.'),
  port: z.coerce
    .number()
    .int()
    .min(0)
    .max(65535)
    .default(2222)
    .describe('TCP port of the SFTP server; 0 takes a free one.'),
  role: z
    .enum(['all', 'intake', 'import'])
    .default('all')
    .describe('`all`, or one half of it: `intake` takes uploads only, `import` runs slots and imports only.'),
  loginSeconds: positive.default(30).describe('A connection that has not logged in after this many seconds is closed.'),
  loginAttempts: positive.default(10).describe('Keys that one connection may offer.'),
  idleMinutes: positive.default(30).describe('A session without any request for this long is closed.'),
  maxConnections: positive.default(500).describe('Connections at once.'),
  maxConnectionsPerOrg: positive.default(50).describe('Logged-in connections of one organization at once.'),
  maxChannels: positive.default(10).describe('SFTP sessions on one connection.'),
  maxHandles: positive.default(128).describe('Open files and folders of one SFTP session.'),
  uploadGraceSeconds: z.coerce
    .number()
    .min(0)
    .default(10)
    .describe('When the server stops, uploads in progress get this long to finish.'),
  uploadWindowBytes: positive
    .default(16 * 1024 * 1024)
    .describe('Bytes of one upload that may wait in memory for a gap before them to be filled.'),

  maxFileBytes: positive.default(4 * 1024 ** 3).describe('Largest file that is accepted, in bytes of plaintext.'),
  maxRows: positive.default(5_000_000).describe('Rows of one file; a file with more is refused.'),
  maxColumns: positive.default(150).describe('Columns of one file; a file with more is refused.'),
  maxCellBytes: positive.default(1024 * 1024).describe('Bytes of one cell; a file with a larger one is refused.'),
  maxFaultShare: fraction
    .default(0.5)
    .describe('A file in which more than this share of the rows (and at least 20) are faulty is refused whole.'),
  leaseSeconds: positive
    .default(30)
    .describe('How long a run stays claimed by an importer that no longer answers, before another one continues it.'),

  logLevel: z
    .enum(['error', 'warn', 'info', 'debug'])
    .default('info')
    .describe('The least severe messages that are logged.'),
  logFormat: z
    .enum(['auto', 'text', 'json'])
    .default('auto')
    .describe('`auto`: text for a terminal, JSON lines otherwise.'),
});

export type Settings = z.infer<typeof settingsSchema>;

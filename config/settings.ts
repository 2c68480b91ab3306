/** Every setting of Dropslot: its default, type, check and meaning, in one schema that also makes docs/settings.md. */
import { z } from 'zod';
import { policyNames, readEndpoint, readRange } from './network.js';

const positive = z.coerce.number().int().positive();
const amount = z.coerce.number().int().min(0);
const fraction = z.coerce.number().min(0).max(1);

/** A path, or one of the two forms that are none. Descriptors 0 to 2 are the program's own. */
function isSource(text: string | undefined): boolean {
  if (text?.startsWith('fd:')) return /^fd:([3-9]|[1-9]\d{1,5})$/.test(text);
  return !text?.startsWith('credential:') || /^credential:[\w.-]+$/.test(text);
}

/** A list: an array in the file, text with commas in a variable. */
function listOf<Item extends z.ZodType<string>>(item: Item) {
  const split = (given: unknown): unknown =>
    typeof given !== 'string' ? given : given.split(',').flatMap((part) => part.trim() || []);
  return z.preprocess(split, z.array(item));
}

const ranges = listOf(
  z.string().refine((text) => readRange(text) !== null, 'must be address ranges as 192.0.2.0/24 or 2001:db8::/32'),
);

const endpoints = listOf(
  z
    .string()
    .refine(
      (text) => readEndpoint(text) !== null,
      `must be HOST:PORT, [IPv6]:PORT or *:PORT, with /${policyNames[1]} after it where that policy is meant`,
    ),
);

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
  sqliteDriver: z
    .enum(['sqlite3', 'better-sqlite3'])
    .default('sqlite3')
    .describe(
      'Package that opens SQLite files: `sqlite3`, or `better-sqlite3`, which is installed separately (`npm install better-sqlite3@12`).',
    ),
  databasePool: positive.default(8).describe('PostgreSQL connections of one process.'),
  masterKey: z
    .string()
    .min(1)
    .optional()
    .refine(isSource, 'must be a file, `fd:N` (N from 3) or `credential:NAME`')
    .describe(
      "Where the master identity (age) comes from that opens every organization's key: a file, `fd:N` (a file descriptor), or `credential:NAME` (a systemd credential). Default: `keys/master.key` in the data folder.",
    ),
  masterKeyPassphraseFile: z
    .string()
    .min(1)
    .optional()
    .refine(isSource, 'must be a file, `fd:N` (N from 3) or `credential:NAME`')
    .describe(
      'Where the passphrase comes from when the master identity is an age file protected by one: a file, `fd:N` or `credential:NAME`. Default: it is asked for on the terminal.',
    ),
  credentials: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Folder of the credentials that `credential:NAME` names. Default: `$CREDENTIALS_DIRECTORY`, which systemd sets.',
    ),
  loginKeys: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Folder of login keys that other programs fill, as `<organization>/<name>.pub`; it is watched. Default: `keys.d` in the data folder.',
    ),
  hostKeys: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Folder of the SSH host keys. Servers behind one address share it, or hold copies. Default: `keys/host` in the data folder.',
    ),
  recipientType: z
    .enum(['x25519', 'hybrid'])
    .default('x25519')
    .describe(
      'Kind of the identities that are made from now on: `x25519`, or `hybrid` (post-quantum: ML-KEM-768 with X25519; `age` 1.3 or later opens its files). `identity rotate` brings existing organizations to it.',
    ),

  host: z.string().min(1).optional().describe('Address to listen on. Default: every address of the machine.'),
  port: z.coerce
    .number()
    .int()
    .min(0)
    .max(65535)
    .default(2222)
    .describe('TCP port of the SFTP server; 0 takes a free one.'),
  listen: endpoints
    .default([])
    .describe(
      'Several addresses and ports at once, in place of `host` and `port`: `192.0.2.7:2222`, `[2001:db8::7]:2222`, `*:2222`; `/compatible` after one gives it that policy.',
    ),
  policy: z
    .enum(policyNames)
    .default('modern')
    .describe('SSH algorithms: `modern`, or `compatible` for clients that know none of those.'),
  accommodateOldClients: z
    .enum(['on', 'off'])
    .default('on')
    .describe(
      'Whether `modern` gives clients that call themselves libssh2 up to 1.10 (curl) or JSch 0.1 the few SHA-2 algorithms beyond it that they need.',
    ),
  proxies: ranges
    .default([])
    .describe(
      "Addresses of proxies that tell the client's address by the PROXY protocol (version 1 or 2). From these the header is a must, from any other it is refused.",
    ),
  role: z
    .enum(['all', 'intake', 'import'])
    .default('all')
    .describe('`all`, or one half of it: `intake` takes uploads only, `import` runs slots and imports only.'),
  loginSeconds: positive.default(30).describe('A connection that has not logged in after this many seconds is closed.'),
  loginAttempts: positive.default(10).describe('Keys that one connection may offer.'),
  penalties: z
    .enum(['on', 'off'])
    .default('on')
    .describe(
      'Whether addresses that try wrong keys, stall or send nonsense must pause before they may connect again.',
    ),
  penaltyMinutes: positive.default(10).describe('The longest such pause.'),
  exemptAddresses: ranges
    .default(['127.0.0.0/8', '::1'])
    .describe(
      'Addresses that never have to pause, and whose connections are capped together only: this machine, and whatever stands before the server without telling addresses.',
    ),
  maxUnauthenticated: positive
    .default(100)
    .describe(
      'Connections at once that have not logged in. From half of them on, new ones are dropped by a rising chance, except from addresses that logged in within a day.',
    ),
  maxUnauthenticatedPerAddress: positive
    .default(20)
    .describe('Connections of one address (IPv6: its /64) at once that have not logged in.'),
  keepaliveSeconds: positive
    .default(30)
    .describe(
      'A client that sends nothing for this long is asked for a sign of life; the fourth unanswered one ends it.',
    ),
  rekeyBytes: positive
    .min(1024 ** 2)
    .default(1024 ** 3)
    .describe('After this many bytes, both ways together, a connection gets new keys.'),
  rekeyMinutes: z.coerce.number().positive().default(60).describe('After this many minutes it does so, too.'),
  idleMinutes: positive.default(30).describe('A session without any request for this long is closed.'),
  maxConnections: positive.default(500).describe('Connections at once.'),
  maxConnectionsPerOrg: positive.default(50).describe('Logged-in connections of one organization at once.'),
  maxChannels: positive.default(10).describe('SFTP sessions on one connection.'),
  maxSessionsPerOrg: positive
    .default(100)
    .describe('SFTP sessions of one organization at once. An organization may have fewer (`orgs set`).'),
  maxHandles: positive.default(128).describe('Open files and folders of one SFTP session.'),
  maxHandlesPerOrg: positive
    .default(1024)
    .describe('Open files and folders of one organization. An organization may have fewer (`orgs set`).'),
  uploadGraceSeconds: z.coerce
    .number()
    .min(0)
    .default(10)
    .describe('When the server stops, uploads in progress get this long to finish.'),
  uploadWindowBytes: positive
    .default(16 * 1024 * 1024)
    .describe('Bytes of one upload that may wait in memory for a gap before them to be filled.'),

  maxFileBytes: positive
    .default(4 * 1024 ** 3)
    .describe('Largest file that is accepted, in bytes of plaintext. An organization may have its own (`orgs set`).'),
  maxStoredBytes: positive
    .default(100 * 1024 ** 3)
    .describe(
      'Bytes of plaintext that one organization may have stored: drops, archive, reports and uploads in progress. An organization may have its own (`orgs set`).',
    ),
  maxFiles: positive
    .default(100_000)
    .describe(
      'Files and folders that one organization may have, archive and reports included. An organization may have its own (`orgs set`).',
    ),
  maxFolderDepth: positive
    .max(32)
    .default(32)
    .describe('Names in one path: folders and the file. An organization may have its own (`orgs set`).'),
  maxNameBytes: positive
    .max(255)
    .default(255)
    .describe('Bytes of one name in UTF-8. An organization may have its own (`orgs set`).'),
  sftpPlans: z
    .string()
    .min(1)
    .default('enterprise')
    .describe(
      'Plans, separated by commas, that include the SFTP door. An organization of another plan is not enabled, and does not get in.',
    ),
  minFreeBytes: amount
    .default(256 * 1024 ** 2)
    .describe('Uploads are refused while the volume of the data folder has less than this free; 0: never.'),
  keepPartialHours: amount
    .default(24)
    .describe('How long an upload that was cut off is kept, so that its client can resume it; 0 discards it at once.'),
  keepArchiveDays: amount.default(365).describe('How long imported and refused files stay in `/archive`; 0: for ever.'),
  keepReportDays: amount.default(365).describe('How long reports stay in `/reports`; 0: for ever.'),
  keepSupersededDays: amount
    .default(30)
    .describe('How long a file stays in `/archive` that a newer one replaced before it was imported; 0: for ever.'),
  maxRows: positive.default(5_000_000).describe('Rows of one file; a file with more is refused.'),
  maxColumns: positive
    .default(150)
    .describe(
      'Columns of one file; a file with more is refused. Less 11 it is how many custom fields, without hidden ones, an organization may have.',
    ),
  maxCellBytes: positive.default(1024 * 1024).describe('Bytes of one cell; a file with a larger one is refused.'),
  maxFaultShare: fraction
    .default(0.5)
    .describe('A file in which more than this share of the rows (and at least 20) are faulty is refused whole.'),
  maxDeactivations: z
    .string()
    .regex(/^\d{1,9}$|^\d{1,3}(\.\d+)?%$/, 'must be a number of users, or a share as "10%"')
    .default('10%')
    .describe(
      'A run that deactivates more users is held for approval: a number of users, or a share of the active ones (of at least 5 users). An organization may have its own (`orgs set`).',
    ),
  maxAdminChanges: amount
    .default(10)
    .describe(
      'A run that makes or unmakes more admins is held for approval. An organization may have its own (`orgs set`).',
    ),
  maxUpdatedShare: fraction
    .default(0.5)
    .describe(
      'A run that replaces the email, the manager or teams of more than this share of the active users (and at least 20) is held for approval. An organization may have its own (`orgs set`).',
    ),
  approvalHours: positive
    .default(24)
    .describe('How long the approval of a held run is good for; a run that begins later is counted and held again.'),
  leaseSeconds: positive
    .default(30)
    .describe('How long a run stays claimed by an importer that no longer answers, before another one continues it.'),

  auditLog: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Where the server writes the audit trail as JSON lines, for a log collector: a file (appended to, synced, and followed when it is rotated away), or `log`. Default: nowhere; the trail is in the database.',
    ),
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

/** Every setting of Dropslot: its default, type, check and meaning, in one schema that also makes docs/settings.md. */
import { z } from 'zod';
import { checkedText, choice, count, duration, listOf, pattern, share, size, text } from './kinds.js';
import { isSftpUrl, policyNames, readEndpoint, readRange } from './network.js';
import { oidcSetting } from './oidc.js';
import { isSecretFile, isSecretSource, programOf } from './secretsource.js';

const secretSource = checkedText(
  isSecretSource,
  'must be the path of a file, fd:N (N from 3), or credential:NAME',
  'path, `fd:N` or `credential:NAME`',
);

const masterSource = checkedText(
  (given) => isSecretSource(given) || programOf(given) !== null,
  'must be the path of a file, fd:N (N from 3), credential:NAME, or exec:PROGRAM ARGUMENT… with the absolute path of a program',
  'path, `fd:N`, `credential:NAME` or `exec:PROGRAM`',
);

/** The prefix `file:` tells a path from the word `sqlite` and from a URL. */
const databaseSource = /^(file:.+|fd:([3-9]|[1-9]\d{1,5})|credential:[\w.-]+)$/;

export const databaseForm = /^(sqlite|postgres(ql)?:\/\/.+)$/;

const ranges = listOf(
  (item) => readRange(item) !== null,
  'must be addresses or address ranges, such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32',
  'list of address ranges',
);

const endpoints = listOf(
  (item) => readEndpoint(item) !== null,
  `must be a list of HOST:PORT, [IPv6]:PORT or *:PORT, each with /${policyNames.join(' or /')} after it if it has its own policy`,
  'list of `ADDRESS:PORT`',
);

const apiEndpoint = checkedText(
  (given) => readEndpoint(given)?.policy === undefined && readEndpoint(given) !== null,
  'must be HOST:PORT, [IPv6]:PORT or *:PORT',
  '`ADDRESS:PORT`',
);

/** A bucket by the rules that all stores share, and a prefix of its own. */
export const storeForm = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:\/[\w!.*'()-]+)*)\/?$/;

const secretFile = (secret: string) =>
  checkedText(
    isSecretFile,
    `must be the path of a file, or credential:NAME; fd:N is not possible, since several processes read ${secret}, and read it again when it changes`,
    'path or `credential:NAME`',
  );

/** A URL of a server alone: `https://hr-files.example`. */
function isOrigin(given: string): boolean {
  return /^https?:\/\/[^/?#@\s]+$/.test(given) && URL.canParse(given) && new URL(given).origin === given.toLowerCase();
}

/** A name or address that clients connect to. */
export function isHostName(given: string): boolean {
  return given.length <= 253 && /^[\w.:-]+$/.test(given);
}

const mostContactLength = 200;

/** A text of one line, such as `People IT, it@acme.example, +49 30 1234`, that senders of files get to read. */
export function isContact(given: string): boolean {
  return given.trim() !== '' && given.length <= mostContactLength && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(given);
}

/** Numbers of users, or a share of them: the forms of `maxDeactivations`. */
export const usersOrShare = /^\d{1,9}$|^\d{1,3}(\.\d+)?%$/;

/** The sentence about the key of `orgs set` that overrides a setting. */
const orOwn = (key: string) => `For one organization: \`orgs set ORG ${key}=…\`.`;

const mostAddressLength = 254;

/** One address that a mail can be sent to. */
export function isAddress(given: string): boolean {
  return given.length <= mostAddressLength && /^[^\s@<>,;:"()[\]\\]+@[^\s@<>,;:"()[\]\\]+$/.test(given);
}

function isMailbox(given: string): boolean {
  const named = /^[^<>\p{Cc}]{1,100} <([^<>]+)>$/u.exec(given);
  return isAddress(named?.[1] ?? given);
}

/** In the words of `notify add --events`; `events/mail/categories.ts` has the events of each. */
export const mailCategoryNames = [
  'problems',
  'held',
  'refused',
  'missing',
  'expiring',
  'done',
  'weekly',
  'server',
  'audit',
] as const;

const isMailCategory = (word: string) => (mailCategoryNames as readonly string[]).includes(word);

/** Its path is the collector's; a user or password in it would be shown by "config show". */
function isCollector(given: string): boolean {
  if (!/^https?:\/\/[^\s#]+$/i.test(given) || !URL.canParse(given)) return false;
  const { username, password } = new URL(given);
  return username === '' && password === '';
}

export const settingsSchema = z.strictObject({
  data: text('path')
    .default('./data')
    .describe('Data folder: Dropslot keeps its databases, keys and sealed files in it.'),
  database: pattern(
    new RegExp(`${databaseForm.source}|${databaseSource.source}`),
    'must be sqlite, a URL that begins with postgres://, or the source of one: file:PATH, fd:N (N from 3) or credential:NAME',
    '`sqlite`, `postgres://…`, `file:PATH`, `fd:N` or `credential:NAME`',
  )
    .default('sqlite')
    .describe(
      '`sqlite` (two files in the data folder), or the URL of a PostgreSQL database, in which Dropslot uses two schemas. A URL may name several servers (`postgres://USER@A:5432,B:5432/NAME`), of which Dropslot uses the one that is no standby. A URL with a password should not be in a settings file or a variable: `file:PATH`, `fd:N` and `credential:NAME` name its source.',
    ),
  sqliteDriver: choice('sqlite3', 'better-sqlite3', 'better-sqlite3-multiple-ciphers')
    .default('sqlite3')
    .describe(
      'Package that opens SQLite files: `sqlite3`, or `better-sqlite3` or `better-sqlite3-multiple-ciphers`, which are installed separately (`npm install better-sqlite3@12`). A sealed `directory.db` is always opened by the last one.',
    ),
  sealDirectory: choice('off', 'on', 'volume')
    .default('off')
    .describe(
      'Encryption of users and teams at rest. `on`: `directory.db` is sealed, and Dropslot does not start with one that is not (needs `npm install better-sqlite3-multiple-ciphers@12`; SQLite only). `volume`: the operator has encrypted the volume; also for PostgreSQL. `off`: neither. `dropslot directory seal` seals an existing one. See [at-rest.md](at-rest.md).',
    ),
  databasePooler: choice('none', 'transaction')
    .default('none')
    .describe(
      '`transaction`: the address in `database` is that of a pooler that gives each transaction any of its connections (PgBouncer with `pool_mode = transaction`). Dropslot then relies on no state of a session, and notices of new runs come by polling, within a second. `none`: a server, or a pooler that keeps sessions apart.',
    ),
  blobs: checkedText(
    (given) => given === 'folder' || storeForm.test(given),
    'must be folder, or s3://BUCKET or s3://BUCKET/PREFIX; BUCKET has 3 to 63 small letters, digits, dots and hyphens, and PREFIX no blanks',
    '`folder`, `s3://BUCKET` or `s3://BUCKET/PREFIX`',
  )
    .default('folder')
    .describe(
      'Place of the sealed files: `folder` (`blobs` in the data folder), or a bucket of an object store with the S3 API (needs `npm install @aws-sdk/client-s3@3`). With a store and PostgreSQL, several servers need no shared folder. See [object-store.md](object-store.md).',
    ),
  blobEndpoint: checkedText(
    isOrigin,
    'must be https://HOST or http://HOST, with :PORT if needed and without a path',
    'URL',
  )
    .optional()
    .describe('Address of the object store, such as `https://s3.example.com`. Default: Amazon S3 in `blobRegion`.'),
  blobRegion: text('name of a region').default('us-east-1').describe('Region of the object store.'),
  blobPathStyle: choice('auto', 'on', 'off')
    .default('auto')
    .describe(
      'Form of the URLs of the object store: `on` has the bucket in the path, `off` in the host name. `auto`: in the path if `blobEndpoint` is set.',
    ),
  blobAccessKey: secretFile('the key')
    .optional()
    .describe(
      'Source of the id of the access key of the object store: a file, or `credential:NAME` (a systemd credential). It is read again every few minutes. Default: the client of the store finds credentials as all AWS programs do: variables, `~/.aws`, a web identity, the role of the machine.',
    ),
  blobSecretKey: secretFile('the key')
    .optional()
    .describe('Source of the secret of `blobAccessKey`, in the same forms.'),
  blobPartBytes: size({ min: 5 * 1024 ** 2, max: 512 * 1024 ** 2 })
    .default(8 * 1024 ** 2)
    .describe(
      'Size of the first 100 parts in which a large file is sent to the object store while it is uploaded; each later part is a hundredth of the bytes before it, and at least so large. One process holds at most four such parts in memory; larger ones are read from the local disk.',
    ),
  blobRetrySeconds: duration('seconds', { timer: true })
    .default(30)
    .describe(
      'Repeat a failed request to the object store for this time. After it the CLOSE of an upload fails, and the client must send the file again.',
    ),
  databasePool: count()
    .default(8)
    .describe(
      'Most PostgreSQL connections of one process for each of the two schemas: twice as many in all. [The sum over all processes](postgresql.md#connections) must be below `max_connections` of the server.',
    ),
  masterKey: masterSource
    .optional()
    .describe(
      "Source of the master identity (age), which opens every organization's identity: a file, `fd:N` (an open file descriptor), `credential:NAME` (a systemd credential), or `exec:PROGRAM ARGUMENT…` (a program that prints it, such as a client of a key management service; no shell, a minute at most). Default: `keys/master.key` in the data folder.",
    ),
  masterKeyPassphraseFile: secretSource
    .optional()
    .describe(
      'Source of the passphrase, if the master identity is an age file protected by one: a file, `fd:N` or `credential:NAME`. Default: Dropslot asks for it on the terminal.',
    ),
  credentials: text('path')
    .optional()
    .describe(
      'Folder with the credentials that `credential:NAME` refers to. Default: `$CREDENTIALS_DIRECTORY`, which systemd sets.',
    ),
  loginKeys: text('path')
    .optional()
    .describe(
      'Folder in which other programs put login keys, as `<organization>/<name>.pub`; Dropslot watches it. Default: `keys.d` in the data folder.',
    ),
  hostKeys: text('path')
    .optional()
    .describe(
      'Folder of the SSH host keys. Servers behind one address must share it, or have copies of it. Default: `keys/host` in the data folder.',
    ),
  recipientType: choice('x25519', 'hybrid')
    .default('x25519')
    .describe(
      'Type of new age identities: `x25519`, or `hybrid` (post-quantum: ML-KEM-768 with X25519; `age` 1.3 or later opens the files). Existing organizations keep theirs until `identity rotate`.',
    ),

  host: text('address or host name')
    .optional()
    .describe('Address to listen on. Default: every address of the machine.'),
  port: count({ min: 0, max: 65_535 })
    .default(2222)
    .describe('TCP port of the SFTP server. 0: the system chooses a free port.'),
  listen: endpoints
    .default([])
    .describe(
      'Several addresses and ports to listen on, instead of `host` and `port`: `192.0.2.7:2222`, `[2001:db8::7]:2222`, `*:2222`. Append `/compatible` to an entry to use that policy there.',
    ),
  publicHost: checkedText(isHostName, 'must be a host name or an address', 'host name')
    .optional()
    .describe(
      'Host name that clients connect to: for `orgs welcome`, and for `hostkeys list`. Default: none; `--host` names it.',
    ),
  publicPort: count({ max: 65_535 })
    .optional()
    .describe(
      'Port that clients connect to, if a proxy or a redirection has another one. Default: the first port of the server.',
    ),
  policy: choice(...policyNames)
    .default('modern')
    .describe('SSH algorithms to offer: `modern`, or `compatible` for clients that support none of the modern ones.'),
  accommodateOldClients: choice('on', 'off')
    .default('on')
    .describe(
      'With the policy `modern`: also offer the SHA-2 algorithms that old versions of libssh2 (up to 1.10, in curl) and JSch (0.1) need, to these clients only.',
    ),
  proxies: ranges
    .default([])
    .describe(
      'Addresses of the proxies that send the client address in a PROXY protocol header (version 1 or 2). Connections from these addresses must send the header; from any other address it is rejected.',
    ),
  contact: checkedText(
    isContact,
    `must be a text of one line, of 1 to ${mostContactLength} characters`,
    `text of 1 to ${mostContactLength} characters`,
  )
    .optional()
    .describe(
      `Whom the people who send files ask: a name, an email address, a telephone number. It is in \`/README.txt\` of each organization, and in every report that says "ask your operator". Clients that cannot log in see it too, so it must be fit for any stranger to read. ${orOwn('contact')} Default: none.`,
    ),
  role: choice('all', 'intake', 'import')
    .default('all')
    .describe(
      'Work that this server does: `intake` accepts uploads, `import` runs slots and imports, `all` does both.',
    ),
  loginSeconds: duration('seconds', { timer: true })
    .default(30)
    .describe('Close a connection that has not logged in after this time.'),
  loginAttempts: count().default(10).describe('Most login keys that a client may try on one connection.'),
  penalties: choice('on', 'off')
    .default('on')
    .describe(
      'Reject connections for a while from an address that tried wrong keys, did not log in in time, or did not send the SSH protocol.',
    ),
  penaltyMinutes: duration('minutes').default(10).describe('Longest penalty of an address.'),
  exemptAddresses: ranges
    .default(['127.0.0.0/8', '::1'])
    .describe(
      'Addresses that never get a penalty, and for which `maxUnauthenticatedPerAddress` does not apply: this machine, monitors, and load balancers that do not send the client address.',
    ),
  maxUnauthenticated: count()
    .default(100)
    .describe(
      'Most connections at once that have not logged in. Above half of this number the server drops new connections at random, and more of them the nearer it is to the limit; addresses that logged in within the last day are not dropped.',
    ),
  maxUnauthenticatedPerAddress: count()
    .default(20)
    .describe(
      'Most connections at once from one address (IPv6: from one /64 network) that have not logged in. The number grows with the organizations that logged in from the address within the last day.',
    ),
  keepaliveSeconds: duration('seconds', { timer: true })
    .default(30)
    .describe(
      'Send a keepalive request to a client that has sent nothing for this time. After four requests without an answer the server closes the connection.',
    ),
  rekeyBytes: size({ min: 1024 ** 2 })
    .default(1024 ** 3)
    .describe('Re-key a connection after this many bytes, sent and received together.'),
  rekeyMinutes: duration('minutes', { fraction: true, timer: true })
    .default(60)
    .describe('Re-key a connection after this time.'),
  idleMinutes: duration('minutes', { timer: true })
    .default(30)
    .describe('Close a session that has sent no SFTP request for this time.'),
  maxConnections: count().default(500).describe('Most connections at once, of all clients together.'),
  maxConnectionsPerOrg: count()
    .default(50)
    .describe(`Most logged-in connections at once of one organization. ${orOwn('maxConnections')}`),
  maxChannels: count().default(10).describe('Most SFTP sessions at once on one connection.'),
  maxSessionsPerOrg: count()
    .default(100)
    .describe(`Most SFTP sessions at once of one organization. ${orOwn('maxSessions')}`),
  maxHandles: count().default(128).describe('Most files and folders that one SFTP session may have open at once.'),
  maxHandlesPerOrg: count()
    .default(1024)
    .describe(`Most files and folders that one organization may have open at once. ${orOwn('maxHandles')}`),
  workers: count({ max: 64 })
    .default(1)
    .describe(
      'Processes for connections. 1: the server speaks SSH itself. More: it accepts connections, and hands each to one of so many processes, which share all limits; for machines with several processor cores and many clients at once.',
    ),
  uploadGraceSeconds: duration('seconds', { min: 0, fraction: true, timer: true })
    .default(10)
    .describe('When the server stops, it waits this long for uploads in progress to finish.'),
  uploadWindowBytes: size()
    .default(16 * 1024 * 1024)
    .describe(
      'Memory for one upload whose parts arrive out of order: later parts wait there until the missing part arrives.',
    ),
  maxMemoryBytesPerOrg: size({ min: 16 * 1024 ** 2 })
    .default(128 * 1024 ** 2)
    .describe(
      'Most memory that the sessions of one organization may occupy: requests without an answer, replies that the client does not read, parts that arrive out of order, uploads in progress. At the limit the server reads no more of its clients; after 30 seconds it ends the session that holds the most.',
    ),
  maxMemoryBytes: size({ min: 32 * 1024 ** 2 })
    .default(512 * 1024 ** 2)
    .describe(
      'Most memory that the sessions of all organizations together may occupy. An organization that holds little (a 64th of its own limit) is served even then.',
    ),

  maxFileBytes: size()
    .default(4 * 1024 ** 3)
    .describe(`Largest file that is accepted (size before encryption). ${orOwn('maxFileBytes')}`),
  maxStoredBytes: size()
    .default(100 * 1024 ** 3)
    .describe(
      `Most storage of one organization (size before encryption): its files, archive, reports and uploads in progress together. ${orOwn('maxStoredBytes')}`,
    ),
  maxFiles: count()
    .default(100_000)
    .describe(`Most files and folders of one organization, archive and reports included. ${orOwn('maxFiles')}`),
  maxFolderDepth: count({ max: 32 })
    .default(32)
    .describe(`Most names in one path: its folders and the file. ${orOwn('maxFolderDepth')}`),
  maxNameBytes: size({ max: 255 })
    .default(255)
    .describe(`Longest name of a file or folder, in bytes of UTF-8. ${orOwn('maxNameBytes')}`),
  sftpPlans: text('plans, separated by commas')
    .default('enterprise')
    .describe(
      'Plans that include SFTP access, separated by commas. An organization with another plan cannot be enabled, and cannot log in.',
    ),
  minFreeBytes: size({ min: 0 })
    .default(256 * 1024 ** 2)
    .describe(
      'While the disk of the data folder has less free space than this, the server rejects uploads and starts no run, and a run that is being planned waits for the next attempt. 0: never.',
    ),
  keepPartialHours: duration('hours', { min: 0 })
    .default(24)
    .describe('Keep an interrupted upload for this time, so that its client can resume it. 0: discard it at once.'),
  keepArchiveDays: duration('days', { min: 0 })
    .default(365)
    .describe('Keep imported and refused files in `/archive` for this time. 0: keep them forever.'),
  keepReportDays: duration('days', { min: 0 })
    .default(365)
    .describe('Keep reports in `/reports` for this time. 0: keep them forever.'),
  keepSupersededDays: duration('days', { min: 0 })
    .default(30)
    .describe(
      'Keep a file in `/archive` for this time if a newer version replaced it before it was imported. 0: keep it forever.',
    ),
  maxRows: count().default(5_000_000).describe('Most rows of one file. A file with more rows is refused.'),
  maxUnpackedBytes: size()
    .default(4 * 1024 ** 3)
    .describe(
      'Largest size of a packed file (gzip, zip, PGP) once it is unpacked. A larger one is refused at this size.',
    ),
  maxUnpackRatio: count()
    .default(200)
    .describe(
      'Most times its own size to which a packed file may unpack; it is refused at this point, once it has 16 MiB.',
    ),
  maxColumns: count()
    .default(150)
    .describe(
      'Most columns of one file. A file with more columns is refused. An organization may have 11 fewer custom fields than this (hidden fields do not count).',
    ),
  maxCellBytes: size()
    .default(1024 * 1024)
    .describe('Largest cell of a file. A file with a larger cell is refused.'),
  maxReportedIssues: count()
    .default(10_000)
    .describe(
      'Most lines with the same code in the report of one file; one line at its top has the number of the others. The file of rejected rows always has every rejected row.',
    ),
  maxStageBytes: size({ min: 1024 ** 2 })
    .default(8 * 1024 ** 3)
    .describe('Most temporary storage of one run while it is planned. A file whose rows need more is refused.'),
  maxFaultShare: share()
    .default(0.5)
    .describe('Refuse a whole file if more than this share of its rows, and at least 20 rows, are faulty.'),
  maxDeactivations: pattern(
    usersOrShare,
    'must be a number of users, such as 25, or a share of the active users, such as 10%',
    'number of users, or a percentage',
  )
    .default('10%')
    .describe(
      `Hold a run for approval if it deactivates more users than this: a number, or a share of the active users (a share never holds a run of fewer than 5 deactivations). ${orOwn('maxDeactivations')}`,
    ),
  maxAdminChanges: count({ min: 0 })
    .default(10)
    .describe(
      `Hold a run for approval if it gives admin rights to, or takes them from, more users than this. To deactivate an admin takes these rights away too. ${orOwn('maxAdminChanges')}`,
    ),
  maxUpdatedShare: share()
    .default(0.5)
    .describe(
      `Hold a run for approval if it changes the email, the manager or the teams of more than this share of the active users, and of at least 20 users. ${orOwn('maxUpdatedShare')}`,
    ),
  maxCreations: pattern(
    usersOrShare,
    'must be a number of users, such as 200, or a share of the active users, such as 50%',
    'number of users, or a percentage',
  )
    .default('50%')
    .describe(
      `Hold a run for approval if it creates more users than this: a number, or a share of the active users (a share never holds a run of an organization with fewer than 500 active users). The first import of an organization is never held. ${orOwn('maxCreations')}`,
    ),
  maxReactivations: pattern(
    usersOrShare,
    'must be a number of users, such as 25, or a share of the active users, such as 20%',
    'number of users, or a percentage',
  )
    .default('20%')
    .describe(
      `Hold a run for approval if it activates more deactivated users again than this: a number, or a share of the active users (a share never holds a run of fewer than 20 re-activations). ${orOwn('maxReactivations')}`,
    ),
  approvalHours: duration('hours')
    .default(24)
    .describe(
      'An approval of a held run is valid for this time. A run that starts later is planned and counted again, and held again if it is still over a limit.',
    ),
  earlyCheckFiles: count({ max: 10_000 })
    .default(500)
    .describe(
      'Check the files of an organization before their import only while at most this many of them are queued. With more of them a note in `/reports` says that they are not checked early.',
    ),
  leaseSeconds: duration('seconds', { timer: true })
    .default(30)
    .describe('If an importer does not respond for this time, another importer takes over its run.'),

  importers: count({ max: 64 })
    .optional()
    .describe(
      'Most processes that import and check files at the same time; the server starts each when it is needed. The last one takes files below 4 MiB only, so that small files never wait behind large ones. Default: one for each processor core and one more, at most 9.',
    ),
  importerMemoryBytes: size({ min: 128 * 1024 ** 2 })
    .default(1024 ** 3)
    .describe(
      'Most memory of one process that imports. A file that makes the process exceed it twice is refused; the other files of the run are imported.',
    ),
  maxFileMinutes: duration('minutes', { fraction: true })
    .default(60)
    .describe(
      'Most time that an import may work on one file. A file that takes longer is refused; the other files of the run are imported.',
    ),
  maxCheckMinutes: duration('minutes', { fraction: true })
    .default(10)
    .describe(
      'Most time that a check before the import, or a dry run, may work on one file. A check that takes longer ends, and its report says so; the file is imported all the same.',
    ),
  importHooks: text('path')
    .optional()
    .describe(
      'JavaScript module (`.mjs`) with functions that Dropslot calls at fixed points of each import: to refuse a file, to change rows, to hold a run, and after a run (see import-hooks.md). A path that is not absolute begins at the working folder of the server. Default: none.',
    ),
  importHookSeconds: duration('seconds', { min: 1, fraction: true, timer: true })
    .default(30)
    .describe(
      'Most time of one call of an import hook. After it the run is tried again later; a command whose hook keeps the processor is ended.',
    ),
  importGraceSeconds: duration('seconds', { min: 0, fraction: true, timer: true })
    .default(20)
    .describe(
      'When the server stops, it waits this long for its importers to reach a safe point. Then it ends them, and the next start continues their runs.',
    ),

  slotJitterMinutes: duration('minutes', { min: 0 })
    .default(0)
    .describe(
      'Spread the slots of organizations that have the same time over this many minutes after it: each organization gets whole minutes of its own, always the same ones, and `orgs show` has the time that results. 0: all begin at their time.',
    ),
  sourceLeadMinutes: duration('minutes')
    .default(30)
    .describe(
      'A source with `--when before-slot` is fetched this long before each slot of its organization, and again at two thirds and a third of this time, so that the import finds the files.',
    ),
  sourceSettleSeconds: duration('seconds', { min: 0, fraction: true })
    .default(10)
    .describe(
      'A file of a source or a watched folder is taken only if its size and time were the same for this long. A file that still grows is taken in a later round.',
    ),
  sourceIdleSeconds: duration('seconds', { fraction: true, timer: true })
    .default(60)
    .describe('A source fails, and is tried again later, if its server does not answer for this time.'),
  sourceRoundMinutes: duration('minutes', { fraction: true })
    .default(120)
    .describe(
      'Most time of one round of a source: to list its files and to fetch the new ones. The next round fetches the others.',
    ),

  auditLog: text('path or `log`')
    .optional()
    .describe(
      'Also write the audit trail as JSON lines, for a log collector: to a file (append only; log rotation is supported), or to the server log with the value `log`. Default: the audit trail is in the database only.',
    ),
  auditRecordsPerMinute: count()
    .default(600)
    .describe(
      'Audit records per minute that the clients of one organization may cause over a long time (ten times as many at once). Above it, reads, logins, renames and failed uploads are summed up in one record each minute, and uploads that finish are slowed.',
    ),
  eventDays: duration('days', { min: 4 })
    .default(30)
    .describe(
      'Keep events (`dropslot events`) for this time, so that a subscriber that was away gets them, and that they can be replayed. Events that an enabled subscriber has not had are kept for up to twice this time.',
    ),
  smtp: pattern(
    /^smtps?:\/\/([^\s/@:]+@)?(\[[0-9a-f:.]+\]|[^\s/@:]+)(:\d{1,5})?\/?$/i,
    'must be smtp://USER@HOST:PORT or smtps://USER@HOST:PORT, without a password',
    '`smtp://USER@HOST:PORT` or `smtps://…`',
  )
    .optional()
    .describe(
      'Mail server for notifications: `smtp://` begins TLS with STARTTLS (port 587), `smtps://` at once (port 465). USER is needed only where the server asks for a login. Default: no mail.',
    ),
  smtpPassword: secretFile('the password')
    .optional()
    .describe(
      'Source of the password of the user in `smtp`: a file, or `credential:NAME` (a systemd credential). It is read for each mail, so that a new password needs no restart.',
    ),
  smtpTls: choice('on', 'off')
    .default('on')
    .describe(
      'With `smtp://`: `on` sends nothing before TLS has begun. `off` never begins it: only for a server on this machine.',
    ),
  mailFrom: checkedText(isMailbox, 'must be an address, or NAME <ADDRESS>', 'address, or `NAME <ADDRESS>`')
    .optional()
    .describe('Sender of mails. Default: `dropslot@` and the host of `smtp`.'),
  mailReplyTo: checkedText(isMailbox, 'must be an address, or NAME <ADDRESS>', 'address, or `NAME <ADDRESS>`')
    .optional()
    .describe('Address for replies, and for those who want to end the mails.'),
  mailGatherMinutes: duration('minutes', { min: 0, fraction: true })
    .default(5)
    .describe('Wait so long after an event for others, and send them in one mail.'),
  operatorMail: listOf(isAddress, 'must be addresses, separated by commas', 'list of addresses')
    .default([])
    .describe('Addresses of operators, who get mail about all organizations and about the server.'),
  operatorMailEvents: listOf(
    isMailCategory,
    `must be some of ${mailCategoryNames.join(', ')}`,
    `list of ${mailCategoryNames.map((name) => `\`${name}\``).join(', ')}`,
  )
    .default(mailCategoryNames.filter((name) => name !== 'done'))
    .describe('Kinds of mail that operators get.'),
  auditHeads: listOf(
    (item) => item === 'syslog' || /^file:\/./.test(item),
    'must be syslog, or file: and an absolute path, or several of them separated by commas',
    'list of `syslog` and `file:/PATH`',
  )
    .default([])
    .describe(
      'Where to keep the head of the audit trail once a day, outside the data folder: `file:/PATH` appends a line to a file on another volume, `syslog` writes to the log of the system. Webhooks, hooks and operator mail get it as the event `audit.head` in any case.',
    ),
  backupOverdueDays: duration('days', { min: 0 })
    .default(7)
    .describe(
      'Record an event `backup.overdue` if no backup was made for this time. 0: never. With `backupTo`: twice `backupEvery` instead, at least a day.',
    ),
  backupTo: checkedText(
    (given) => given.startsWith('/') || isSftpUrl(given),
    'must be an absolute path, or sftp://USER@HOST:PORT/FOLDER without a password',
    'absolute path, or `sftp://USER@HOST:PORT/FOLDER`',
  )
    .optional()
    .describe(
      'Folder for scheduled backups, on another volume than the data, or on an SFTP server (then set `backupKey` and `backupHostKey`): `serve` makes each in a folder of its own, named by its time. Default: no scheduled backups.',
    ),
  backupKey: checkedText(
    isSecretFile,
    'must be the path of a file, or credential:NAME; fd:N is not possible, since the key is read for each backup',
    'path or `credential:NAME`',
  )
    .optional()
    .describe(
      'Source of the private key, without a passphrase, of the user in an SFTP `backupTo`: a file, or `credential:NAME` (a systemd credential). It is read for each backup.',
    ),
  backupHostKey: pattern(
    /^SHA256:[A-Za-z0-9+/]{43}$/,
    'must be a fingerprint: SHA256: and 43 characters, as "ssh-keygen -lf" prints it',
    '`SHA256:…`',
  )
    .optional()
    .describe(
      'Fingerprint of the only host key that is accepted from the server of an SFTP `backupTo`. Ask its operator; `ssh-keyscan HOST | ssh-keygen -lf -` shows the keys of a server.',
    ),
  backupEvery: duration('hours', { fraction: true, timer: true })
    .default(24)
    .describe('Time from the begin of one scheduled backup to that of the next one.'),
  backupKeep: count()
    .default(7)
    .describe(
      'How many scheduled backups to keep; after each, older ones are removed. They share the files that they have in common.',
    ),
  pgDump: text('path or name of a program')
    .default('pg_dump')
    .describe(
      "PostgreSQL's `pg_dump` for backups, of the database server's version or later. `pg_restore` must be beside it.",
    ),
  monitor: checkedText(
    (given) => readEndpoint(given) !== null && !given.includes('/'),
    'must be ADDRESS:PORT, [IPv6]:PORT or *:PORT',
    '`ADDRESS:PORT`',
  )
    .optional()
    .describe(
      'Address and port for monitors, by HTTP: `/healthz` (the process answers), `/readyz` (the server can take uploads) and `/metrics` (Prometheus). Anyone who reaches it can read them: use a loopback or management address. Default: none.',
    ),
  monitorOrganizations: choice('on', 'off')
    .default('off')
    .describe(
      '`on`: `/metrics` also has, for each organization by its id, when its last run was applied and how much it has stored. `off`: no metric names an organization.',
    ),
  traces: checkedText(
    isCollector,
    'must be an http:// or https:// address without a user, a password or a fragment, such as http://127.0.0.1:4318/v1/traces',
    'URL',
  )
    .optional()
    .describe(
      'Collector of OpenTelemetry to which the server sends traces, by OTLP over HTTP in JSON, such as `http://127.0.0.1:4318/v1/traces`: spans of uploads, runs and their phases, deliveries and API requests, without personal data. Default: no traces. See [monitoring.md](monitoring.md#traces).',
    ),
  api: apiEndpoint
    .optional()
    .describe(
      'Address and port of the HTTP API, such as `127.0.0.1:8022`. Any address but a loopback one needs `apiTlsCert` and `apiTlsKey`, or `apiAllowHttp=on`. Default: no HTTP API. See [api.md](api.md).',
    ),
  apiTlsCert: text('path')
    .optional()
    .describe(
      'Certificate of the HTTP API with its chain (PEM). A changed file is used within seconds, without a restart.',
    ),
  apiTlsKey: text('path').optional().describe('Private key of `apiTlsCert` (PEM).'),
  apiAllowHttp: choice('on', 'off')
    .default('off')
    .describe(
      '`on`: the HTTP API may listen without TLS on an address that is not loopback. Only for a network in which a proxy in front of it ends TLS: tokens and personal data cross it in plaintext.',
    ),
  apiRequestsPerMinute: count()
    .default(600)
    .describe(
      'Requests per minute that one token of the HTTP API may make over a long time (and up to this many at once). Above it they are answered with status 429.',
    ),
  console: apiEndpoint
    .optional()
    .describe(
      'Address and port of the web console, such as `127.0.0.1:8023`; it may be that of `api`. Any address but a loopback one needs `consoleUrl`, and a certificate (`apiTlsCert` and `apiTlsKey`) or `apiAllowHttp=on`. Default: no console. See [console.md](console.md).',
    ),
  consoleUrl: checkedText(
    (given) => isOrigin(given),
    'must be https://HOST or http://HOST, with :PORT if needed and without a path',
    'URL',
  )
    .optional()
    .describe(
      'Address of the web console in browsers, such as `https://hr-files.example`: of links in invitations and in mails of exports, and the only one whose forms are accepted. Default: the address of `console`.',
    ),
  oidc: oidcSetting()
    .optional()
    .describe(
      'OpenID Connect provider at which people of the server sign in to the console: an object with `issuer` and `clientId`, and optionally `clientSecretFile`, `scopes`, `label`, `emailClaim`, `verifiedClaim`, `domains`, `organizations`, `newAccounts` and `allowHttp`. Default: none. See [console.md](console.md#openid-connect).',
    ),
  passwordSignIn: choice('on', 'off')
    .default('on')
    .describe(
      '`off`: people who can sign in at the provider of `oidc` sign in there alone, neither with a password nor with a passkey. For the people of an organization with a provider of its own: `console set-provider ORG --password-sign-in off`.',
    ),
  logLevel: choice('error', 'warn', 'info', 'debug')
    .default('info')
    .describe('Lowest severity of the messages that are logged.'),
  logFormat: choice('auto', 'text', 'json')
    .default('auto')
    .describe('Format of the log: `auto` writes text to a terminal, and JSON lines otherwise.'),
  logFile: text('path')
    .optional()
    .describe(
      'File to which all processes of the server append their log. Default: standard error, for a service manager such as systemd.',
    ),
  logFileBytes: size({ min: 0 })
    .default(50_000_000)
    .describe(
      'Size at which the server renames `logFile`, with the time in its new name, and begins a new one. 0: never, since another program such as logrotate does it.',
    ),
  logFiles: count().default(10).describe('Number of older log files to keep; the server removes the oldest ones.'),
});

export type Settings = z.infer<typeof settingsSchema>;

/** Whether a plan includes SFTP access. */
export function hasSftp({ sftpPlans }: Pick<Settings, 'sftpPlans'>, plan: string): boolean {
  return sftpPlans.split(',').some((one) => one.trim() === plan);
}

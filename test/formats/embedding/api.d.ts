/**
 * The types of the package `dropslot` (docs/embedding.md). They need no other types. The second half is written by `npm run docs`.
 * They follow semantic versioning: a new minor version only adds to them.
 */

/** Makes a Dropslot for this process; nothing happens before `start()`. Several may run in one process, each with its own data folder. */
export function createDropslot(options?: DropslotOptions): Dropslot;

export interface DropslotOptions {
  /** As in the settings file. They take precedence over the file `dropslot.json` in the data folder; variables are not read. */
  settings?: DropslotSettings;
  /** Functions of this process. Use the setting `importHooks` instead for those of a file. */
  importHooks?: ImportHooks;
  /** Gets the lines of the log. Without it nothing is logged. */
  logger?: DropslotLogger;
}

export interface Dropslot {
  /**
   * Adds a durable handler of events, before `start()`. It gets each event at least once and in order, from its first start on,
   * also those of times when this process did not run. If it throws or rejects, it gets the event again, after pauses that grow
   * from 5 seconds to 6 hours; after three days without success it is disabled.
   * @param type a type (`run.held`), a group (`run.*`), `*`, or an array of these
   * @throws DropslotError `usage`, `refused`
   */
  on<P extends EventPattern>(type: P | readonly P[], handler: EventHandler<P>, options: HandlerOptions): this;
  /**
   * Starts the server, and the processes of the importer. If that fails, everything is closed again.
   * @throws DropslotError `usage` for a wrong setting; `unavailable` for a port that is in use, or a data folder on which another
   * Dropslot runs; and others
   */
  start(): Promise<StartedDropslot>;
  /**
   * Ends everything: uploads have `uploadGraceSeconds`, imports `importGraceSeconds`. A second call waits for the first one; before
   * `start()` it does nothing.
   */
  stop(): Promise<void>;
  /** The handlers of the data folder, also those of earlier versions of the program. @throws DropslotError before `start()` */
  handlers(): Promise<HandlerState[]>;
  /** Enables a disabled handler: it gets the events that it has not had and that are kept. @throws DropslotError `not_found`, `refused` */
  enable(name: string): Promise<void>;
  /** Removes a handler that is no longer needed. It gets no more events. @throws DropslotError `not_found` */
  remove(name: string): Promise<void>;
}

export interface StartedDropslot {
  /** The addresses of the SFTP server; empty with the role `import`. */
  listeners: readonly { host: string; port: number }[];
}

/** The function is not called again before it has ended. */
export type EventHandler<P extends EventPattern = '*'> = (
  event: DropslotEvent<TypesOf<P>>,
  context: HandlerContext,
) => void | Promise<void>;

export interface HandlerContext {
  /** Aborted at the end of the time limit, and when Dropslot stops. */
  signal: HandlerSignal;
}

/** The AbortSignal of the types of Node.js, or of a browser, where the program has them. */
export type HandlerSignal = typeof globalThis extends { AbortSignal: { prototype: infer Signal } }
  ? Signal
  : AbortSignalLike;

export interface AbortSignalLike {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface HandlerOptions {
  /** By it the handler is found again at the next start. 1 to 64 letters, digits, dots, hyphens or underscores. */
  name: string;
  /** Only events of this organization; without it those of all, and of the server. */
  org?: string;
  /** Whether events have names, addresses and values of people. */
  personal?: boolean;
  /**
   * The events that a new handler gets first: `now`, as without it, those from its first start on; `beginning` also those from before that are
   * kept (`eventDays`). A handler that the data folder knows continues where it was.
   */
  from?: 'beginning' | 'now';
  /** Most time of one call, in seconds. 60 without it. */
  timeLimitSeconds?: number;
}

export interface HandlerState {
  name: string;
  /** As the command line names it: `dropslot handlers show sub_…`. */
  id: string;
  state: 'enabled' | 'disabled';
  /** Why it is disabled. */
  reason: string | null;
  types: readonly string[];
  org: string | null;
  /** Attempts without success, in a row. */
  failures: number;
  /** Of the next attempt; null: at once. */
  nextAttemptAt: Date | null;
  /** Whether this process has its function. */
  isHere: boolean;
}

export interface DropslotLogger {
  error(message: string, details: Record<string, unknown>): void;
  warn(message: string, details: Record<string, unknown>): void;
  info(message: string, details: Record<string, unknown>): void;
  debug?(message: string, details: Record<string, unknown>): void;
}

/** The error of every method. */
export class DropslotError extends Error {
  constructor(code: DropslotErrorCode, message: string, options?: { cause?: unknown });
  readonly code: DropslotErrorCode;
  readonly cause?: unknown;
}

/** `usage`: a wrong argument or setting. `internal`: a defect of Dropslot. */
export type DropslotErrorCode = 'usage' | 'not_found' | 'refused' | 'unavailable' | 'failed' | 'internal';

/** Functions at four points of an import (docs/import-hooks.md). */
export interface ImportHooks {
  /** Change it where a function depends on more than its own text: rows that another version has mapped are read again. */
  version?: string;
  beforeImport?(file: HookFile): HookAnswer<{ refuse: string }>;
  mapRow?(row: Record<string, string>): Record<string, string | null | undefined>;
  beforeApply?(plan: HookPlan): HookAnswer<{ hold: string }>;
  afterApply?(run: HookRun): void | Promise<void>;
}

export type HookAnswer<T> = T | null | undefined | void | Promise<T | null | undefined | void>;

export interface HookFile {
  org: string;
  /** The path in the organization's tree; of a check of another file, the name alone. */
  path: string;
  name: string;
  /** As it was sent, before it is decrypted and unpacked. */
  bytes: number;
  sha256: string;
  /** `check`: nothing will be applied. */
  purpose: 'import' | 'check';
}

export interface HookCounts {
  created: number;
  updated: number;
  unchanged: number;
  deactivated: number;
  scheduled: number;
  stubs: number;
  faults: number;
  warnings: number;
  refused: number;
}

export interface HookPlan {
  org: string;
  run: number;
  /** The date of the import in the organization's time zone, yyyy-mm-dd. */
  date: string;
  files: { name: string; type: 'users' | 'teams' | null; rows: number; isRefused: boolean }[];
  users: HookCounts;
  teams: HookCounts;
}

export interface HookRun {
  org: string;
  run: number;
  /** `slot`, `manual`, `upload` or `undo`. */
  kind: string;
  date: string;
  files: { name: string; type: 'users' | 'teams' | null; state: string; rows: number }[];
  users: HookCounts;
  teams: HookCounts;
}

/** An event in the form of docs/events.md, by its type. */
export type DropslotEvent<T extends EventType = EventType> = {
  [Type in T]: {
    /** Never changes, also when the event is delivered again: ignore ids that you know. */
    id: string;
    type: Type;
    /** null: of the server. */
    org: string | null;
    /** ISO 8601. */
    at: string;
    version: 1;
    /** The run that caused it. */
    run?: number;
    data: EventData[Type];
  };
}[T];

export type EventType = keyof EventData;

export {};

type Group<T extends string> = T extends `${infer Name}.${string}` ? `${Name}.*` : never;

export type EventPattern = '*' | Group<EventType> | EventType;

/** The types of events that a pattern fits. */
export type TypesOf<P extends EventPattern> = P extends '*'
  ? EventType
  : P extends `${infer Name}.*`
    ? Extract<EventType, `${Name}.${string}`>
    : Extract<EventType, P>;

// Written by `npm run docs`, from here

/** The settings of docs/settings.md, which has their defaults and meanings. */
export interface DropslotSettings {
  /** path */
  data?: string;
  /** `sqlite`, `postgres://…`, `file:PATH`, `fd:N` or `credential:NAME` */
  database?: string;
  /** `sqlite3`, `better-sqlite3`, `better-sqlite3-multiple-ciphers` */
  sqliteDriver?: 'sqlite3' | 'better-sqlite3' | 'better-sqlite3-multiple-ciphers';
  /** `off`, `on`, `volume` */
  sealDirectory?: 'off' | 'on' | 'volume';
  /** `none`, `transaction` */
  databasePooler?: 'none' | 'transaction';
  /** `folder`, `s3://BUCKET` or `s3://BUCKET/PREFIX` */
  blobs?: string;
  /** URL */
  blobEndpoint?: string;
  /** name of a region */
  blobRegion?: string;
  /** `auto`, `on`, `off` */
  blobPathStyle?: 'auto' | 'on' | 'off';
  /** path or `credential:NAME` */
  blobAccessKey?: string;
  /** path or `credential:NAME` */
  blobSecretKey?: string;
  /** size, 5MiB to 512MiB */
  blobPartBytes?: number | string;
  /** duration of whole seconds, 1s or more, at most 24d */
  blobRetrySeconds?: number | string;
  /** whole number of 1 or more */
  databasePool?: number;
  /** path, `fd:N`, `credential:NAME` or `exec:PROGRAM` */
  masterKey?: string;
  /** path, `fd:N` or `credential:NAME` */
  masterKeyPassphraseFile?: string;
  /** path */
  credentials?: string;
  /** path */
  loginKeys?: string;
  /** path */
  hostKeys?: string;
  /** `x25519`, `hybrid` */
  recipientType?: 'x25519' | 'hybrid';
  /** address or host name */
  host?: string;
  /** whole number from 0 to 65535 */
  port?: number;
  /** list of `ADDRESS:PORT` */
  listen?: string[] | string;
  /** host name */
  publicHost?: string;
  /** whole number from 1 to 65535 */
  publicPort?: number;
  /** `modern`, `compatible` */
  policy?: 'modern' | 'compatible';
  /** `on`, `off` */
  accommodateOldClients?: 'on' | 'off';
  /** list of address ranges */
  proxies?: string[] | string;
  /** text of 1 to 200 characters */
  contact?: string;
  /** `all`, `intake`, `import` */
  role?: 'all' | 'intake' | 'import';
  /** duration of whole seconds, 1s or more, at most 24d */
  loginSeconds?: number | string;
  /** whole number of 1 or more */
  loginAttempts?: number;
  /** `on`, `off` */
  penalties?: 'on' | 'off';
  /** duration of whole minutes, 1m or more */
  penaltyMinutes?: number | string;
  /** list of address ranges */
  exemptAddresses?: string[] | string;
  /** whole number of 1 or more */
  maxUnauthenticated?: number;
  /** whole number of 1 or more */
  maxUnauthenticatedPerAddress?: number;
  /** duration of whole seconds, 1s or more, at most 24d */
  keepaliveSeconds?: number | string;
  /** size, 1MiB or more */
  rekeyBytes?: number | string;
  /** duration, more than 0, at most 24d */
  rekeyMinutes?: number | string;
  /** duration of whole minutes, 1m or more, at most 24d */
  idleMinutes?: number | string;
  /** whole number of 1 or more */
  maxConnections?: number;
  /** whole number of 1 or more */
  maxConnectionsPerOrg?: number;
  /** whole number of 1 or more */
  maxChannels?: number;
  /** whole number of 1 or more */
  maxSessionsPerOrg?: number;
  /** whole number of 1 or more */
  maxHandles?: number;
  /** whole number of 1 or more */
  maxHandlesPerOrg?: number;
  /** whole number from 1 to 64 */
  workers?: number;
  /** duration, 0 or more, at most 24d */
  uploadGraceSeconds?: number | string;
  /** size, 1 byte or more */
  uploadWindowBytes?: number | string;
  /** size, 16MiB or more */
  maxMemoryBytesPerOrg?: number | string;
  /** size, 32MiB or more */
  maxMemoryBytes?: number | string;
  /** size, 1 byte or more */
  maxFileBytes?: number | string;
  /** size, 1 byte or more */
  maxStoredBytes?: number | string;
  /** whole number of 1 or more */
  maxFiles?: number;
  /** whole number from 1 to 32 */
  maxFolderDepth?: number;
  /** size, 1 byte to 255 bytes */
  maxNameBytes?: number | string;
  /** plans, separated by commas */
  sftpPlans?: string;
  /** size, 0 bytes or more */
  minFreeBytes?: number | string;
  /** duration of whole hours, 0 or more */
  keepPartialHours?: number | string;
  /** duration of whole days, 0 or more */
  keepArchiveDays?: number | string;
  /** duration of whole days, 0 or more */
  keepReportDays?: number | string;
  /** duration of whole days, 0 or more */
  keepSupersededDays?: number | string;
  /** whole number of 1 or more */
  maxRows?: number;
  /** size, 1 byte or more */
  maxUnpackedBytes?: number | string;
  /** whole number of 1 or more */
  maxUnpackRatio?: number;
  /** whole number of 1 or more */
  maxColumns?: number;
  /** size, 1 byte or more */
  maxCellBytes?: number | string;
  /** whole number of 1 or more */
  maxReportedIssues?: number;
  /** size, 1MiB or more */
  maxStageBytes?: number | string;
  /** share, `0` to `1` or `0%` to `100%` */
  maxFaultShare?: number | string;
  /** number of users, or a percentage */
  maxDeactivations?: string;
  /** whole number of 0 or more */
  maxAdminChanges?: number;
  /** share, `0` to `1` or `0%` to `100%` */
  maxUpdatedShare?: number | string;
  /** number of users, or a percentage */
  maxCreations?: string;
  /** number of users, or a percentage */
  maxReactivations?: string;
  /** duration of whole hours, 1h or more */
  approvalHours?: number | string;
  /** whole number from 1 to 10000 */
  earlyCheckFiles?: number;
  /** duration of whole seconds, 1s or more, at most 24d */
  leaseSeconds?: number | string;
  /** whole number from 1 to 64 */
  importers?: number;
  /** size, 128MiB or more */
  importerMemoryBytes?: number | string;
  /** duration, more than 0 */
  maxFileMinutes?: number | string;
  /** duration, more than 0 */
  maxCheckMinutes?: number | string;
  /** path */
  importHooks?: string;
  /** duration, more than 0, at most 24d */
  importHookSeconds?: number | string;
  /** duration, 0 or more, at most 24d */
  importGraceSeconds?: number | string;
  /** duration of whole minutes, 0 or more */
  slotJitterMinutes?: number | string;
  /** duration of whole minutes, 1m or more */
  sourceLeadMinutes?: number | string;
  /** duration, 0 or more */
  sourceSettleSeconds?: number | string;
  /** duration, more than 0, at most 24d */
  sourceIdleSeconds?: number | string;
  /** duration, more than 0 */
  sourceRoundMinutes?: number | string;
  /** path or `log` */
  auditLog?: string;
  /** whole number of 1 or more */
  auditRecordsPerMinute?: number;
  /** duration of whole days, 4d or more */
  eventDays?: number | string;
  /** `smtp://USER@HOST:PORT` or `smtps://…` */
  smtp?: string;
  /** path or `credential:NAME` */
  smtpPassword?: string;
  /** `on`, `off` */
  smtpTls?: 'on' | 'off';
  /** address, or `NAME <ADDRESS>` */
  mailFrom?: string;
  /** address, or `NAME <ADDRESS>` */
  mailReplyTo?: string;
  /** duration, 0 or more */
  mailGatherMinutes?: number | string;
  /** list of addresses */
  operatorMail?: string[] | string;
  /** list of `problems`, `held`, `refused`, `missing`, `expiring`, `done`, `weekly`, `server`, `audit` */
  operatorMailEvents?: string[] | string;
  /** list of `syslog` and `file:/PATH` */
  auditHeads?: string[] | string;
  /** duration of whole days, 0 or more */
  backupOverdueDays?: number | string;
  /** absolute path, or `sftp://USER@HOST:PORT/FOLDER` */
  backupTo?: string;
  /** path or `credential:NAME` */
  backupKey?: string;
  /** `SHA256:…` */
  backupHostKey?: string;
  /** duration, more than 0, at most 24d */
  backupEvery?: number | string;
  /** whole number of 1 or more */
  backupKeep?: number;
  /** path or name of a program */
  pgDump?: string;
  /** `ADDRESS:PORT` */
  monitor?: string;
  /** `on`, `off` */
  monitorOrganizations?: 'on' | 'off';
  /** URL */
  traces?: string;
  /** `ADDRESS:PORT` */
  api?: string;
  /** path */
  apiTlsCert?: string;
  /** path */
  apiTlsKey?: string;
  /** `on`, `off` */
  apiAllowHttp?: 'on' | 'off';
  /** whole number of 1 or more */
  apiRequestsPerMinute?: number;
  /** `ADDRESS:PORT` */
  console?: string;
  /** URL */
  consoleUrl?: string;
  /** object (in the variable: JSON) */
  oidc?: { issuer: string; clientId: string; clientSecretFile?: string; scopes?: string; label?: string; emailClaim?: string; verifiedClaim?: string; domains?: string[]; organizations?: boolean; newAccounts?: 'read-only' | 'auditor'; allowHttp?: boolean };
  /** `on`, `off` */
  passwordSignIn?: 'on' | 'off';
  /** `error`, `warn`, `info`, `debug` */
  logLevel?: 'error' | 'warn' | 'info' | 'debug';
  /** `auto`, `text`, `json` */
  logFormat?: 'auto' | 'text' | 'json';
  /** path */
  logFile?: string;
  /** size, 0 bytes or more */
  logFileBytes?: number | string;
  /** whole number of 1 or more */
  logFiles?: number;
}

/** The data of each type of event (docs/events.md). Personal data is there only with `personal: true`. */
export interface EventData {
  /** A client closed a complete file. `queued`: the next run imports it. */
  'upload.completed': { path: string; upload: number; size: number; sha256: string; queued: boolean };
  /** A connection ended before the file was complete; the client may resume it. */
  'upload.partial': { path: string; size: number; keptBytes: number };
  /** A newer version replaced a file before its import. */
  'upload.superseded': { path: string; upload: number; size: number; sha256: string; archivedAs: string };
  /** A file is stored and not imported because of its name. */
  'upload.ignored': { path: string; upload: number; size: number; reason: 'other' | 'unfinished' };
  /** A file was checked before its import, or as a dry run, and would be imported. */
  'check.completed': { upload: number; type: 'users' | 'teams' | null; rows: number; dryRun: boolean };
  /** A check found that the import would refuse the file. */
  'check.would_refuse': { upload: number; type: 'users' | 'teams' | null; rows: number; dryRun: boolean };
  /** A run took its files. */
  'run.started': { run: number; kind: string; files: number; uploads: number[] };
  /** A run was applied, and none of its files has a fault, a warning or a refusal. */
  'run.completed': { run: number; kind: string; users: Record<string, number>; teams: Record<string, number>; files: number; refused: number };
  /** A run was applied, and some rows, cells or files were not. */
  'run.completed_with_problems': { run: number; kind: string; users: Record<string, number>; teams: Record<string, number>; files: number; refused: number };
  /** A run was given up; its files are queued for the next one. */
  'run.failed': { run: number; failure: string };
  /** A run waits for the decision of an operator, and nothing is applied: it changes too much (rule G1), or an import hook or a setting holds it. */
  'run.held': { run: number };
  /** An operator approved a held run. */
  'run.approved': { run: number; by: string; until?: number };
  /** An operator rejected a held run. `requeued`: uploads that wait for the next run. */
  'run.rejected': { run: number; by: string; uploads: number[]; requeued?: number[] };
  /** The changes of a run were taken back by the run `by`. */
  'run.undone': { run: number; by: number };
  /** A run refused a whole file; nothing of it was applied. `code`: see the import rules. */
  'file.refused': { run: number; upload: number | null; type: 'users' | 'teams' | null; code: string | null };
  /** A file stopped an importer, and no importer reads it again. */
  'file.quarantined': { upload: number; cause: 'hung' | 'memory' | 'time' | 'check_time'; strikes: number };
  /** An expected file is missing, much smaller than usual, or never changes; or no files can be taken from a source or a watched folder. More keys have times and sizes. */
  'alarm.opened': { kind: 'missing' | 'shrunk' | 'unchanged' | 'source_failing' | 'host_key_changed'; files?: 'users' | 'teams'; source?: number; folder?: number };
  /** An alarm ended. */
  'alarm.resolved': { kind: 'missing' | 'shrunk' | 'unchanged' | 'source_failing' | 'host_key_changed'; files?: 'users' | 'teams'; source?: number; folder?: number };
  /** A run or an operator created a user. */
  'user.created': { user: number; fields: string[]; email?: string; name?: string | null; changes?: ({ field: string; before: string | null; after: string | null })[] };
  /** Values of a user changed. */
  'user.updated': { user: number; fields: string[]; email?: string; name?: string | null; changes?: ({ field: string; before: string | null; after: string | null })[] };
  /** A user was deactivated, or created deactivated. */
  'user.deactivated': { user: number; fields: string[]; email?: string; name?: string | null; changes?: ({ field: string; before: string | null; after: string | null })[] };
  /** A deactivated user is active again. */
  'user.reactivated': { user: number; fields: string[]; email?: string; name?: string | null; changes?: ({ field: string; before: string | null; after: string | null })[] };
  /** The deactivation of a user was scheduled, or moved to another day. */
  'user.deactivation_scheduled': { user: number; fields: string[]; email?: string; name?: string | null; changes?: ({ field: string; before: string | null; after: string | null })[] };
  /** A person was erased: remove all that you have under this id. */
  'user.erased': { user: number; fields: string[] };
  /** A run created a team. */
  'team.created': { team: number; fields: string[]; name?: string; changes?: ({ field: string; before: string | null; after: string | null })[] };
  /** The name, owner, parent or type of a team changed. */
  'team.updated': { team: number; fields: string[]; name?: string; changes?: ({ field: string; before: string | null; after: string | null })[] };
  /** A new custom field of users. */
  'field.created': { field: string; label: string | null };
  /** An organization was added. */
  'org.added': Record<string, never>;
  /** Settings of an organization changed. */
  'org.changed': { settings: string[] };
  /** SFTP access of an organization was enabled. */
  'org.enabled': Record<string, never>;
  /** SFTP access of an organization was disabled. */
  'org.disabled': { reason?: string };
  /** An organization was removed. */
  'org.removed': Record<string, never>;
  /** An admin of an organization asked for SFTP access. */
  'org.sftp_requested': Record<string, never>;
  /** A request for SFTP access ended. */
  'org.sftp_request_ended': { reason?: string };
  /** A login key, password or authority was added. */
  'key.added': { key: string; kind?: string; algorithm?: string; expiresAt?: number | null };
  /** The terms of a login key changed. */
  'key.changed': { key: string };
  /** Another key replaces a login key, which still works until it expires. */
  'key.rotated': { key: string; by: string; expiresAt: number };
  /** A login key was revoked. */
  'key.revoked': { key: string };
  /** A login key or password expires within 30, 7 or 1 days (`days`). */
  'key.expiring': { key: string; label: string; expiresAt: number; days: 30 | 7 | 1 };
  /** Connections of an address, or of several, ended without a login; told once a minute. */
  'login.refused': { addresses: number; connections: number; address?: string };
  /** The server closes the connections of an address for a while. Many at once share one event with their number. */
  'penalty.started': { source?: string; until?: number; inARow?: number; cause?: string; addresses?: number };
  /** A host key was added; clients may learn it before it is used. */
  'hostkey.added': { fingerprint: string; type: string };
  /** The server proves itself with another host key from now on. */
  'hostkey.activated': { fingerprint: string; type: string };
  /** A host key was removed. */
  'hostkey.removed': { fingerprint: string; type: string };
  /** An organization uses 90 % of its storage or of its files. */
  'quota.near': { bytes: number; maxBytes: number; files: number; maxFiles: number };
  /** The disk of the data folder has less than twice the space of `minFreeBytes`. */
  'disk.low': { freeBytes: number; minFreeBytes: number; host?: string };
  /** `dropslot backup`, or the schedule, made a backup. */
  'backup.completed': { files: number };
  /** A scheduled backup failed; the schedule tries again. */
  'backup.failed': { reason: string };
  /** No backup was made for `backupOverdueDays`, or with `backupTo` for twice `backupEvery`. */
  'backup.overdue': { since: number; days: number };
  /** `dropslot doctor` found something wrong that it did not find before on that machine. */
  'doctor.wrong': { checks: string[]; wrong: number; host?: string };
  /** The week of an organization in numbers, on Mondays at 08:00 of its time zone. */
  'report.weekly': { since: number; runs: number; created: number; updated: number; deactivated: number; faults: number; refused: number; alarms: number };
  /** Once a day: the number of audit records and the hash of the last one. Kept elsewhere it proves that none was removed. */
  'audit.head': { count: number; hash: string };
  /** The time of a daily export has come (`exports add --when daily@04:00`). */
  'export.due': { export: string };
  /** A webhook, command, mail address, handler or export was disabled because its deliveries failed for three days, or because it said that it is gone. Of an export: or because its server has another host key. */
  'webhook.disabled': { subscriber: string; kind: string; reason: string; failures: number };
  /** An operator tests a subscriber (`webhooks test`, `hooks test`); it is in no list, and is not tried again. */
  'webhook.test': Record<string, never>;
}

// to here

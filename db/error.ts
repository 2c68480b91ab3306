/** Failures of a database: its error class, and the meaning of a driver's error, in either dialect. */
export type DatabaseErrorCode =
  /** Can't be opened or reached. */
  | 'unavailable'
  /** Written by a newer Dropslot. */
  | 'newer_schema'
  /** A unique name is taken. */
  | 'duplicate'
  /** Another writer came first: the rows that were read have changed. */
  | 'conflict'
  /** Another importer has taken the run over: nothing was applied. */
  | 'fenced'
  /** A sealed directory.db, and no key for it in this process. */
  | 'withheld'
  /** A reader took so long that its transaction was ended. */
  | 'stalled'
  /** The control and the directory database do not belong together as they are: one was restored without the other. */
  | 'mismatch';

export class DatabaseError extends Error {
  override name = 'DatabaseError';
  constructor(
    readonly code: DatabaseErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Whether a statement failed on a unique index, in either dialect. */
export function isUniqueViolation(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return code === '23505' || (code === 'SQLITE_CONSTRAINT' && /UNIQUE|PRIMARY KEY/.test(message ?? ''));
}

/** PostgreSQL: serialization_failure, deadlock_detected. */
const contentionCodes: readonly unknown[] = ['40001', '40P01'];

/** Whether PostgreSQL ended the transaction for another one's sake. */
export function isContention(error: unknown): boolean {
  return contentionCodes.includes((error as { code?: unknown } | null)?.code);
}

/** Whether another transaction came first: the same work, run again, sees its result and may succeed. */
export function isConflict(error: unknown): boolean {
  return isUniqueViolation(error) || isContention(error);
}

/** SQLite result codes, and PostgreSQL classes of SQLSTATE, that report a failure of the machine, not a defect of the query. */
const sqliteFailures = /^SQLITE_(BUSY|LOCKED|FULL|IOERR|READONLY|CANTOPEN|CORRUPT|NOTADB|PERM|NOMEM)/;
const postgresFailures = /^(08|25006|25P0[34]|28|3D|3F|42501|42P01|53|5500[06]|55P03|57|58|XX)/;
const networkFailures =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|ENOTFOUND|ETIMEDOUT|EPIPE|EAI_AGAIN|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN)$/;
/** Of Node.js: the certificate of the server has expired, is another one, or comes from an unknown authority; or no TLS was agreed on. */
const tlsFailures = /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/;

/** The remedy for an administrator of PostgreSQL, by SQLSTATE or its class. A role that may not use a schema does not see its tables (42P01). */
const remedies: readonly [codes: RegExp, remedy: string][] = [
  [/^25006/, 'the server is a standby, or default_transaction_read_only is on'],
  [/^28/, 'see the role and its password in the URL of the database, and pg_hba.conf'],
  [/^3D/, 'see the name in the URL of the database'],
  [/^(3F|42501|42P01)/, 'the role of Dropslot lacks privileges on its schemas and tables, or they are gone'],
  [/^53100/, 'make room on the disk of the database server'],
  [/^53300/, 'raise max_connections or the limit of the role, or lower databasePool'],
];

/** The words of the triggers that refuse each write to a database that was moved (db/move/state.ts). */
export const movedRefusal = 'this installation was moved to another database';

/** The words of the trigger that refuses files which were written into a place that was left (db/control/blobplace.ts). */
export const placeRefusal = 'the sealed files were moved to another place';

/** One sentence without the statement, which holds personal data; null: the database did not fail, the query is wrong. */
export function describeDatabaseFailure(error: unknown): string | null {
  const { name, message } = error as { name?: string; message?: string };
  if (name === 'KnexTimeoutError') return 'the database did not answer in time';
  if (message?.includes(movedRefusal)) return `the database refuses writes: ${movedRefusal}`;
  if (message?.includes(placeRefusal)) return `the database refuses the file: ${placeRefusal}`;
  if (isContention(error))
    return 'the database was busy: other transactions were in the way of this one again and again';
  if (isEndedConnection(message ?? '')) return 'the database failed: the connection to it was lost';
  const reason = findMachineFailure(error);
  return reason === null ? null : `the database failed: ${reason}`;
}

/** The driver's own words, and the remedy, where there is one; null: it is no failure of the machine, the network or the server's settings. */
export function findMachineFailure(error: unknown): string | null {
  const { code, message } = error as { code?: unknown; message?: string };
  if (typeof code !== 'string') return null;
  const isKnown =
    sqliteFailures.test(code) ||
    networkFailures.test(code) ||
    tlsFailures.test(code) ||
    (code.length === 5 && postgresFailures.test(code));
  if (!isKnown) return null;
  const remedy = remedies.find(([codes]) => codes.test(code))?.[1];
  // knex puts the statement before the driver's own words.
  return `${message?.split(' - ').at(-1) ?? code}${remedy === undefined ? '' : ` (${remedy})`}`;
}

/** The driver of PostgreSQL gives no code when the server or the network ends a connection. */
export function isEndedConnection(message: string): boolean {
  return /Connection (terminated|ended)|Client has encountered a connection error|Unable to acquire a connection/.test(
    message,
  );
}

/** Whether a statement failed because the disk of the database is full, in either dialect. */
export function isDiskFull(error: unknown): boolean {
  return ['SQLITE_FULL', 'ENOSPC', 'EDQUOT', '53100'].includes((error as { code?: string } | null)?.code ?? '');
}

/** PostgreSQL or a pooler ended the connection: connection exceptions, an end of the server, a crash of it, and its time limits for sessions. */
const endedConnections = /^(08...|25P0[34]|57P0[125])$/;

/** Whether the connection ended before the server's answer came. A server that is shut down while a COMMIT waits for its replica has written it. */
export function isConnectionLost(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  if (networkFailures.test(code ?? '') || endedConnections.test(code ?? '')) return true;
  return /Connection (terminated|ended)|Client has encountered a connection error/.test(message ?? '');
}

/** Whether COMMIT was sent before a transaction failed, by its error (db/transaction.ts). Of several transactions the innermost one counts. */
const commitsSent = new WeakMap<object, boolean>();

export function noteCommitSent(error: unknown, isSent: boolean): void {
  if (typeof error === 'object' && error !== null && !commitsSent.has(error)) commitsSent.set(error, isSent);
}

/** The driver knew that the connection had ended, and sent nothing. */
const unsent = /is not queryable/;

/** Of an error that no transaction has noted, nothing is known: it may be that of a COMMIT. */
function mayBeOfCommit(error: unknown): boolean {
  return commitsSent.get(error as object) !== false && !unsent.test((error as { message?: string }).message ?? '');
}

/** Whether the answer to a COMMIT got lost: it may have taken place, or may still do so. */
export function isAnswerLost(error: unknown): boolean {
  return isConnectionLost(error) && mayBeOfCommit(error);
}

/**
 * As isAnswerLost, or the disk of SQLite failed in a COMMIT: one that reached the disk, and could not be synced, takes place if the
 * process ends before the next write.
 */
export function isOutcomeUnknown(error: unknown): boolean {
  const isOfDisk = /^SQLITE_IOERR/.test((error as { code?: string }).code ?? '');
  return isAnswerLost(error) || (isOfDisk && mayBeOfCommit(error));
}

/** Classifies the failure of a run: a fault of the machine, which ends some time and is not the file's, or of the file. */
import { DatabaseError, describeDatabaseFailure } from '../../db/error.js';
import { KeyError } from '../../keys/error.js';
import { StoreError } from '../../storage/blobstore.js';
import { ImportError } from '../error.js';

export type FailureClass =
  /** Disk full, no inodes, too many open files, the database away or locked: the same work succeeds once that has ended. */
  | 'machine'
  /** Caused by the content of a file: it would fail again. */
  | 'file';

/** Codes of Node.js: the system refused what it grants at other times. */
const systemCodes: ReadonlySet<string> = new Set([
  ...[
    'ENOENT',
    'ENOSPC',
    'EDQUOT',
    'EIO',
    'EROFS',
    'EMFILE',
    'ENFILE',
    'ENOMEM',
    'EAGAIN',
    'EBUSY',
    'EACCES',
    'EPERM',
    'ENOTDIR',
  ],
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
  ...['ESTALE', 'ENODEV', 'ENXIO', 'ENOLCK', 'EREMOTEIO', 'EDEADLK', 'EINTR', 'ENOBUFS', 'ENETDOWN', 'EHOSTDOWN'],
]);

/**
 * Another transaction was in the way: serialization_failure, deadlock_detected, lock_not_available and query_canceled of
 * PostgreSQL, and SQLite's own trouble with locks and memory that db/error.ts does not name.
 */
const contentions: ReadonlySet<string> = new Set(['40001', '40P01', '55P03', '57014', 'SQLITE_PROTOCOL']);

/** Codes of DatabaseError that report the state of the machine. */
const databaseCodes: readonly string[] = ['unavailable', 'conflict', 'stalled', 'mismatch'];

/** Looks at the error and its causes: the outer ones say who failed, the inner ones why. */
export function classifyFailure(error: unknown): FailureClass {
  return findFault(error) === null ? 'file' : 'machine';
}

/** One sentence about a fault of the machine, without a statement of the database; null: the machine did not fail. */
export function describeFault(error: unknown): string | null {
  const fault = findFault(error);
  return fault === null ? null : (describeDatabaseFailure(fault) ?? fault.message);
}

/** A chain of causes ends; one that was built into a ring must not hang the importer. */
const mostCauses = 16;

function findFault(error: unknown): Error | null {
  let cause = error;
  for (let depth = 0; cause instanceof Error && depth < mostCauses; depth++) {
    if (isFault(cause)) return cause;
    cause = cause.cause;
  }
  return null;
}

function isFault(error: Error): boolean {
  if (error instanceof DatabaseError) return databaseCodes.includes(error.code);
  if (error instanceof KeyError) return error.code !== 'destroyed';
  if (error instanceof StoreError) return true;
  if (error instanceof ImportError) return error.code === 'contended' || error.code === 'hooks';
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && (systemCodes.has(code) || contentions.has(code))) return true;
  return describeDatabaseFailure(error) !== null;
}

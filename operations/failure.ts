/** Translates an error of any folder to one closed set of codes with a sentence: an exit code now, an HTTP status alike. */
import { SettingsError } from '../config/load.js';
import { DatabaseError, type DatabaseErrorCode, describeDatabaseFailure } from '../db/error.js';
import { ImportError } from '../importer/error.js';
import { KeyError } from '../keys/error.js';
import { ServerError } from '../server/error.js';
import { StoreError } from '../storage/blobstore.js';
import { SpaceError } from '../storage/types.js';
import { OperationError, type OperationErrorCode } from './error.js';

/** `internal`: a defect of Dropslot itself. */
export type FailureCode = OperationErrorCode | 'internal';

export interface Failure {
  code: FailureCode;
  /** One sentence for the person who asked. */
  message: string;
  /** Of `internal` only: the stack that a bug report needs. */
  stack: string | null;
}

const databaseCodes: Readonly<Record<DatabaseErrorCode, OperationErrorCode>> = {
  unavailable: 'unavailable',
  newer_schema: 'unavailable',
  duplicate: 'refused',
  conflict: 'refused',
  withheld: 'unavailable',
  stalled: 'failed',
  fenced: 'refused',
  mismatch: 'refused',
};

/** The code and the sentence of an operation's error; never a statement of the database, which has personal data. */
export function describeFailure(error: unknown): Failure {
  const { message, stack = null } = error as Error;
  const code = codeOf(error);
  if (code !== null) return { code, message, stack: null };
  const failure = describeDatabaseFailure(error);
  if (failure !== null) return { code: 'unavailable', message: failure, stack: null };
  const { syscall } = error as NodeJS.ErrnoException;
  if (syscall !== undefined) return { code: 'failed', message, stack: null };
  return { code: 'internal', message, stack };
}

/** null: it is none of the folders' own errors. */
function codeOf(error: unknown): OperationErrorCode | null {
  if (error instanceof OperationError) return error.code;
  if (error instanceof SettingsError) return 'usage';
  if (error instanceof DatabaseError) return databaseCodes[error.code];
  if (error instanceof KeyError || error instanceof ImportError) return 'failed';
  if (error instanceof StoreError) return 'unavailable';
  if (error instanceof SpaceError) return error.code === 'not_found' ? 'not_found' : 'failed';
  if (error instanceof ServerError) return error.code === 'bad_host_key' ? 'failed' : 'unavailable';
  return null;
}

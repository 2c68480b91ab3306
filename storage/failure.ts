/** Turns errors of databases, keys and disks into the SpaceError that callers of a space expect. */
import { isUniqueViolation } from '../db/error.js';
import { KeyError } from '../keys/error.js';
import { SpaceError } from './types.js';

/** Runs `work`; its error becomes `exists` for a name that was taken meanwhile, and `failed` where no other code fits. */
export async function asSpaceError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw toSpaceError(cause);
  }
}

export function toSpaceError(cause: unknown): SpaceError {
  if (cause instanceof SpaceError) return cause;
  if (cause instanceof KeyError && (cause.code === 'withheld' || cause.code === 'destroyed'))
    return new SpaceError(cause.code, cause.message, { cause });
  if (isUniqueViolation(cause)) return new SpaceError('exists', 'the name was taken meanwhile', { cause });
  return new SpaceError('failed', cause instanceof Error ? cause.message : String(cause), { cause });
}

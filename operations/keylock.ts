/** One command at a time changes keys: two rotations at once would take each other's files away. */
import { takeLock } from '../db/lock.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

/** @throws OperationError `refused` when another command changes keys */
export async function atKeys<T>(
  { paths, settings }: Pick<Workplace, 'paths' | 'settings'>,
  work: () => Promise<T>,
): Promise<T> {
  const lock = await takeLock(paths.keysLock, settings.sqliteDriver);
  if (lock === null)
    throw new OperationError('refused', `another command changes keys in ${paths.data}: wait for its end`);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

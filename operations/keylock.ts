/** One command at a time changes keys: two rotations at once would take each other's files away. */
import { takeLock } from '../db/lock.js';
import { takeClaim } from '../db/postgres/claim.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

/**
 * For the keys and files of this data folder.
 * @throws OperationError `refused` when another command changes keys
 */
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

/** @throws DatabaseError `conflict` when a command on another server may change keys by now */
export type RequireKeys = () => Promise<void>;

/**
 * As atKeys, for keys and files of all nodes: each of them has a data folder and a lock of its own.
 * @param work calls `requireKeys` before each step that another command must not see
 */
export function atSharedKeys<T>(
  workplace: Pick<Workplace, 'paths' | 'settings' | 'control'>,
  work: (requireKeys: RequireKeys) => Promise<T>,
): Promise<T> {
  return atKeys(workplace, async () => {
    // All connections of the others may wait for it.
    const aside = workplace.control.openAside?.();
    if (aside === undefined) return work(async () => {});
    try {
      const claim = await takeClaim(aside, 'dropslot keys');
      if (claim === null)
        throw new OperationError(
          'refused',
          'a command on another server changes keys, or makes a backup: wait for its end',
        );
      return await work(claim.require).finally(claim.release);
    } finally {
      await aside.destroy();
    }
  });
}

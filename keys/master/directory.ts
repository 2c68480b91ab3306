/** Opens the directory database with its key: sealed or not as its file says, and a new one as the setting says. */
import { pathsOf } from '../../config/paths.js';
import type { Settings } from '../../config/settings.js';
import { type Db, openDirectory, openToFill, type Queryable, withholdDirectory } from '../../db/connection.js';
import { findDirectoryKey } from '../../db/control/directorykey.js';
import { DatabaseError } from '../../db/error.js';
import { type Lock, shareLock } from '../../db/lock.js';
import { requireSealingDriver } from '../../db/sqlite/drivers.js';
import { readSealState } from '../../db/sqlite/sealstate.js';
import { KeyError } from '../error.js';
import { makeDirectoryKey, openDirectoryKey } from './directorykey.js';
import type { MasterKey } from './master.js';

export interface DirectoryKeys {
  /** Where the key is recorded. */
  control: Queryable;
  /** @throws KeyError */
  master(): Promise<MasterKey>;
  /** The master key for a new directory; made where there is none. @throws KeyError */
  makeMaster(): Promise<MasterKey>;
  now: () => number;
  /** As in SqliteFile. */
  isGuest?: boolean;
}

/** How long opening waits while a command seals or unseals the file. */
const conversionWaitMs = 10_000;

/**
 * Where a sealed file needs a master key that this process can't use, the directory is withheld: each use of it fails with
 * the reason, and everything else works.
 * @throws DatabaseError `unavailable` when the setting is `on` and the file is not sealed
 */
export function openDirectoryByKey(settings: Settings, keys: DirectoryKeys): Promise<Db> {
  return openWith(settings, keys, (key) => openDirectory(settings, undefined, key, keys.isGuest));
}

/** As openDirectoryByKey, for `openToFill`. */
export function openDirectoryToFill(settings: Settings, keys: DirectoryKeys): Promise<Db> {
  return openWith(settings, keys, (key) => openToFill(settings, 'directory', key));
}

type Open = (key: string | null) => Promise<Db>;

async function openWith(settings: Settings, keys: DirectoryKeys, open: Open): Promise<Db> {
  if (settings.database !== 'sqlite') return open(null);
  const lock = await shareFile(settings);
  try {
    const directory = await openShared(settings, keys, open);
    const close = async () => {
      await directory.close();
      await lock.release();
    };
    return { ...directory, close };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function openShared(settings: Settings, keys: DirectoryKeys, open: Open): Promise<Db> {
  const state = readSealState(pathsOf(settings).directory);
  if (state === 'plain' && settings.sealDirectory === 'on')
    throw new DatabaseError(
      'unavailable',
      'sealDirectory is on, but directory.db is not sealed: stop Dropslot and run "dropslot directory seal"',
    );
  if (state === 'plain' || (state === 'none' && !(await wantsSealed(settings, keys)))) return open(null);
  // Before a key is made that the missing driver leaves unused.
  if (state === 'none') await requireSealingDriver();
  try {
    const key =
      state === 'sealed'
        ? await openDirectoryKey(keys.control, await keys.master())
        : await makeDirectoryKey(keys.control, await keys.makeMaster(), keys.now());
    if (key === null)
      throw new DatabaseError(
        'unavailable',
        'directory.db is sealed or damaged, and control.db has no key for it: restore both from the same backup',
      );
    return await open(key);
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    return withholdDirectory(
      new DatabaseError('withheld', `directory.db is sealed and can't be opened: ${error.message}`, { cause: error }),
    );
  }
}

/** A sealed directory that was lost is not made anew in the clear. */
async function wantsSealed(settings: Settings, { control }: DirectoryKeys): Promise<boolean> {
  return settings.sealDirectory === 'on' || (await findDirectoryKey(control)) !== null;
}

async function shareFile(settings: Settings): Promise<Lock> {
  const lock = await shareLock(pathsOf(settings).directoryLock, settings.sqliteDriver, conversionWaitMs);
  if (lock !== null) return lock;
  throw new DatabaseError('unavailable', 'another command seals or unseals directory.db: try again when it has ended');
}

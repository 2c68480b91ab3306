/** Seals and unseals directory.db, while nothing has it open: users and teams at rest. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { recordAudit } from '../db/control/audit.js';
import { deleteDirectoryKey } from '../db/control/directorykey.js';
import { eraseDeleted } from '../db/erase.js';
import { type Lock, takeLock } from '../db/lock.js';
import { type ConversionStep, convertFile, leftovers, sweepConversion, wipe } from '../db/sqlite/convert.js';
import { requireSealingDriver } from '../db/sqlite/drivers.js';
import { readSealState } from '../db/sqlite/sealstate.js';
import { makeDirectoryKey, openDirectoryKey } from '../keys/master/directorykey.js';
import { OperationError } from './error.js';
import { atKeys } from './keylock.js';
import type { Workplace } from './workplace.js';

export interface SealReport {
  isSealed: boolean;
  /** false: it was so before. */
  isChanged: boolean;
}

export interface SealView {
  /** `none`: PostgreSQL, which Dropslot does not seal. */
  state: 'sealed' | 'plain' | 'none';
  /** Files with old content that a conversion left when it was killed. */
  leftovers: string[];
}

type OnStep = (step: ConversionStep) => void | Promise<void>;

export function viewSeal({
  control,
  directory: { source },
  paths,
}: Pick<Workplace, 'control' | 'directory' | 'paths'>): SealView {
  if (control.dialect !== 'sqlite') return { state: 'none', leftovers: [] };
  const isSealed = source === null ? readSealState(paths.directory) === 'sealed' : source.key !== null;
  return { state: isSealed ? 'sealed' : 'plain', leftovers: leftovers(paths.directory) };
}

/**
 * Seals directory.db under a new key, and overwrites its old content. Repeat it after a kill.
 * @throws OperationError `refused` while the server or another command uses it; KeyError without the master key
 */
export function sealDirectory(workplace: Workplace, onStep?: OnStep): Promise<SealReport> {
  return alone(workplace, async () => {
    const { paths, control } = workplace;
    const master = await workplace.master();
    const isChanged = readSealState(paths.directory) === 'plain';
    if (isChanged) {
      await requireSealingDriver();
      const key = await makeDirectoryKey(control.write, master, workplace.now());
      await convertFile(paths.directory, null, key, onStep);
      await record(workplace, 'directory.sealed');
    }
    await sweep(workplace);
    return { isSealed: true, isChanged };
  });
}

/**
 * Writes directory.db in the clear again, and deletes its key. Repeat it after a kill.
 * @throws OperationError `refused` while the server or another command uses it, or the setting wants it sealed; KeyError
 */
export function unsealDirectory(workplace: Workplace, onStep?: OnStep): Promise<SealReport> {
  if (workplace.settings.sealDirectory === 'on')
    throw new OperationError('refused', 'sealDirectory is on: set it to off or volume first');
  return alone(workplace, async () => {
    const { paths, control } = workplace;
    const isChanged = readSealState(paths.directory) === 'sealed';
    if (isChanged) {
      const key = await openDirectoryKey(control.read, await workplace.master());
      if (key === null)
        throw new OperationError('failed', 'control.db has no key for directory.db: restore both from the same backup');
      await convertFile(paths.directory, key, null, onStep);
      await record(workplace, 'directory.unsealed');
    }
    await sweep(workplace);
    await deleteDirectoryKey(control.write);
    await eraseDeleted(control, ['directory_key']);
    return { isSealed: false, isChanged };
  });
}

/** With the locks of everything that opens directory.db. */
async function alone<T>(workplace: Workplace, work: () => Promise<T>): Promise<T> {
  const { paths, settings, control } = workplace;
  if (control.dialect !== 'sqlite')
    throw new OperationError(
      'refused',
      "Dropslot can't seal users and teams on PostgreSQL: encrypt the volume of PostgreSQL",
    );
  return atKeys(workplace, async () => {
    const held: Lock[] = [];
    try {
      for (const [file, user] of [
        [paths.lock, '"dropslot serve"'],
        [paths.directoryLock, 'another command'],
      ] as const) {
        const lock = await takeLock(file, settings.sqliteDriver);
        if (lock === null) throw new OperationError('refused', `${user} uses ${paths.directory}: stop it first`);
        held.push(lock);
      }
      return await work();
    } finally {
      for (const lock of held.reverse()) await lock.release();
    }
  });
}

/** Nothing runs: whatever is in the stages was left by a kill, too. */
async function sweep({ paths }: Workplace): Promise<void> {
  await sweepConversion(paths.directory);
  if (!existsSync(paths.stage)) return;
  for (const name of readdirSync(paths.stage)) await wipe(join(paths.stage, name));
}

async function record({ control, actor, now }: Workplace, action: string): Promise<void> {
  await recordAudit(control.write, { at: now(), org: null, actor, action, subject: 'directory.db', detail: {} });
}

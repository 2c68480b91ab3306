/** One scheduled backup: a folder of its own below `backupTo`, which shares sealed files with the one before; older ones are removed. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readBackupSchedule } from '../../db/control/backupschedule.js';
import { readControlMarks } from '../../db/control/pair.js';
import { OperationError } from '../error.js';
import type { Workplace } from '../workplace.js';
import { type BackupReport, backUp, type Manifest } from './backup.js';
import { description, marker } from './target.js';

export interface FoundBackup {
  /** The name of its folder: its time. */
  name: string;
  folder: string;
  /** null: it is not complete, or no backup of Dropslot. */
  manifest: Manifest | null;
}

export interface ScheduledBackup extends BackupReport {
  /** Folders of older backups that were removed. */
  removedBackups: string[];
}

const timeName = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ$/;

/** @throws OperationError, DatabaseError, KeyError */
export async function makeScheduledBackup(
  workplace: Workplace,
  onProgress: (text: string) => void,
): Promise<ScheduledBackup> {
  const { settings, control, now } = workplace;
  const root = settings.backupTo!;
  await makeRoot(workplace, root);
  const { pairId } = await readControlMarks(control.read);
  const tag = pairId!.slice(0, 8);
  for (const name of await readdir(root))
    if (name.startsWith(`removing-${tag}-`)) await rm(join(root, name), { recursive: true });
  const earlier = (await listOwn(root, pairId!)).at(-1);
  const report = await backUp(workplace, join(root, `in-progress-${tag}`), {
    includeKeys: false,
    pgDump: settings.pgDump,
    earlier: earlier?.folder,
    finalFolder: join(root, new Date(now()).toISOString().slice(0, 19).replaceAll(':', '-').concat('Z')),
    onProgress,
  });
  const removedBackups: string[] = [];
  for (const { name, folder } of findSurplus(await listOwn(root, pairId!), settings.backupKeep)) {
    // A folder that is removed in part is no backup, whatever a kill leaves of it.
    const doomed = join(root, `removing-${tag}-${name}`);
    await rename(folder, doomed);
    await rm(doomed, { recursive: true });
    removedBackups.push(folder);
  }
  return { ...report, removedBackups };
}

/** The backups in a folder of scheduled ones, oldest first, also those of other installations. */
export async function listBackups(root: string): Promise<FoundBackup[]> {
  const names = (await readdir(root)).filter((name) => timeName.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const folder = join(root, name);
      return { name, folder, manifest: await readManifest(folder) };
    }),
  );
}

/** `backup.json` of a complete backup; null: the folder has none, or is not complete. */
export async function readManifest(folder: string): Promise<Manifest | null> {
  if (existsSync(join(folder, marker))) return null;
  try {
    return JSON.parse(await readFile(join(folder, description), 'utf8')) as Manifest;
  } catch {
    return null;
  }
}

async function listOwn(root: string, installation: string): Promise<FoundBackup[]> {
  return (await listBackups(root)).filter(({ manifest }) => manifest?.installation === installation);
}

/** Beyond the newest ones; the newest that has no damage is always kept. */
function findSurplus(backups: readonly FoundBackup[], keep: number): FoundBackup[] {
  const whole = backups.filter(({ manifest }) => manifest!.wrong.length === 0).at(-1);
  return backups.slice(0, -keep).filter((one) => one !== whole);
}

/** Makes the folder before the first backup; later its absence means that its volume is not there. */
async function makeRoot({ control, paths }: Workplace, root: string): Promise<void> {
  if (existsSync(root)) return;
  const { folder } = await readBackupSchedule(control.read);
  if (folder !== null && dirname(folder) === root)
    throw new OperationError('unavailable', `${root} (backupTo) is gone: is its volume mounted?`);
  if (`${root}/`.startsWith(`${paths.data}/`))
    throw new OperationError('usage', `${root} (backupTo) is inside the data folder: name a folder on another volume`);
  try {
    await mkdir(root, { mode: 0o700 });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? `${dirname(root)} does not exist: make it, or mount its volume` : message;
    throw new OperationError('unavailable', `can't make ${root} (backupTo): ${reason}`, { cause });
  }
}

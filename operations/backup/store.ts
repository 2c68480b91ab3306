/** The place of scheduled backups, each in a folder of its own: here a folder of this machine. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { OperationError } from '../error.js';
import { openFolderTarget } from './foldertarget.js';
import { description, type Manifest, marker, type Target } from './target.js';

/** Folders are called by their names in it. */
export interface BackupStore {
  list(): Promise<string[]>;
  /** `backup.json` of a complete backup; null: the folder has none, or is not complete. */
  readManifest(name: string): Promise<Manifest | null>;
  /** A path, or a URL, for messages and records. */
  placeOf(name: string): string;
  /** @param earlier a backup to share files with; null: there is none. @param final the name of the complete backup */
  open(name: string, choice: { earlier: string | null; final: string }): Promise<Target>;
  rename(name: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  close(): void;
}

export interface FoundBackup {
  /** The name of its folder: its time. */
  name: string;
  folder: string;
  /** null: it is not complete, or no backup of Dropslot. */
  manifest: Manifest | null;
}

export const timeName = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ$/;

/**
 * @param data the data folder
 * @param lastFolder of the last scheduled backup; null: there was none
 * @throws OperationError `usage`, `unavailable`
 */
export async function openFolderStore(root: string, data: string, lastFolder: string | null): Promise<BackupStore> {
  await makeRoot(root, data, lastFolder);
  const at = (name: string) => join(root, name);
  return {
    list: () => readdir(root),
    readManifest: (name) => readManifest(at(name)),
    placeOf: at,
    open: (name, { earlier, final }) =>
      openFolderTarget(at(name), data, { final: at(final), ...(earlier !== null && { earlier: at(earlier) }) }),
    rename: (name, to) => rename(at(name), at(to)),
    remove: (name) => rm(at(name), { recursive: true }),
    close: () => {},
  };
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

/** Makes the folder before the first backup; later its absence means that its volume is not there. */
async function makeRoot(root: string, data: string, lastFolder: string | null): Promise<void> {
  if (existsSync(root)) return;
  if (lastFolder !== null && dirname(lastFolder) === root)
    throw new OperationError('unavailable', `${root} (backupTo) is gone: is its volume mounted?`);
  if (`${root}/`.startsWith(`${data}/`))
    throw new OperationError('usage', `${root} (backupTo) is inside the data folder: name a folder on another volume`);
  try {
    await mkdir(root, { mode: 0o700 });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? `${dirname(root)} does not exist: make it, or mount its volume` : message;
    throw new OperationError('unavailable', `can't make ${root} (backupTo): ${reason}`, { cause });
  }
}

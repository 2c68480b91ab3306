/** The folder of a backup: laid out like a data folder; a marker file in it says that the backup is incomplete. */
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { type Paths, pathsOf } from '../../config/paths.js';
import { syncFolder } from '../../keys/file.js';
import { OperationError } from '../error.js';
import { withSchema } from '../format.js';

export interface Target {
  paths: Paths;
  /** Databases are copied here until every file that they refer to is copied. */
  incoming: Paths;
  /** Name of `pg_dump`'s file, in either folder. */
  dump: string;
}

export const marker = 'INCOMPLETE';
const note = `This folder holds no complete backup yet. Run "dropslot backup" again.\n`;
/** Describes the backup and its time; only the folder of a backup has it. */
export const description = 'backup.json';
export const dumpName = 'database.dump';

/**
 * Makes the folder, or opens that of an earlier backup, which is not changed until `publish`.
 * @throws OperationError `refused` for a folder with other files; `usage` for one inside the data folder, or around it
 */
export async function openTarget(folder: string, data: string): Promise<Target> {
  const root = resolve(folder);
  if (isWithin(root, data) || isWithin(data, root))
    throw new OperationError('usage', `${root} contains the data folder ${data}, or is inside it: name another folder`);
  await mkdir(root, { recursive: true, mode: 0o700 });
  const names = await readdir(root);
  if (names.length > 0 && !names.includes(marker) && !names.includes(description))
    throw new OperationError('refused', `${root} is not empty and is not a backup of Dropslot: name another folder`);
  await chmod(root, 0o700);
  if (!names.includes(description)) await writeSynced(join(root, marker), note);
  const incoming = join(root, 'incoming');
  const target = { paths: pathsOf({ data: root }), incoming: pathsOf({ data: incoming }), dump: dumpName };
  await resetIncoming(target);
  await mkdir(target.paths.blobs, { recursive: true, mode: 0o700 });
  return target;
}

/** For another snapshot. */
export async function resetIncoming({ incoming }: Target): Promise<void> {
  await rm(incoming.data, { recursive: true, force: true });
  await mkdir(incoming.data, { mode: 0o700 });
}

/** Replaces the databases of an earlier backup; every file that they refer to is copied. */
export async function publish(
  target: Target,
  manifest: Record<string, unknown>,
  onBegun: () => void = () => {},
): Promise<void> {
  const { paths, incoming, dump } = target;
  await writeSynced(join(paths.data, marker), note);
  for (const [from, to] of [
    [incoming.control, paths.control],
    [incoming.directory, paths.directory],
    [join(incoming.data, dump), join(paths.data, dump)],
  ] as const) {
    // SQLite would apply a write-ahead log of the older copy to the new one.
    for (const side of ['-wal', '-shm']) await rm(`${to}${side}`, { force: true });
    if (!existsSync(from)) continue;
    await chmod(from, 0o600);
    await rename(from, to);
    onBegun();
  }
  await rm(incoming.data, { recursive: true });
  await writeSynced(join(paths.data, description), `${JSON.stringify(withSchema(manifest), null, 2)}\n`);
  await rm(join(paths.data, marker));
  await syncFolder(paths.data);
}

/** Copies a private file where there is one, synced; false: there is none. */
export async function copyPrivate(from: string, to: string): Promise<boolean> {
  if (!existsSync(from)) return false;
  await mkdir(join(to, '..'), { recursive: true, mode: 0o700 });
  const temporary = `${to}.new`;
  await rm(temporary, { force: true });
  await copyFile(from, temporary);
  await chmod(temporary, 0o600);
  await syncFile(temporary);
  await rename(temporary, to);
  await syncFolder(join(to, '..'));
  return true;
}

export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  await writeFile(path, text, { mode: 0o600 });
  await syncFile(path);
  await syncFolder(join(path, '..'));
}

function isWithin(inner: string, outer: string): boolean {
  const way = relative(outer, inner);
  return way === '' || !way.startsWith('..');
}

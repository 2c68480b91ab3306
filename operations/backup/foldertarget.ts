/** A backup in a folder of this machine. It is not changed, where it has an earlier backup, until `publish`. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { pathsOf } from '../../config/paths.js';
import { syncFolder } from '../../keys/file.js';
import { OperationError } from '../error.js';
import { withSchema } from '../format.js';
import { copyBlobs, listSuperfluous } from './copy.js';
import {
  copyPrivate,
  databaseNames,
  description,
  type Manifest,
  marker,
  markerText,
  type PublishStep,
  type Target,
  writeSynced,
} from './target.js';

export interface FolderChoice {
  /** An earlier backup on the same volume, with which this one shares files. */
  earlier?: string | undefined;
  /** The folder gets this path when the backup is complete. */
  final?: string | undefined;
}

/**
 * Makes the folder, or opens that of an earlier backup.
 * @throws OperationError `refused` for a folder with other files; `usage` for one inside the data folder, or around it
 */
export async function openFolderTarget(
  folder: string,
  data: string,
  { earlier, final }: FolderChoice = {},
): Promise<Target> {
  const root = resolve(folder);
  if (isWithin(root, data) || isWithin(data, root))
    throw new OperationError('usage', `${root} contains the data folder ${data}, or is inside it: name another folder`);
  await mkdir(root, { recursive: true, mode: 0o700 });
  const names = await readdir(root);
  if (names.length > 0 && !names.includes(marker) && !names.includes(description))
    throw new OperationError('refused', `${root} is not empty and is not a backup of Dropslot: name another folder`);
  await chmod(root, 0o700);
  if (!names.includes(description)) await writeSynced(join(root, marker), markerText);
  const [paths, incoming] = [pathsOf({ data: root }), pathsOf({ data: join(root, 'incoming') })];
  const reset = async () => {
    await rm(incoming.data, { recursive: true, force: true });
    await mkdir(incoming.data, { mode: 0o700 });
  };
  await reset();
  await mkdir(paths.blobs, { recursive: true, mode: 0o700 });
  const earlierPaths = earlier === undefined ? null : pathsOf({ data: earlier });
  return {
    final: final ?? root,
    incoming,
    reset,
    copyBlobs: (wanted, source) => copyBlobs(wanted, { ...source, to: paths, earlier: earlierPaths }),
    listSuperfluous: (isWanted) => listSuperfluous(isWanted, paths),
    copyPrivate: async (from, name) => {
      await copyPrivate(from, join(root, name));
    },
    removePrivate: (name) => rm(join(root, name), { force: true }),
    publish: async (manifest, superfluous, onStep) => {
      await publish(root, incoming.data, manifest, onStep);
      onStep('published');
      for (const path of superfluous) await rm(path, { force: true });
      if (final === undefined) return;
      await rename(root, final);
      await syncFolder(dirname(final));
    },
  };
}

/** Replaces the databases of an earlier backup; every file that they refer to is copied. */
async function publish(
  root: string,
  incoming: string,
  manifest: Manifest,
  onStep: (step: PublishStep) => void,
): Promise<void> {
  await writeSynced(join(root, marker), markerText);
  for (const name of databaseNames) {
    const [from, to] = [join(incoming, name), join(root, name)];
    // SQLite would apply a write-ahead log of the older copy to the new one.
    for (const side of ['-wal', '-shm']) await rm(`${to}${side}`, { force: true });
    if (!existsSync(from)) continue;
    await chmod(from, 0o600);
    await rename(from, to);
    onStep('begun');
  }
  await rm(incoming, { recursive: true });
  await writeSynced(join(root, description), `${JSON.stringify(withSchema({ ...manifest }), null, 2)}\n`);
  await rm(join(root, marker));
  await syncFolder(root);
}

function isWithin(inner: string, outer: string): boolean {
  const way = relative(outer, inner);
  return way === '' || !way.startsWith('..');
}

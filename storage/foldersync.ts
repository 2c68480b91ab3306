/** Shares the syncs of folders among the uploads that end together: a sync that begins later covers all names before it. */
import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import type { Disk } from './disk.js';

/** Consecutive blobs that get the same subfolder, so that those that end together share its sync. */
const blobsPerSubfolder = 128;

interface Folder {
  running: Promise<void> | null;
  /** Begins when `running` ends; callers until then share it. */
  next: Promise<void> | null;
}

/** The same disk, for one process's uploads. It remembers which folders' own names are on the disk already. */
export function shareSyncs(disk: Disk): Disk {
  const folders = new Map<string, Folder>();
  /** Made, or found, and their names not known to be on the disk; whether that of the folder above is the one left. */
  const unsure = new Map<string, boolean>();
  const sure = new Set<string>();

  const begin = (path: string, folder: Folder): Promise<void> => {
    const below = [...unsure.keys()].filter((name) => dirname(name) === path);
    const deeper = [...unsure].filter(([name, isNext]) => isNext && dirname(dirname(name)) === path);
    folder.running = disk
      .syncFolder(path)
      .then(() => {
        for (const name of below) unsure.set(name, true);
        for (const [name] of deeper) {
          unsure.delete(name);
          sure.add(name);
        }
      })
      .finally(() => {
        folder.running = null;
        if (folder.next === null) folders.delete(path);
      });
    return folder.running;
  };

  return {
    create: (path) => disk.create(path),
    open: (path) => disk.open(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    list: (path) => disk.list(path),
    stat: (path) => disk.stat(path),
    freeBytes: (path) => disk.freeBytes(path),
    ...(disk.writeWhole && { writeWhole: (path, bytes) => disk.writeWhole!(path, bytes) }),
    ...(disk.syncFiles && { syncFiles: (paths) => disk.syncFiles!(paths) }),
    makeFolder: async (path) => {
      await disk.makeFolder(path);
      if (sure.has(path)) return false;
      if (!unsure.has(path)) unsure.set(path, false);
      return true;
    },
    syncFolder: (path) => {
      const folder = folders.get(path) ?? { running: null, next: null };
      folders.set(path, folder);
      if (folder.running === null) return begin(path, folder);
      // Names from before a sync that failed may be lost, though the next sync succeeds: their uploads fail with it.
      folder.next ??= folder.running
        .finally(() => {
          folder.next = null;
        })
        .then(() => begin(path, folder));
      return folder.next;
    },
  };
}

/** Returns a function that picks the subfolder of each new blob: the same one for many in a row. */
export function subfolderPicker(): () => string {
  let subfolder = '';
  let left = 0;
  return () => {
    if (left === 0) {
      subfolder = randomBytes(1).toString('hex');
      left = blobsPerSubfolder;
    }
    left--;
    return subfolder;
  };
}

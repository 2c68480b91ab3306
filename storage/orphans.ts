/** Finds and removes orphans: blobs that no row names, because a process died between the blob's move and its commit. */
import { join } from 'node:path';
import type { Paths } from '../config/paths.js';
import type { Db } from '../db/connection.js';
import { isBlobLive, listLiveBlobs } from '../db/control/blobs.js';
import { hasLostCommits } from '../db/control/pair.js';
import { removeBlob } from './blobs.js';
import { type Disk, systemDisk } from './disk.js';

const pageRows = 1000;

export interface Sweep {
  control: Db;
  paths: Pick<Paths, 'blobs'>;
  /**
   * Reads the blobs of runs that are applied and not settled yet: until then the control database does not know them. Called before
   * the rows are read: a run that is settled meanwhile has its rows.
   */
  readKept: () => Promise<ReadonlySet<string>>;
  /** Milliseconds since 1970: later blobs may belong to a transaction that is about to be committed. */
  before: number;
  disk?: Disk;
  /**
   * Waits for longer than a commit takes; false: nothing may be removed now. The time of a file is the disk's, which may be far from the
   * time of this process (a network share, a clock that was set): so a file that seems old is looked up again after this.
   */
  rest?: () => Promise<boolean>;
}

/** Removes the blobs that no name, no waiting upload and no unsettled run needs; how many. */
export async function sweepOrphans({
  control,
  paths,
  readKept,
  before,
  disk = systemDisk,
  rest,
}: Sweep): Promise<number> {
  // The rows of these blobs may be in the part of the database that was lost, and come back with a backup.
  if (await hasLostCommits(control)) return 0;
  // The files first: one that is published after they were listed is not among them.
  const ids = await listBlobFiles(paths, disk);
  const live = await readLiveIds(control);
  const old: string[] = [];
  for (const { id, path } of ids) {
    if (live.has(id)) continue;
    const file = await disk.stat(path);
    if (file !== null && file.mtimeMs < before) old.push(id);
  }
  if (old.length === 0 || (await rest?.()) === false) return 0;
  const kept = await readKept();
  let removed = 0;
  for (const id of old) {
    if (kept.has(id) || (await isBlobLive(control.read, id))) continue;
    await removeBlob(paths, id, disk);
    removed++;
  }
  return removed;
}

async function listBlobFiles({ blobs }: Pick<Paths, 'blobs'>, disk: Disk): Promise<{ id: string; path: string }[]> {
  const found: { id: string; path: string }[] = [];
  for (const folder of await disk.list(blobs)) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue;
    for (const id of await disk.list(join(blobs, folder))) {
      if (/^[0-9a-f]{32}$/.test(id) && id.startsWith(folder)) found.push({ id, path: join(blobs, folder, id) });
    }
  }
  return found;
}

async function readLiveIds(control: Db): Promise<Set<string>> {
  const live = new Set<string>();
  for (let after: string | null = null; ; ) {
    const page = await listLiveBlobs(control.read, after, pageRows);
    for (const { id } of page) live.add(id);
    if (page.length < pageRows) return live;
    after = page.at(-1)!.id;
  }
}

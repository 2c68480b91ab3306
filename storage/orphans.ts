/** Finds and removes orphans: blobs that no row names, because a process died between the blob's move and its commit. */
import { join } from 'node:path';
import type { Db } from '../db/connection.js';
import { findBlob, isBlobLive, listLiveBlobs } from '../db/control/blobs.js';
import { hasLostCommits } from '../db/control/pair.js';
import { listPartialIds } from '../db/control/partials.js';
import { removeBlob } from './blobs.js';
import { type BlobPaths, type BlobStore, idStarts } from './blobstore.js';
import { type Disk, systemDisk } from './disk.js';
import { claimStore } from './storeclaim.js';

const pageRows = 1000;
/** No upload takes longer: its parts may be aborted. */
const uploadMs = 24 * 60 * 60 * 1000;

export interface Sweep {
  control: Db;
  paths: BlobPaths;
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

/** Removes the blobs that no name, no waiting upload and no unsettled run needs; how many. @throws StoreError as claimStore */
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
  const { store } = paths;
  // With the settings of another installation all of them would be orphans.
  if (store !== undefined) await claimStore(store, control);
  const old: string[] = [];
  // Part by part: in memory a file costs 280 bytes, and a store may have tens of millions.
  for (const start of store === undefined ? await listFolders(paths, disk) : idStarts) {
    // The files first: one that is published after they were listed is not among them.
    const files = store === undefined ? await listBlobFiles(paths, start, disk) : await listStored(store, start);
    const live = await readLiveIds(control, start);
    for (const { id, readTime } of files) {
      if (live.has(id)) continue;
      const mtimeMs = await readTime();
      if (mtimeMs !== null && mtimeMs < before) old.push(id);
    }
  }
  if (store !== undefined) {
    await store.removeProbes(before);
    await abortUnfinished(store, control, before);
  }
  if (old.length === 0 || (await rest?.()) === false) return 0;
  const kept = new Set([...(await readKept()), ...(await readPartialIds(control, store))]);
  let removed = 0;
  for (const id of old) {
    if (kept.has(id) || (await isBlobLive(control.read, id))) continue;
    await removeBlob(paths, id, disk);
    removed++;
  }
  return removed;
}

interface Found {
  id: string;
  /** When it was written, in ms; null: it is gone. */
  readTime: () => Promise<number | null>;
}

async function listStored(store: BlobStore, start: string): Promise<Found[]> {
  const found: Found[] = [];
  for await (const { id, mtimeMs } of store.list(start))
    if (isBlobId(id.slice(0, 2), id)) found.push({ id, readTime: async () => mtimeMs });
  return found;
}

/** Uploads that were cut off are objects of the store too. */
async function readPartialIds(control: Db, store: BlobStore | undefined): Promise<Set<string>> {
  return new Set(store === undefined ? [] : await listPartialIds(control.read));
}

/**
 * Parts that dead processes have sent. Of a blob with a row only uploads without parts, whose first answer was lost: a store that was
 * interrupted while it completed an upload may still list it, and take parts of the object for its own.
 */
async function abortUnfinished(store: BlobStore, control: Db, before: number): Promise<void> {
  const partials = await readPartialIds(control, store);
  for await (const unfinished of store.listUnfinished()) {
    const { id, begunAtMs } = unfinished;
    if (begunAtMs >= before - uploadMs || partials.has(id)) continue;
    const isBlob = (await findBlob(control.read, id)) !== null;
    if (!isBlob || !(await store.hasParts(unfinished))) await store.abortUnfinished(unfinished);
  }
}

function isBlobId(folder: string, id: string): boolean {
  return /^[0-9a-f]{32}$/.test(id) && id.startsWith(folder);
}

async function listFolders({ blobs }: BlobPaths, disk: Disk): Promise<string[]> {
  return (await disk.list(blobs)).filter((folder) => /^[0-9a-f]{2}$/.test(folder));
}

async function listBlobFiles({ blobs }: BlobPaths, folder: string, disk: Disk): Promise<Found[]> {
  const ids = (await disk.list(join(blobs, folder))).filter((id) => isBlobId(folder, id));
  return ids.map((id) => ({
    id,
    readTime: async () => (await disk.stat(join(blobs, folder, id)))?.mtimeMs ?? null,
  }));
}

/** Those that begin with `start`. */
async function readLiveIds(control: Db, start: string): Promise<Set<string>> {
  const live = new Set<string>();
  for (let after = start; ; ) {
    const page = await listLiveBlobs(control.read, after, pageRows);
    for (const { id } of page) if (id.startsWith(start)) live.add(id);
    const last = page.at(-1)?.id;
    if (page.length < pageRows || !last!.startsWith(start)) return live;
    after = last!;
  }
}

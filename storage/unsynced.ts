/**
 * Small files that are durable before their own bytes are synced. At the CLOSE of one, its sealed bytes are written to its blob and are
 * a row of the transaction that publishes it: the sync of that transaction makes both last. The blob is synced later, with many others,
 * and then the row is deleted. After a power cut the rows give back the blobs that the disk has lost.
 */
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Logger } from '../config/logger.js';
import type { Paths } from '../config/paths.js';
import type { Db, Queryable } from '../db/connection.js';
import { isBlobLive } from '../db/control/blobs.js';
import { deleteUnsynced, listUnsynced, lockUnsynced, type UnsyncedRow } from '../db/control/unsyncedblobs.js';
import { measureHeader } from './age.js';
import { blobPath } from './blobs.js';
import type { BlobStore, StorePaths } from './blobstore.js';
import { writeAll } from './destination.js';
import { type Disk, systemDisk } from './disk.js';
import { shareSyncs } from './foldersync.js';

/** Sealed bytes of the largest file that is kept in a row. */
export const mostUnsyncedBytes = 32 * 1024;
/** Of all rows of a process, and as many again as uploads are open. With more of them each file is synced at its CLOSE. */
const mostFiles = 2048;
const mostBytes = 16 * 1024 * 1024;
/** Files are synced when no CLOSE came for this long, */
const quietMs = 500;
/** but not later than this, if the disk allows it. */
const latestMs = 5_000;
/** Files of one transaction. */
const batchFiles = 256;
/** Files that are synced side by side. */
const lanes = 2;
const retryMs = 10_000;

export interface UnsyncedPlace {
  control: Pick<Db, 'read'>;
  /** Runs `work` in a durable transaction. */
  commit(work: (tx: Queryable) => Promise<void>): Promise<void>;
  paths: Pick<Paths, 'blobs' | 'partials'> & StorePaths;
  disk: Disk;
}

/** One for a whole server: the small files that it has published, and not synced yet. */
export class UnsyncedBlobs {
  readonly #place: UnsyncedPlace;
  readonly #logger: Pick<Logger, 'warn'>;
  /** Names the start of the machine. */
  readonly boot: string;
  /** Sealed bytes by the ids of blobs. */
  readonly #noted = new Map<string, number>();
  /** Ids of blobs of which a sync has failed: the next one may succeed although their bytes or names are lost. */
  readonly #failed = new Set<string>();
  #bytes = 0;
  #timer: NodeJS.Timeout | null = null;
  #oldestAt = 0;
  #syncing: Promise<void> | null = null;
  #hasEnded = false;

  constructor(place: UnsyncedPlace, boot: string, logger: Pick<Logger, 'warn'>) {
    this.#place = place;
    this.boot = boot;
    this.#logger = logger;
  }

  /** Sealed bytes of the largest file that may be published without a sync now; 0: each must be synced. */
  get mostBytes(): number {
    if (this.#hasEnded || this.#noted.size >= mostFiles || this.#bytes >= mostBytes) return 0;
    return mostUnsyncedBytes;
  }

  /** The transaction of its row has ended, in any way. */
  note(id: string, bytes: number): void {
    if (this.#noted.size === 0) this.#oldestAt = performance.now();
    this.#noted.set(id, bytes);
    this.#bytes += bytes;
    const isHalfFull = this.#noted.size > mostFiles / 2 || this.#bytes > mostBytes / 2;
    if (isHalfFull) void this.#syncSoon();
    else if (this.#timer === null || performance.now() - this.#oldestAt < latestMs - quietMs) this.#wait(quietMs);
  }

  /** Syncs all files; those of later uploads are synced at their CLOSE. */
  async close(): Promise<void> {
    this.#hasEnded = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#syncing;
    await this.#syncSoon();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#syncSoon(), ms).unref();
  }

  #syncSoon(): Promise<void> {
    this.#syncing ??= this.#syncAll()
      .catch((cause) => {
        const message =
          'could not sync the blobs of small files; their bytes stay in the database, and will be synced later';
        this.#logger.warn(message, { cause: String(cause) });
        this.#wait(retryMs);
      })
      .finally(() => {
        this.#syncing = null;
      });
    return this.#syncing;
  }

  async #syncAll(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#noted.size > 0) {
      const batch = [...this.#noted].slice(0, batchFiles);
      await syncBlobs(
        this.#place,
        batch.map(([id]) => id),
        this.#failed,
      );
      for (const [id, bytes] of batch) {
        this.#noted.delete(id);
        this.#bytes -= bytes;
      }
    }
  }
}

/** That of the real disk, with transactions of its own. */
export function unsyncedPlaceOf(control: Db, paths: UnsyncedPlace['paths']): UnsyncedPlace {
  return { control, commit: (work) => control.transact(work), paths, disk: shareSyncs(systemDisk) };
}

/**
 * Gives back the blobs that a power cut took, syncs all that rows have, and deletes the rows; returns how many the disk had lost. While
 * no server runs, or beside one that does: a whole blob is only synced.
 * @param mayHaveFailed whole ones are written anew, too: in another process, which may have been killed, a sync of one may have failed.
 *   What is read of it is then in memory alone, and its next sync succeeds. Not needed where the machine has started again since
 */
export async function recoverUnsynced(place: UnsyncedPlace, mayHaveFailed = false): Promise<number> {
  let written = 0;
  for (let afterId = ''; ; ) {
    const rows = await listUnsynced(place.control.read, { afterId, limit: batchFiles });
    if (rows.length === 0) return written;
    const failed = new Set(mayHaveFailed ? rows.map(({ id }) => id) : []);
    written += await settle(place, rows, { failed });
    afterId = rows.at(-1)!.id;
  }
}

/** Makes these blobs last, and deletes their rows: from then on no other process writes their files from what it has read before. */
export async function settleUnsynced(place: UnsyncedPlace, ids: readonly string[]): Promise<void> {
  const rows = await listUnsynced(place.control.read, { limit: ids.length, ids });
  if (rows.length > 0) await settle(place, rows, { failed: new Set(ids) });
}

/**
 * Of blobs that this process has written: only one that is missing, or can't be synced, is compared with its row.
 * @param failed gets the ids of these until they last: after an error they are written anew, not synced again
 */
async function syncBlobs(place: UnsyncedPlace, ids: readonly string[], failed: Set<string>): Promise<void> {
  for (const id of await syncFiles(
    place,
    ids.filter((one) => !failed.has(one)),
  ))
    failed.add(id);
  const rows = await listUnsynced(place.control.read, { limit: batchFiles, ids: ids.filter((id) => failed.has(id)) });
  await settle(place, rows, { ids, failed });
  for (const id of ids) failed.delete(id);
}

/** Returns the ids of those that are not there, or of which the sync failed. */
async function syncFiles({ disk, paths }: UnsyncedPlace, ids: readonly string[]): Promise<string[]> {
  const pathOf = (id: string) => blobPath(paths, id);
  const together = (await disk.syncFiles?.(ids.map(pathOf))) ?? null;
  if (together !== null) return ids.filter((id) => together.includes(pathOf(id)));
  const failed: string[] = [];
  await inLanes(ids, async (id) => {
    if (!(await syncFile(disk, pathOf(id)))) failed.push(id);
  });
  return failed;
}

/** false: it is not there, or a sync failed, after which the system may have dropped the bytes. */
async function syncFile(disk: Disk, path: string): Promise<boolean> {
  const file = await disk.open(path).catch(() => null);
  if (file === null) return false;
  return file
    .sync()
    .then(
      () => true,
      () => false,
    )
    .finally(() => file.close());
}

/**
 * Makes the blobs of the rows last, and those of `ids`, which are synced; then deletes their rows. Returns how many were
 * not whole. Writes whole ones anew, too, that are among `failed`, to which it adds those whose names could not be synced.
 */
async function settle(
  place: UnsyncedPlace,
  rows: readonly UnsyncedRow[],
  { ids = [], failed = new Set() }: { ids?: readonly string[]; failed?: Set<string> } = {},
): Promise<number> {
  let written = 0;
  const { store } = place.paths;
  if (store === undefined)
    await inLanes(rows, async (row) => {
      if (await settleFile(place, row, failed.has(row.id))) written++;
    });
  // The files were moved there, or the rows came with a database that was copied.
  else for (const row of rows) if (await settleStored(place, store, row)) written++;
  const all = [...new Set([...ids, ...rows.map(({ id }) => id)])];
  if (store === undefined) await syncFolders(place, all, failed);
  if (all.length > 0) await place.commit((tx) => deleteUnsynced(tx, all));
  return written;
}

/** true: the file was not whole. @param hasFailed a sync of it has, or may have: what is read of it may be in memory alone */
async function settleFile(
  { commit, paths, disk }: UnsyncedPlace,
  { id, bytes }: UnsyncedRow,
  hasFailed: boolean,
): Promise<boolean> {
  const path = blobPath(paths, id);
  const isWhole = (await readIfWhole(disk, path, bytes)) !== null;
  if (isWhole && !hasFailed && (await syncFile(disk, path))) return false;
  let isLost = false;
  // A rotation of the identity deletes the row before it gives the file a new header: an older file never takes the place of that one.
  await commit(async (tx) => {
    isLost = false;
    // Without a name it was removed, and its row was left.
    if (!(await lockUnsynced(tx, id)) || !(await isBlobLive(tx, id))) return;
    const whole = await readIfWhole(disk, path, bytes);
    await disk.makeFolder(dirname(path));
    await withTemporary({ paths, disk }, whole ?? bytes, (temporary) => disk.rename(temporary, path));
    isLost = whole === null;
  });
  return isLost;
}

/** true: it added the file to the store, which lacked it. */
async function settleStored(place: UnsyncedPlace, store: BlobStore, { id, bytes }: UnsyncedRow): Promise<boolean> {
  if ((await store.stat(id)) !== null || !(await isBlobLive(place.control.read, id))) return false;
  await withTemporary(place, bytes, (temporary) => store.add(id, temporary, true));
  return true;
}

/**
 * Gives a synced file of these bytes to `use`, and removes it if it is still there. It is among the partials, where the next start removes
 * it, should this one be killed, and of this call alone: a command may recover beside a server that starts.
 */
async function withTemporary(
  { paths, disk }: Pick<UnsyncedPlace, 'paths' | 'disk'>,
  bytes: Buffer,
  use: (path: string) => Promise<void>,
): Promise<void> {
  await disk.makeFolder(paths.partials);
  const temporary = join(paths.partials, randomBytes(16).toString('hex'));
  try {
    const file = await disk.create(temporary);
    try {
      await writeAll(file, bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await use(temporary);
  } finally {
    await disk.remove(temporary);
  }
}

/** The bytes of the row, or those with the header that a rotation of the identity has given them since; null: neither. */
async function readIfWhole(disk: Disk, path: string, bytes: Buffer): Promise<Buffer | null> {
  const found = await readWhole(disk, path);
  if (found === null || found.equals(bytes)) return found;
  const [before, after] = [measureHeader(bytes), measureHeader(found)];
  const isSame = before !== null && after !== null && found.subarray(after).equals(bytes.subarray(before));
  return isSame ? found : null;
}

/** null: there is no such file, it can't be read, or it is longer than the file of a row, whatever its header. */
async function readWhole(disk: Disk, path: string): Promise<Buffer | null> {
  const file = await disk.open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'EIO') return null;
    throw error;
  });
  if (file === null) return null;
  try {
    const { size } = await file.stat();
    if (size > 4 * mostUnsyncedBytes) return null;
    const bytes = Buffer.alloc(size);
    for (let filled = 0; filled < size; ) {
      const { bytesRead } = await file.read(bytes, filled, size - filled, filled);
      if (bytesRead === 0) return null;
      filled += bytesRead;
    }
    return bytes;
  } catch (error) {
    // A sector that the power cut has torn.
    if ((error as NodeJS.ErrnoException).code === 'EIO') return null;
    throw error;
  } finally {
    await file.close();
  }
}

/**
 * The names of the blobs last once their folders are synced; a new folder once the ones above are, up to the data folder.
 * @param failed gets those whose names may be lost, after an error
 */
async function syncFolders({ paths, disk }: UnsyncedPlace, ids: readonly string[], failed: Set<string>): Promise<void> {
  let isUnsure = false;
  try {
    for (const folder of new Set(ids.map((id) => dirname(blobPath(paths, id))))) {
      isUnsure = (await disk.makeFolder(folder)) || isUnsure;
      await disk.syncFolder(folder);
    }
    if (!isUnsure) return;
    await disk.syncFolder(paths.blobs);
    await disk.syncFolder(dirname(paths.blobs));
  } catch (error) {
    for (const id of ids) failed.add(id);
    throw error;
  }
}

async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]();
  const lane = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

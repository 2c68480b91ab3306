/** Copies the sealed files that a snapshot of the databases refers to, each once, and opens each copy to its end. */
import { constants } from 'node:fs';
import { copyFile, link, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Paths } from '../../config/paths.js';
import type { Queryable } from '../../db/connection.js';
import { type BlobRow, isBlobLive, listLiveBlobs } from '../../db/control/blobs.js';
import { syncFolder } from '../../keys/file.js';
import { blobPath } from '../../storage/blobs.js';
import type { BlobPaths, BlobStore } from '../../storage/blobstore.js';
import { verifySeal } from '../doctor/seals.js';
import { syncFile } from './target.js';

/** Files that are copied side by side: a sync waits for the disk, not for the processor. */
const lanes = 4;
const pageSize = 1000;
/** Of an object that is copied from a store, with one request. */
const downloadBytes = 4 * 1024 * 1024;
/** File systems keep times to two seconds at the worst. */
const sameTimeMs = 2000;

export interface FileState {
  size: number;
  mtimeMs: number;
}

export type Wanted = Pick<BlobRow, 'id' | 'org' | 'size' | 'sha256' | 'sealedSize'>;

export interface Copied {
  files: number;
  sealedBytes: number;
  /** Of these, copied now; an earlier backup copied the others. */
  newFiles: number;
  newBytes: number;
  /** Ids whose files are gone. */
  gone: Wanted[];
  damaged: { blob: Wanted; fault: string }[];
}

export interface CopyJob {
  from: BlobPaths;
  to: Pick<Paths, 'blobs'>;
  /** An earlier backup on the same volume: files that it has are linked, not copied, and take no space again. null: there is none. */
  earlier: Pick<Paths, 'blobs'> | null;
  /** The organization's identities; null: there is no key for them here, and only sizes are compared. */
  identityOf: (org: string) => Promise<string | null>;
  onProgress: (copied: Copied) => void;
}

export async function copyBlobs(wanted: AsyncIterable<Wanted>, job: CopyJob): Promise<Copied> {
  const copied: Copied = { files: 0, sealedBytes: 0, newFiles: 0, newBytes: 0, gone: [], damaged: [] };
  const touched = new Set<string>();
  const source = wanted[Symbol.asyncIterator]();
  const work = async () => {
    for (let next = await source.next(); next.done !== true; next = await source.next()) {
      await copyBlob(next.value, job, copied, touched);
      job.onProgress(copied);
    }
  };
  await Promise.all(Array.from({ length: lanes }, work));
  for (const folder of touched) await syncFolder(folder);
  await syncFolder(job.to.blobs);
  return copied;
}

/** The blobs of `more`, then every blob that the snapshot refers to. */
export async function* listWanted(control: Queryable, more: readonly Wanted[]): AsyncGenerator<Wanted> {
  yield* more;
  for (let after: string | null = null; ; ) {
    const page: BlobRow[] = await listLiveBlobs(control, after, pageSize);
    yield* page;
    if (page.length < pageSize) return;
    after = page.at(-1)!.id;
  }
}

/** Files of an earlier backup that the snapshot does not refer to. */
export async function listSuperfluous(
  control: Queryable,
  more: readonly Wanted[],
  { blobs }: Pick<Paths, 'blobs'>,
): Promise<string[]> {
  const kept = new Set(more.map(({ id }) => id));
  const found: string[] = [];
  for (const folder of await readdir(blobs)) {
    for (const id of await readdir(join(blobs, folder)))
      if (!kept.has(id) && !(await isBlobLive(control, id))) found.push(join(blobs, folder, id));
  }
  return found;
}

async function copyBlob(blob: Wanted, job: CopyJob, copied: Copied, touched: Set<string>): Promise<void> {
  const [from, to] = [blobPath(job.from, blob.id), blobPath(job.to, blob.id)];
  const { store } = job.from;
  const source = await (store === undefined ? look(from) : store.stat(blob.id));
  if (source === null) {
    copied.gone.push(blob);
    return;
  }
  copied.files++;
  copied.sealedBytes += source.size;
  if (isSame(await look(to), source)) return;
  const temporary = `${to}.new`;
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  await rm(temporary, { force: true });
  if (job.earlier !== null && (await linkEarlier(blobPath(job.earlier, blob.id), temporary, source))) {
    await rename(temporary, to);
    touched.add(dirname(to));
    return;
  }
  try {
    if (store === undefined) await copyFile(from, temporary, constants.COPYFILE_FICLONE);
    else await download(store, blob.id, temporary);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    copied.files--;
    copied.sealedBytes -= source.size;
    copied.gone.push(blob);
    return;
  }
  const at = new Date(source.mtimeMs);
  await utimes(temporary, at, new Date(source.mtimeMs + 2 * sameTimeMs));
  await syncFile(temporary);
  await rename(temporary, to);
  touched.add(dirname(to));
  copied.newFiles++;
  copied.newBytes += source.size;
  const identity = await job.identityOf(blob.org);
  const fault = identity === null ? compareSize(blob, source.size) : await verifySeal(job.to, blob, identity);
  // Only a copy without a fault gets the time of its source: the next backup copies and opens any other one again.
  if (fault === null) await utimes(to, at, at);
  else copied.damaged.push({ blob, fault });
}

async function download(store: BlobStore, id: string, path: string): Promise<void> {
  const source = await store.open(id);
  try {
    const target = await open(path, 'wx', 0o600);
    try {
      const memory = Buffer.allocUnsafe(downloadBytes);
      for (let at = 0; ; ) {
        const { bytesRead } = await source.read(memory, 0, memory.length, at);
        if (bytesRead === 0) return;
        await target.writeFile(memory.subarray(0, bytesRead));
        at += bytesRead;
      }
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

function compareSize({ sealedSize }: Wanted, found: number): string | null {
  return found === sealedSize ? null : `it has ${found} bytes instead of ${sealedSize}`;
}

/** Sealed files never change under their names, but by a rotation, which writes a new one. */
export function isSame(existing: FileState | null, source: FileState): boolean {
  return existing?.size === source.size && Math.abs(existing.mtimeMs - source.mtimeMs) < sameTimeMs;
}

/** false: the earlier backup does not have this file, or the file system has no links. */
async function linkEarlier(earlier: string, to: string, source: FileState): Promise<boolean> {
  if (!isSame(await look(earlier), source)) return false;
  return link(earlier, to).then(
    () => true,
    () => false,
  );
}

/** null: no such file. */
export async function look(path: string): Promise<FileState | null> {
  return stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

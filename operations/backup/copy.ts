/** Copies the sealed files that a snapshot of the databases refers to, each once, and opens each copy to its end. */
import { constants, createReadStream } from 'node:fs';
import { copyFile, link, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Paths } from '../../config/paths.js';
import type { Queryable } from '../../db/connection.js';
import { type BlobRow, listLiveBlobs } from '../../db/control/blobs.js';
import { syncFolder } from '../../keys/file.js';
import { blobPath } from '../../storage/blobs.js';
import type { BlobPaths } from '../../storage/blobstore.js';
import { verifySeal } from '../doctor/seals.js';
import { type BlobSource, type Copied, syncFile, type Wanted } from './target.js';

/** Files that are copied side by side: a sync waits for the disk, not for the processor. */
const lanes = 4;
const pageSize = 1000;
/** Of an object that is copied from a store, with one request. */
const downloadBytes = 4 * 1024 * 1024;
/** File systems keep times to two seconds at the worst. */
export const sameTimeMs = 2000;

export interface FileState {
  size: number;
  mtimeMs: number;
}

export interface CopyJob extends BlobSource {
  to: Pick<Paths, 'blobs'>;
  /** An earlier backup on the same volume: files that it has are linked, not copied, and take no space again. null: there is none. */
  earlier: Pick<Paths, 'blobs'> | null;
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

/** Files of an earlier backup that are not wanted now. */
export async function listSuperfluous(
  isWanted: (id: string) => Promise<boolean>,
  { blobs }: Pick<Paths, 'blobs'>,
): Promise<string[]> {
  const found: string[] = [];
  for (const folder of await readdir(blobs)) {
    for (const id of await readdir(join(blobs, folder))) if (!(await isWanted(id))) found.push(join(blobs, folder, id));
  }
  return found;
}

async function copyBlob(blob: Wanted, job: CopyJob, copied: Copied, touched: Set<string>): Promise<void> {
  const [from, to] = [blobPath(job.from, blob.id), blobPath(job.to, blob.id)];
  const { store } = job.from;
  const source = await lookAtBlob(job.from, blob.id);
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
    else await download(job.from, blob.id, temporary);
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
  const fault = await findFault(blob, job.to, job, source.size);
  // Only a copy without a fault gets the time of its source: the next backup copies and opens any other one again.
  if (fault === null) await utimes(to, at, at);
  else copied.damaged.push({ blob, fault });
}

/** null: there is no such file, or no such object. */
export function lookAtBlob(from: BlobPaths, id: string): Promise<FileState | null> {
  return from.store === undefined ? look(blobPath(from, id)) : from.store.stat(id);
}

/** The sealed bytes of a blob, piece by piece. */
export async function* readBlob(from: BlobPaths, id: string, pieceBytes: number): AsyncGenerator<Buffer> {
  if (from.store === undefined) {
    yield* createReadStream(blobPath(from, id), { highWaterMark: pieceBytes });
    return;
  }
  const source = await from.store.open(id);
  try {
    for (let at = 0; ; ) {
      const piece = Buffer.allocUnsafe(pieceBytes);
      const { bytesRead } = await source.read(piece, 0, pieceBytes, at);
      if (bytesRead === 0) return;
      yield piece.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    await source.close();
  }
}

/** Opens the file in `where` to its end; without a key for it, compares its size. null: it has no fault. */
export async function findFault(
  blob: Wanted,
  where: BlobPaths,
  { identityOf }: Pick<BlobSource, 'identityOf'>,
  size: number,
): Promise<string | null> {
  const identity = await identityOf(blob.org);
  return identity === null ? compareSize(blob, size) : verifySeal(where, blob, identity);
}

async function download(from: BlobPaths, id: string, path: string): Promise<void> {
  const target = await open(path, 'wx', 0o600);
  try {
    for await (const piece of readBlob(from, id, downloadBytes)) await target.writeFile(piece);
  } finally {
    await target.close();
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

/** Copies sealed files from one place to another, and proves that each copy has the bytes of its original. */
import { dirname } from 'node:path';
import type { Paths } from '../../config/paths.js';
import { blobPath } from '../../storage/blobs.js';
import type { BlobPaths } from '../../storage/blobstore.js';
import { type DiskFile, systemDisk } from '../../storage/disk.js';
import { OperationError } from '../error.js';

export interface BlobSides {
  from: BlobPaths;
  to: BlobPaths;
}

export type Copied = 'copied' | 'there' | 'missing';

const pieceBytes = 1024 * 1024;
/** Removed by the sweep of rotations if a copy was killed. */
const suffix = '.new';

/**
 * Nothing takes the place of an original. `there`: the other place had an equal file already. `missing`: the original is gone.
 * @param isNew the other place has none of the id
 * @throws OperationError `failed` when the copy differs; the errors of the disk and StoreError
 */
export async function copyBlob(sides: BlobSides, id: string, isNew: boolean): Promise<Copied> {
  const original = await openIfThere(sides.from, id);
  if (original === null) return 'missing';
  try {
    const { size } = await original.stat();
    if (!isNew && (await isSame(sides.to, id, original, size))) return 'there';
    await write(sides, id, original, isNew);
    if (await isSame(sides.to, id, original, size)) return 'copied';
  } finally {
    await original.close();
  }
  throw new OperationError('failed', `the copy of the sealed file ${id} differs from it: repeat the move`);
}

/** The sizes of the files of a place by their ids, in sealed bytes. */
export async function listSizes(paths: BlobPaths): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  if (paths.store !== undefined) {
    for await (const { id, size } of paths.store.list()) sizes.set(id, size);
    return sizes;
  }
  for (const folder of await systemDisk.list(paths.blobs)) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue;
    for (const id of await systemDisk.list(`${paths.blobs}/${folder}`)) {
      const found = await systemDisk.stat(blobPath(paths, id));
      if (found !== null) sizes.set(id, found.size);
    }
  }
  return sizes;
}

async function openIfThere(paths: BlobPaths, id: string): Promise<DiskFile | null> {
  const opening = paths.store === undefined ? systemDisk.open(blobPath(paths, id)) : paths.store.open(id);
  return opening.catch((error) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return null;
  });
}

async function isSame(paths: BlobPaths, id: string, original: DiskFile, size: number): Promise<boolean> {
  const copy = await openIfThere(paths, id);
  if (copy === null) return false;
  try {
    if ((await copy.stat()).size !== size) return false;
    for (let at = 0; at < size; at += pieceBytes) {
      const length = Math.min(pieceBytes, size - at);
      if (!(await readPiece(original, at, length)).equals(await readPiece(copy, at, length))) return false;
    }
    return true;
  } finally {
    await copy.close();
  }
}

async function write({ from, to }: BlobSides, id: string, original: DiskFile, isNew: boolean): Promise<void> {
  if (to.store !== undefined) await to.store.add(id, blobPath(from, id), isNew);
  else await writeFolder(to, id, original);
}

async function writeFolder(to: Pick<Paths, 'blobs'>, id: string, original: DiskFile): Promise<void> {
  const path = blobPath(to, id);
  const folder = dirname(path);
  const temporary = `${path}${suffix}`;
  await systemDisk.makeFolder(folder);
  await systemDisk.remove(temporary);
  const file = await systemDisk.create(temporary);
  try {
    const { size } = await original.stat();
    for (let at = 0; at < size; at += pieceBytes) {
      let piece = await readPiece(original, at, Math.min(pieceBytes, size - at));
      while (piece.length > 0) piece = piece.subarray((await file.writev([piece])).bytesWritten);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await systemDisk.rename(temporary, path);
  for (const changed of [folder, to.blobs, dirname(to.blobs)]) await systemDisk.syncFolder(changed);
}

async function readPiece(file: DiskFile, position: number, length: number): Promise<Buffer> {
  const piece = Buffer.allocUnsafe(length);
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await file.read(piece, filled, length - filled, position + filled);
    if (bytesRead === 0) return piece.subarray(0, filled);
    filled += bytesRead;
  }
  return piece;
}

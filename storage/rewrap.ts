/** Puts a new header before a sealed file's payload, so that another identity opens it; the payload is not changed. */
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { measureHeader, openHeader, rewrapHeader } from './age.js';
import { blobPath, openBlob, openSealed } from './blobs.js';
import type { BlobPaths, BlobStore } from './blobstore.js';
import { plainSizeOf, SealError } from './chunk.js';
import { type Disk, type DiskFile, systemDisk } from './disk.js';
import { BlobReader, scanHeader } from './sealedreader.js';
import { SpaceError } from './types.js';

const suffix = '.rewrap';
const copyBytes = 1024 * 1024;

export interface RewrapKeys {
  /** The identities that may open the file now, one a line. */
  identities: string;
  /** The one that is to open it, and its recipient. */
  identity: string;
  recipient: string;
}

/** Steps that a crash can separate: the new file complete on the disk, and moved over the old one. */
export type RewrapStep = 'written' | 'moved';

export type RewrapResult =
  /** The new identity opens it; `isNew` false: it did before. */
  { kind: 'sealed'; sealedSize: number; isNew: boolean } | { kind: 'missing' } | { kind: 'damaged'; reason: string };

export interface RewrapOptions {
  disk?: Disk;
  onStep?: (step: RewrapStep) => void | Promise<void>;
}

/**
 * Writes the file anew beside the old one, proves it, and puts it in its place; who has the old one open reads on.
 * @throws SpaceError `failed` when the disk fails: the file is the old one or the new one, whole
 */
export async function rewrapBlob(
  paths: BlobPaths,
  id: string,
  keys: RewrapKeys,
  { disk = systemDisk, onStep = () => {} }: RewrapOptions = {},
): Promise<RewrapResult> {
  if (paths.store !== undefined) return rewrapStored(paths, paths.store, id, keys, onStep);
  const path = blobPath(paths, id);
  let file: DiskFile | null = null;
  try {
    file = await disk.open(path);
    const { size } = await file.stat();
    if (await isOpenedBy(file, keys.identity)) return { kind: 'sealed', sealedSize: size, isNew: false };
    const header = await scanHeader(file, (start) => rewrapHeader(start, keys.identities, keys.recipient));
    const temporary = `${path}.${randomBytes(6).toString('hex')}${suffix}`;
    try {
      await writeRewrapped(disk, temporary, file, header);
      await verifyRewrapped(disk, id, temporary, file, header, keys.identity);
      await onStep('written');
      await disk.rename(temporary, path);
    } catch (error) {
      await disk.remove(temporary);
      throw error;
    }
    await disk.syncFolder(dirname(path));
    await onStep('moved');
    return { kind: 'sealed', sealedSize: size - header.old.length + header.bytes.length, isNew: true };
  } catch (cause) {
    return explain(id, cause as Error);
  } finally {
    await file?.close();
  }
}

/**
 * As rewrapBlob: the store copies the payload by itself, so that the header alone is proven before it takes its place, and the end
 * of the payload after that.
 */
async function rewrapStored(
  paths: BlobPaths,
  store: BlobStore,
  id: string,
  keys: RewrapKeys,
  onStep: NonNullable<RewrapOptions['onStep']>,
): Promise<RewrapResult> {
  let file: DiskFile | null = null;
  try {
    file = await store.open(id);
    const { size } = await file.stat();
    if (await isOpenedBy(file, keys.identity)) return { kind: 'sealed', sealedSize: size, isNew: false };
    const header = await scanHeader(file, (start) => rewrapHeader(start, keys.identities, keys.recipient));
    if ((await openHeader(header.bytes, keys.identity)) === null) throw new Error('the new header does not open');
    await onStep('written');
    await store.replaceHeader(id, header.old, header.bytes);
    await (await openBlob(paths, id, keys.identity)).close();
    await onStep('moved');
    return { kind: 'sealed', sealedSize: size - header.old.length + header.bytes.length, isNew: true };
  } catch (cause) {
    return explain(id, cause as Error);
  } finally {
    await file?.close();
  }
}

/** Whether an identity opens the header of a sealed file, whole or still being written. @throws SealError, errors of node:fs */
export async function isFileOpenedBy(path: string, identity: string, disk: Disk = systemDisk): Promise<boolean> {
  const file = await disk.open(path);
  try {
    return await isOpenedBy(file, identity);
  } finally {
    await file.close();
  }
}

/**
 * Whether a file has the length of so many bytes of plaintext under its present header: between a rewrap and its
 * record the file is right, and the size in its row is not.
 */
export async function fitsPlainSize(
  paths: BlobPaths,
  id: string,
  size: number,
  disk: Disk = systemDisk,
): Promise<boolean> {
  const file = await openSealed(paths, id, disk);
  try {
    const start = await scanHeader(file, async (bytes) => measureHeader(bytes));
    return plainSizeOf((await file.stat()).size - start) === size;
  } catch (error) {
    if (error instanceof SealError) return false;
    throw error;
  } finally {
    await file.close();
  }
}

/** Removes the temporary files of killed rotations, and returns how many; no rotation may be running. */
export async function sweepRewraps({ blobs }: Pick<BlobPaths, 'blobs'>, disk: Disk = systemDisk): Promise<number> {
  let removed = 0;
  for (const folder of await disk.list(blobs)) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue;
    for (const name of await disk.list(join(blobs, folder))) {
      if (!name.endsWith(suffix)) continue;
      await disk.remove(join(blobs, folder, name));
      removed++;
    }
  }
  return removed;
}

interface Replacement {
  old: Buffer;
  bytes: Buffer;
}

function isOpenedBy(file: DiskFile, identity: string): Promise<boolean> {
  return scanHeader(file, async (start) => {
    if (measureHeader(start) === null) return null;
    return openHeader(start, identity).then(
      () => true,
      () => false,
    );
  });
}

async function writeRewrapped(disk: Disk, path: string, from: DiskFile, header: Replacement): Promise<void> {
  const to = await disk.create(path);
  try {
    await append(to, header.bytes);
    for await (const bytes of readFrom(from, header.old.length)) await append(to, bytes);
    await to.sync();
  } finally {
    await to.close();
  }
}

/** Nothing takes the place of a file unless the new identity alone opens it, and its payload is the same. */
async function verifyRewrapped(
  disk: Disk,
  id: string,
  path: string,
  from: DiskFile,
  header: Replacement,
  identity: string,
): Promise<void> {
  const reader = await BlobReader.open(id, await disk.open(path), identity);
  await reader.close();
  const written = await disk.open(path);
  try {
    const copies = readFrom(written, header.bytes.length);
    for await (const bytes of readFrom(from, header.old.length)) {
      const copy = (await copies.next()).value;
      if (copy === undefined || !bytes.equals(copy)) throw new Error('the copy differs from the original');
    }
  } finally {
    await written.close();
  }
}

async function append(file: DiskFile, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length; )
    written += (await file.writev([bytes.subarray(written)])).bytesWritten;
}

/** Pieces of the same sizes for every file with the same rest. */
async function* readFrom(file: DiskFile, position: number): AsyncGenerator<Buffer, undefined> {
  for (let at = position; ; ) {
    const bytes = Buffer.allocUnsafe(copyBytes);
    let filled = 0;
    for (let count = 1; count > 0 && filled < copyBytes; filled += count)
      count = (await file.read(bytes, filled, copyBytes - filled, at + filled)).bytesRead;
    if (filled === 0) return;
    yield bytes.subarray(0, filled);
    at += filled;
  }
}

/** Damage of the file is a result; a failure of the disk is thrown. */
function explain(id: string, cause: Error): RewrapResult {
  if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'missing' };
  if (cause instanceof SealError || (cause instanceof SpaceError && cause.code === 'damaged'))
    return { kind: 'damaged', reason: cause.message };
  throw new SpaceError('failed', `blob ${id} can't be rewrapped: ${cause.message}`, { cause });
}

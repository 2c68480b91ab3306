/** The blob store: sealed files under random ids. It knows no names and no database. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Paths } from '../config/paths.js';
import { createHeader } from './age.js';
import { BlobReader } from './reader.js';
import { SpaceError } from './types.js';
import { BlobWriter } from './writer.js';

/** Where a blob lies; two letters of its id keep the folders small. */
export function blobPath(paths: Pick<Paths, 'blobs'>, id: string): string {
  return join(paths.blobs, id.slice(0, 2), id);
}

/** Begins a blob that only `recipient` (`age1…`) opens. Throws SpaceError `failed`. */
export async function createBlob(paths: Pick<Paths, 'blobs' | 'partials'>, recipient: string): Promise<BlobWriter> {
  const id = randomBytes(16).toString('hex');
  const partialPath = join(paths.partials, id);
  try {
    const header = await createHeader(recipient);
    const file = await createFile(paths.partials, partialPath);
    return new BlobWriter({ id, partialPath, blobPath: blobPath(paths, id) }, file, header);
  } catch (cause) {
    throw new SpaceError('failed', `a new blob can't be created: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Opens a blob with the organization's identity (`AGE-SECRET-KEY-1…`).
 * @throws SpaceError `damaged` when it is missing or not what was sealed, `failed` when the disk fails
 */
export async function openBlob(paths: Pick<Paths, 'blobs'>, id: string, identity: string): Promise<BlobReader> {
  let file: FileHandle;
  try {
    file = await open(blobPath(paths, id), 'r');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'damaged' : 'failed';
    throw new SpaceError(code, `blob ${id} can't be opened: ${(cause as Error).message}`, { cause });
  }
  return BlobReader.open(id, file, identity);
}

/** Removes a blob's bytes; one that is gone already is fine. Throws SpaceError `failed`. */
export async function removeBlob(paths: Pick<Paths, 'blobs'>, id: string): Promise<void> {
  try {
    await unlink(blobPath(paths, id));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new SpaceError('failed', `blob ${id} can't be removed: ${(cause as Error).message}`, { cause });
  }
}

/** Readable too: an upload may read back its own partial. */
async function createFile(folder: string, path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx+', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return open(path, 'wx+', 0o600);
  }
}

/** The blob store: creates, opens and removes sealed files under random ids. It knows neither their names nor the database. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Paths } from '../config/paths.js';
import { createHeader } from './age.js';
import type { BlobPaths, StorePaths } from './blobstore.js';
import { fileDestination, smallDestination } from './destination.js';
import { type Disk, type DiskFile, systemDisk } from './disk.js';
import type { AheadShare } from './readahead.js';
import { BlobReader } from './sealedreader.js';
import { BlobWriter, type PartialSecret, type SealedBlob } from './sealedwriter.js';
import type { SealingThreads } from './sealingpool.js';
import { openSpool } from './spools.js';
import { SpaceError } from './types.js';

/** A blob's path; subfolders named by the first two letters of the ids keep folders small. */
export function blobPath(paths: Pick<Paths, 'blobs'>, id: string): string {
  return join(paths.blobs, id.slice(0, 2), id);
}

export interface BlobOptions {
  /** Default: the real one. */
  disk?: Disk;
  /** The two letters of its subfolder; default: random ones. */
  subfolder?: string;
  /** Threads that seal it once it is large; default: this thread does. */
  sealingThreads?: SealingThreads | null;
  /** A file of at most so many sealed bytes is not synced: its SealedBlob has them, and the caller makes them last. Default: each is. */
  unsyncedBytes?: number;
}

export interface ReadOptions {
  /** Default: the real one. */
  disk?: Disk;
  /** Its reader has left: requests to an object store end. */
  signal?: AbortSignal | undefined;
  /** Memory for reading ahead; default: as much as it needs. */
  ahead?: AheadShare | undefined;
  /** The identities of the organization as they were a moment ago, to be tried first. */
  recent?: string | undefined;
}

/** Begins a blob that only `recipient` (`age1…`) opens. @throws SpaceError `failed` */
export async function createBlob(
  paths: Pick<Paths, 'blobs' | 'partials'> & StorePaths,
  recipient: string,
  {
    disk = systemDisk,
    subfolder = randomBytes(1).toString('hex'),
    sealingThreads = null,
    unsyncedBytes = 0,
  }: BlobOptions = {},
): Promise<BlobWriter> {
  const id = subfolder + randomBytes(15).toString('hex');
  const partialPath = join(paths.partials, id);
  try {
    const header = await createHeader(recipient);
    const place = { id, partialPath, blobPath: blobPath(paths, id), disk };
    if (unsyncedBytes > 0 && paths.store === undefined) {
      const create = () => createFile(disk, paths.partials, partialPath);
      return new BlobWriter(smallDestination(place, create, unsyncedBytes), header, sealingThreads, paths.placeNumber);
    }
    const file = await createFile(disk, paths.partials, partialPath);
    const destination =
      paths.store?.begin(id, openSpool(disk, partialPath, file), recipient) ?? fileDestination(place, file);
    return new BlobWriter(destination, header, sealingThreads, paths.placeNumber);
  } catch (cause) {
    throw new SpaceError('failed', `a new blob can't be created: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Opens a blob with the organization's identities (`AGE-SECRET-KEY-…`, one a line).
 * @throws SpaceError `damaged` when it is missing or was changed, `failed` when the disk fails
 */
export async function openBlob(
  paths: BlobPaths,
  id: string,
  identity: string,
  disk: Disk = systemDisk,
  { signal, ahead }: Pick<ReadOptions, 'signal' | 'ahead'> = {},
): Promise<BlobReader> {
  return BlobReader.open(id, await openSealed(paths, id, disk, signal), identity, ahead);
}

/** Opens a blob of `size` plaintext bytes that this process has sealed, with the key that it still holds. @throws as openBlob */
export async function openOwnBlob(
  paths: BlobPaths,
  { id, size }: Pick<SealedBlob, 'id' | 'size'>,
  secret: PartialSecret,
  disk: Disk = systemDisk,
): Promise<BlobReader> {
  return BlobReader.openWithKey(id, await openSealed(paths, id, disk), secret, size);
}

/** The sealed bytes. @throws SpaceError as openBlob */
export async function openSealed(paths: BlobPaths, id: string, disk: Disk, signal?: AbortSignal): Promise<DiskFile> {
  try {
    return await (paths.store === undefined ? disk.open(blobPath(paths, id)) : paths.store.open(id, signal));
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    if (isMissing && paths.store !== undefined)
      throw new SpaceError('damaged', `blob ${id} is missing in ${paths.store.name}`, { cause });
    // Without the folder of all blobs its volume is away, and no single file is missing.
    const code = isMissing && (await disk.stat(paths.blobs).catch(() => null)) !== null ? 'damaged' : 'failed';
    throw new SpaceError(code, `blob ${id} can't be opened: ${(cause as Error).message}`, { cause });
  }
}

/**
 * As openBlob, with the organization's current identities. Reads them again when the blob does not open, because a rotation
 * may have replaced the identity and the blob's header meanwhile.
 */
export async function openBlobOf(
  paths: BlobPaths,
  id: string,
  identity: () => Promise<string>,
  options: ReadOptions = {},
): Promise<BlobReader> {
  const tried = options.recent ?? (await identity());
  try {
    return await openBlob(paths, id, tried, options.disk, options);
  } catch (error) {
    const latest = await identity();
    if (latest === tried) throw error;
    return openBlob(paths, id, latest, options.disk, options);
  }
}

/** Removes a blob's bytes if they exist. @throws SpaceError `failed` */
export async function removeBlob(paths: BlobPaths, id: string, disk: Disk = systemDisk): Promise<void> {
  try {
    await (paths.store === undefined ? disk.remove(blobPath(paths, id)) : paths.store.remove(id));
  } catch (cause) {
    throw new SpaceError('failed', `blob ${id} can't be removed: ${(cause as Error).message}`, { cause });
  }
}

/** Opens it for reading too, because an upload may read back its own partial. */
async function createFile(disk: Disk, folder: string, path: string): Promise<DiskFile> {
  try {
    return await disk.create(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await disk.makeFolder(folder);
    return disk.create(path);
  }
}

/** Where a sealed file is written, and how it gets its place; here of those in the data folder. */
import { dirname } from 'node:path';
import type { Disk, DiskFile } from './disk.js';

/** Calls come one after the other. Every method throws the errors of its disk or store. */
export interface Destination {
  /** Of the blob. */
  readonly id: string;
  /** Gets the sealed bytes in order, and gives them back. */
  readonly file: DiskFile;
  /** Whether it may be published without a sync. */
  isSmall?(): boolean;
  /**
   * Puts a small file in its place, and closes it, without any sync. Returns its sealed bytes, which must last elsewhere before the
   * file is promised to anyone.
   */
  publishUnsynced?(): Promise<Buffer>;
  /** Puts the synced file in its place, so that it survives a power cut, and closes it. */
  publish(): Promise<void>;
  /** Keeps the synced file for a later upload to resume from, and closes it. */
  park(): Promise<void>;
  /** Closes it, and removes everything that was written; after a failed `publish` too. */
  discard(): Promise<void>;
  /** As `discard`, but of the bytes that other servers can see none: another one has taken the upload over, and keeps them. */
  leave(): Promise<void>;
}

export interface FilePlace {
  id: string;
  partialPath: string;
  blobPath: string;
  disk: Disk;
}

/** A file among the partials, which `publish` moves to the blobs. */
export function fileDestination(place: FilePlace, file: DiskFile): Destination {
  const { id, partialPath, disk } = place;
  return {
    id,
    file,
    publish: async () => {
      await movePartial(place);
      await file.close();
    },
    park: () => file.close(),
    discard: () => file.close().finally(() => disk.remove(partialPath)),
    leave: () => file.close(),
  };
}

/** An upload in memory that takes longer gets a file among the partials, by which a rotation of the identity finds it. */
export const unseenMs = 250;

/**
 * As fileDestination, for a file that may be small: until it is larger than `mostBytes`, or must be synced or read, it is in memory.
 * @param create makes the file among the partials
 */
export function smallDestination(place: FilePlace, create: () => Promise<DiskFile>, mostBytes: number): Destination {
  const { id, blobPath, partialPath, disk } = place;
  const file = new SmallFile({ create, remove: () => disk.remove(partialPath) }, mostBytes);
  const onDisk = async () => fileDestination(place, await file.store());
  return {
    id,
    file,
    isSmall: () => file.isInMemory,
    publishUnsynced: async () => {
      const bytes = file.take();
      try {
        await writeIn(disk, blobPath, bytes);
        await file.close();
      } catch (error) {
        await disk.remove(blobPath);
        throw error;
      }
      return bytes;
    },
    publish: async () => (await onDisk()).publish(),
    park: async () => (await onDisk()).park(),
    discard: async () => {
      if (file.isInMemory) return file.close();
      // One that could not be stored has left nothing.
      const stored = await file.store().catch(() => null);
      if (stored !== null) await fileDestination(place, stored).discard();
    },
    leave: () => file.close(),
  };
}

/** The folder is there but for its first file. */
async function writeIn(disk: Disk, path: string, bytes: Buffer): Promise<void> {
  try {
    await writeNew(disk, path, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await disk.makeFolder(dirname(path));
    await writeNew(disk, path, bytes);
  }
}

async function writeNew(disk: Disk, path: string, bytes: Buffer): Promise<void> {
  if (disk.writeWhole !== undefined) await disk.writeWhole(path, bytes);
  else await writeFile(disk, path, bytes);
}

/** A new file, without a sync. */
export async function writeFile(disk: Disk, path: string, bytes: Buffer): Promise<void> {
  const file = await disk.create(path);
  await writeAll(file, bytes).finally(() => file.close());
}

interface PartialFile {
  create(): Promise<DiskFile>;
  remove(): Promise<void>;
}

/** Keeps its bytes in memory, up to a bound, and gives them to a file of the disk after that. */
class SmallFile implements DiskFile {
  readonly #partial: PartialFile;
  readonly #mostBytes: number;
  #kept: Buffer[] | null = [];
  #keptBytes = 0;
  #stored: Promise<DiskFile> | null = null;
  readonly #timer: NodeJS.Timeout;
  /** The file of an upload that takes long, and how many of the bytes it has; null: none, or it could not be made. */
  #shown: Promise<{ file: DiskFile; bytes: number } | null> | null = null;

  constructor(partial: PartialFile, mostBytes: number) {
    this.#partial = partial;
    this.#mostBytes = mostBytes;
    this.#timer = setTimeout(() => this.#show(), unseenMs).unref();
  }

  /** Whether the caller may put the bytes elsewhere: they are in no file. */
  get isInMemory(): boolean {
    return this.#kept !== null;
  }

  /** The bytes, of a file in memory; it takes no more, and is to be closed. */
  take(): Buffer {
    clearTimeout(this.#timer);
    return Buffer.concat(this.#kept!);
  }

  store(): Promise<DiskFile> {
    this.#stored ??= this.#store();
    return this.#stored;
  }

  async writev(pieces: readonly Buffer[]): Promise<{ bytesWritten: number }> {
    const bytesWritten = pieces.reduce((sum, { length }) => sum + length, 0);
    if (this.#kept === null || this.#keptBytes + bytesWritten > this.#mostBytes)
      return (await this.store()).writev(pieces);
    // Copies: the caller writes its next block into the same memory.
    this.#kept.push(Buffer.concat(pieces));
    this.#keptBytes += bytesWritten;
    return { bytesWritten };
  }

  async read(memory: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }> {
    return (await this.store()).read(memory, offset, length, position);
  }

  async stat(): Promise<{ size: number }> {
    return (await this.store()).stat();
  }

  async sync(): Promise<void> {
    return (await this.store()).sync();
  }

  /** In memory are a header and at most the end of a file: no chunk that a resume could use. They last with the CLOSE. */
  async datasync(): Promise<void> {
    if (this.#kept === null) await (await this.store()).datasync();
  }

  /** Of one in memory nothing is left on the disk. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#kept === null) return (await this.store()).close();
    const shown = await this.#shown;
    this.#shown = null;
    if (shown === null) return;
    await shown.file.close().finally(() => this.#partial.remove());
  }

  #show(): void {
    if (this.#kept === null) return;
    const bytes = Buffer.concat(this.#kept);
    const made = this.#partial.create().then((file) => this.#fill(file, bytes));
    // If the disk fails now, it will where the bytes are stored or published.
    this.#shown = made.then(
      (file) => ({ file, bytes: bytes.length }),
      () => null,
    );
  }

  async #store(): Promise<DiskFile> {
    const bytes = this.take();
    this.#kept = null;
    const shown = await this.#shown;
    return this.#fill(shown?.file ?? (await this.#partial.create()), bytes.subarray(shown?.bytes ?? 0));
  }

  /** Leaves no file after an error. */
  async #fill(file: DiskFile, bytes: Buffer): Promise<DiskFile> {
    try {
      await writeAll(file, bytes);
      return file;
    } catch (error) {
      await file.close().finally(() => this.#partial.remove());
      throw error;
    }
  }
}

export async function writeAll(file: DiskFile, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length; )
    written += (await file.writev([bytes.subarray(written)])).bytesWritten;
}

/** A new name survives a power cut once its folder is synced; a new folder once the one above is, up to the data folder. */
async function movePartial({ partialPath, blobPath, disk }: FilePlace): Promise<void> {
  const folder = dirname(blobPath);
  const isUnsure = await disk.makeFolder(folder);
  await disk.rename(partialPath, blobPath);
  try {
    await disk.syncFolder(folder);
    if (isUnsure) {
      const blobs = dirname(folder);
      await disk.syncFolder(blobs);
      await disk.syncFolder(dirname(blobs));
    }
  } catch (error) {
    await disk.remove(blobPath);
    throw error;
  }
}

/** What sealed files ask of the file system: few operations behind an interface, so that a test can make each one fail. */
import { mkdir, open, readdir, rename, stat, statfs, unlink } from 'node:fs/promises';
import { syncFolder } from '../keys/file.js';

/** An open file; a FileHandle of node:fs is one. */
export interface DiskFile {
  read(memory: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  /** Appends. May take less than it was given, as the system call. */
  writev(pieces: readonly Buffer[]): Promise<{ bytesWritten: number }>;
  stat(): Promise<{ size: number }>;
  sync(): Promise<void>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** Every method throws the errors of node:fs, with their `code`. */
export interface Disk {
  /** Creates a file that only its owner reads and writes; never replaces. */
  create(path: string): Promise<DiskFile>;
  open(path: string): Promise<DiskFile>;
  /**
   * Makes a folder, and those above it, where they are missing. Whether its name may not survive a power cut yet, so that
   * the folder above it must be synced: somebody else may have made it a moment ago, and have its sync still before them.
   */
  makeFolder(path: string): Promise<boolean>;
  rename(from: string, to: string): Promise<void>;
  /** One that is gone already is fine. */
  remove(path: string): Promise<void>;
  /** Makes the names in a folder survive a power cut. */
  syncFolder(path: string): Promise<void>;
  /** The names in a folder; none where there is no folder. */
  list(path: string): Promise<string[]>;
  /** null: no such file. */
  stat(path: string): Promise<{ size: number; mtimeMs: number } | null>;
  /** Bytes that are free for this process on the volume that holds `path`. */
  freeBytes(path: string): Promise<number>;
}

/** The real one. */
export const systemDisk: Disk = {
  create: (path) => open(path, 'wx+', 0o600),
  open: (path) => open(path, 'r'),
  makeFolder: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o700 });
    return true;
  },
  rename,
  remove: (path) => unlink(path).catch(ignoreMissing),
  syncFolder,
  list: async (path) => (await readdir(path).catch(ignoreMissing)) ?? [],
  stat: async (path) => (await stat(path).catch(ignoreMissing)) ?? null,
  freeBytes: async (path) => {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
};

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

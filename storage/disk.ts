/** The file-system operations that sealed files need, behind an interface, so that a test can make each of them fail. */
import { mkdir, open, readdir, rename, stat, statfs, unlink } from 'node:fs/promises';
import { syncFolder } from '../keys/file.js';

/** An open file; a FileHandle of node:fs is one. */
export interface DiskFile {
  read(memory: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  /** Appends. May write less than it was given, as the system call does. */
  writev(pieces: readonly Buffer[]): Promise<{ bytesWritten: number }>;
  stat(): Promise<{ size: number }>;
  sync(): Promise<void>;
  datasync(): Promise<void>;
  /** Reads under way, and later ones, may fail from now on: a request over the network need not end first. */
  abandon?(): void;
  close(): Promise<void>;
}

/** Every method throws the errors of node:fs, with their `code`. */
export interface Disk {
  /** Creates a file that only its owner reads and writes; never replaces. */
  create(path: string): Promise<DiskFile>;
  open(path: string): Promise<DiskFile>;
  /**
   * Makes a folder, and its parents, where they are missing. true: its name may not survive a power cut yet, so the caller
   * must sync its parent; also for an existing folder, which another writer may have made without having synced it yet.
   */
  makeFolder(path: string): Promise<boolean>;
  rename(from: string, to: string): Promise<void>;
  /** Succeeds when the file does not exist. */
  remove(path: string): Promise<void>;
  /** Makes the names in a folder survive a power cut. */
  syncFolder(path: string): Promise<void>;
  /** The names in a folder; none where there is no folder. */
  list(path: string): Promise<string[]>;
  /** null: no such file. */
  stat(path: string): Promise<{ size: number; mtimeMs: number } | null>;
  /** Bytes that are free for this process on the volume that holds `path`. */
  freeBytes(path: string): Promise<number>;
  /** As `create`, of a small file with its bytes, which it does not sync; absent: by the calls above. */
  writeWhole?(path: string, bytes: Buffer): Promise<void>;
  /** Syncs files, and returns those that are not there, or of which the sync failed; null, and absent: by the calls above. */
  syncFiles?(paths: readonly string[]): Promise<string[] | null>;
}

/** The operating system's file system. */
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

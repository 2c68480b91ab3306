/** A watched folder of this machine: its names are used relative to the folder that was opened, and no link is followed. */
import type { Stats } from 'node:fs';
import { constants, existsSync } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, opendir, realpath, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FolderConfig } from '../../db/control/sources.js';
import { SourceError } from '../error.js';
import { freeName } from '../names.js';
import type { Listed, OpenFile, Place } from '../place.js';
import { findHolders } from './holders.js';
import type { Patience } from './patience.js';

/** Names of one folder. */
const mostNames = 100_000;
const readBytes = 256 * 1024;
const { O_RDONLY, O_NOFOLLOW, O_DIRECTORY, O_NONBLOCK } = constants;

/** @throws SourceError `folder`, `timeout` */
export async function openFolderPlace(config: FolderConfig, patience: Patience): Promise<Place> {
  const folder = await patience.ask(config.dir, () => openFolder(config.dir));
  try {
    await patience.ask(config.dir, () => requireSame(config));
    return new FolderPlace(config, folder, patience);
  } catch (error) {
    await folder.close();
    throw error;
  }
}

/** Its path without links, and whether it is on another file system than the root. @throws SourceError `folder` */
export async function examineFolder(dir: string): Promise<{ dir: string; isMount: boolean }> {
  try {
    const real = await realpath(dir);
    const found = await stat(real);
    if (!found.isDirectory()) throw new Error('it is not a folder');
    return { dir: real, isMount: found.dev !== (await stat('/')).dev };
  } catch (cause) {
    throw new SourceError('folder', `the folder ${dir} can't be used: ${reasonOf(cause)}`, { cause });
  }
}

async function openFolder(dir: string): Promise<FileHandle> {
  try {
    return await open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (cause) {
    throw new SourceError('folder', `the folder ${dir} can't be opened: ${reasonOf(cause)}`, { cause });
  }
}

function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return code === 'ENOENT' ? 'it does not exist (is the share mounted?)' : message;
}

/** A folder above it may have become a link, or the share that it is on may not be mounted. */
async function requireSame({ dir, isMount }: FolderConfig): Promise<void> {
  const now = await examineFolder(dir);
  if (now.dir !== dir) throw new SourceError('folder', `the folder ${dir} is behind a link to ${now.dir} now`);
  if (isMount && !now.isMount)
    throw new SourceError('folder', `the folder ${dir} was on a file system of its own, which is not mounted now`);
}

class FolderPlace implements Place {
  readonly address = null;
  readonly #config: FolderConfig;
  readonly #folder: FileHandle;
  readonly #patience: Patience;
  /** Linux resolves names below it in the folder that was opened, even if another one has taken its path. */
  readonly #root: string;

  constructor(config: FolderConfig, folder: FileHandle, patience: Patience) {
    this.#config = config;
    this.#folder = folder;
    this.#patience = patience;
    this.#root = rootOf(folder, config.dir);
  }

  async list(): Promise<Listed[]> {
    const { dir } = this.#config;
    const entries = await this.#ask('', () => opendir(this.#root));
    const found: Listed[] = [];
    try {
      for (let names = 0; ; ) {
        const entry = await this.#ask('', () => entries.read());
        if (entry === null) return found;
        if (++names > mostNames)
          throw new SourceError('too_many', `the folder ${dir} has more than ${mostNames} names`);
        if (entry.isDirectory() || entry.isSymbolicLink()) continue;
        const listed = await this.look(entry.name);
        if (listed !== null) found.push(listed);
      }
    } catch (cause) {
      if (!(cause instanceof SourceError) || cause.code !== 'refused') throw cause;
      throw new SourceError('folder', `the folder ${dir} can't be read (${cause.message.trim()})`, { cause });
    } finally {
      await entries.close().catch(() => {});
    }
  }

  async open({ name }: Listed): Promise<OpenFile> {
    // Without O_NONBLOCK a pipe that has taken the file's place would block.
    const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
    const opened = await this.#ask(name, () => open(join(this.#root, name), flags));
    const describeOpen = async () => {
      const found = await this.#ask(name, () => opened.stat());
      if (!found.isFile()) throw new SourceError('changing', `${name} is no longer a file`);
      return { size: found.size, mtimeMs: Math.floor(found.mtimeMs) };
    };
    return { stat: describeOpen, read: () => this.#readAll(name, opened), close: () => opened.close() };
  }

  async look(name: string): Promise<Listed | null> {
    return this.#ask(name, async () => {
      try {
        return describe(name, await lstat(join(this.#root, name)));
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw cause;
      }
    });
  }

  findHeld(files: readonly Listed[]): Promise<Set<string>> {
    return findHolders(
      this.#config.dir,
      files.map(({ name }) => name),
    );
  }

  remove(name: string): Promise<void> {
    return this.#ask(name, () => unlink(join(this.#root, name)));
  }

  move(name: string, to: string): Promise<void> {
    const path = join(this.#root, to);
    return this.#ask(name, async () => {
      await mkdir(path, { mode: 0o770 }).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code !== 'EEXIST') throw cause;
      });
      const target = await openFolder(path);
      try {
        const root = rootOf(target, path);
        const free = await freeName(name, async (one) => exists(join(root, one)));
        await rename(join(this.#root, name), join(root, free));
      } finally {
        await target.close();
      }
    });
  }

  /** Its requests are short; and its descriptor's number must not name another folder while they end. */
  interrupt(): void {}

  close(): Promise<void> {
    return this.#folder.close();
  }

  async *#readAll(name: string, file: FileHandle): AsyncGenerator<Buffer> {
    for (let offset = 0; ; ) {
      const buffer = Buffer.allocUnsafeSlow(readBytes);
      const { bytesRead } = await this.#ask(name, () => file.read(buffer, 0, readBytes, offset));
      if (bytesRead === 0) return;
      offset += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async #ask<T>(name: string, request: () => Promise<T>): Promise<T> {
    try {
      return await this.#patience.ask(this.#config.dir, request);
    } catch (cause) {
      throw asPlaceError(cause, name);
    }
  }
}

/** Of macOS and others the path: a folder above could be replaced meanwhile. */
function rootOf({ fd }: FileHandle, dir: string): string {
  const path = `/proc/self/fd/${fd}`;
  return existsSync(dirname(path)) ? path : dir;
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}

/** null: a link, a folder, a pipe. */
function describe(name: string, found: Stats): Listed | null {
  return found.isFile() ? { name, size: found.size, mtimeMs: Math.floor(found.mtimeMs) } : null;
}

function asPlaceError(cause: unknown, name: string): SourceError {
  if (cause instanceof SourceError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  // ELOOP: a link has taken the file's place.
  if (code === 'ENOENT' || code === 'ELOOP')
    return new SourceError('changing', `${name} has changed since it was listed`, { cause });
  return new SourceError('refused', `${name} can't be used (${code ?? message})`.trim(), { cause });
}

/** The folder of a source's SFTP server, read with bounds: on names, on time without an answer, and on requests without a reply. */
import type { Attributes, FileEntryWithStats, SFTPWrapper } from 'ssh2';
import type { SftpConfig } from '../../db/control/sources.js';
import { SourceError } from '../error.js';
import { freeName } from '../names.js';
import type { Listed, OpenFile, Place } from '../place.js';
import type { SourceSecret } from '../secret.js';
import { type Connection, type ConnectOptions, connect, within } from './connection.js';

/** Names of one folder, those included that do not match. */
export const mostNames = 50_000;
/** Of a name in UTF-8: file systems take 255 or fewer, Windows 1020. A longer one is no file that could be opened. */
const longestName = 1024;
/** Of all names of a listing, with the lines that describe them: 300 bytes for each of the most names. */
const mostListingBytes = 16 * 1024 * 1024;
/** Replies without a name, by which a server could keep a listing open without end. */
const mostEmptyReplies = 100;
/** Every server takes reads of 32 KiB; so many of them are under way at once. */
const readBytes = 32 * 1024;
const readsAhead = 16;

const formatMask = 0o170000;
const regular = 0o100000;

/** @throws SourceError */
export async function openSftpPlace(config: SftpConfig, secret: SourceSecret, options: ConnectOptions): Promise<Place> {
  return placeOn(await connect(config, secret, options), config, options.idleMs);
}

/** The folder `path` of a server that is connected. @param idleMs most time without an answer */
export function placeOn(connection: Connection, folder: Folder, idleMs: number): Place {
  return new SftpPlace(folder, connection, idleMs);
}

type Folder = Pick<SftpConfig, 'host' | 'path'>;

type Reply<T> = (error: (Error & { code?: number }) | null | undefined, value: T) => void;

/** Of RFC draft-ietf-secsh-filexfer-02, section 7. */
const status = { endOfFile: 1, noSuchFile: 2, permissionDenied: 3 };

class SftpPlace implements Place {
  readonly address: string;
  readonly #config: Folder;
  readonly #connection: Connection;
  readonly #idleMs: number;

  constructor(config: Folder, connection: Connection, idleMs: number) {
    this.#config = config;
    this.#connection = connection;
    this.#idleMs = idleMs;
    this.address = connection.address;
  }

  async list(): Promise<Listed[]> {
    const { path } = this.#config;
    const handle = await this.#ask<Buffer>((sftp, done) => sftp.opendir(path, done)).catch((error: unknown) => {
      throw asFolderError(error, path);
    });
    const found = new Map<string, Listed>();
    let [names, bytes, empty] = [0, 0, 0];
    try {
      for (;;) {
        const entries = await this.#ask<FileEntryWithStats[] | null>((sftp, done) =>
          sftp.readdir(handle, ((error: { code?: number } | undefined, list: FileEntryWithStats[]) =>
            error?.code === status.endOfFile ? done(null, null) : done(error as Error | undefined, list)) as Parameters<
            SFTPWrapper['readdir']
          >[1]),
        );
        if (entries === null) return [...found.values()];
        names += entries.length;
        for (const { filename, longname = '' } of entries) bytes += filename.length + longname.length;
        if (entries.length === 0) empty++;
        if (names > mostNames || bytes > mostListingBytes || empty > mostEmptyReplies)
          throw new SourceError(
            'too_many',
            `the folder ${path} has more than ${mostNames} names, or its listing does not end: give the files a folder of their own`,
          );
        for (const entry of entries) {
          const listed = await this.#describe(entry);
          if (listed !== null) found.set(listed.name, listed);
        }
      }
    } finally {
      void this.#ask<void>((sftp, done) => sftp.close(handle, done as never)).catch(() => {});
    }
  }

  async open(file: Listed): Promise<OpenFile> {
    const now = await this.look(file.name);
    if (now === null || now.size !== file.size || now.mtimeMs !== file.mtimeMs)
      throw new SourceError('changing', `${file.name} has changed since it was listed`);
    const handle = await this.#ask<Buffer>((sftp, done) => sftp.open(this.#pathOf(file.name), 'r', done));
    return {
      stat: async () => {
        const { size, mtime } = await this.#ask<Attributes>((sftp, done) => sftp.fstat(handle, done as never));
        return { size, mtimeMs: mtime * 1000 };
      },
      read: () => this.#read(handle),
      close: () => this.#ask<void>((sftp, done) => sftp.close(handle, done as never)),
    };
  }

  async look(name: string): Promise<Listed | null> {
    const attrs = await this.#lstat(this.#pathOf(name));
    if (attrs === null || (attrs.mode !== undefined && (attrs.mode & formatMask) !== regular)) return null;
    return { name, size: attrs.size, mtimeMs: attrs.mtime * 1000 };
  }

  /** The processes of another machine are unknown. */
  async findHeld(): Promise<Set<string>> {
    return new Set();
  }

  remove(name: string): Promise<void> {
    return this.#ask<void>((sftp, done) => sftp.unlink(this.#pathOf(name), done as never));
  }

  async move(name: string, to: string): Promise<void> {
    const { path } = this.#config;
    const folder = to.startsWith('/') ? to : join(path, to);
    if ((await this.#lstat(folder)) === null)
      await this.#ask<void>((sftp, done) => sftp.mkdir(folder, done as never)).catch((error: unknown) => {
        throw asFolderError(error, folder);
      });
    const free = await freeName(name, async (one) => (await this.#lstat(join(folder, one))) !== null);
    await this.#ask<void>((sftp, done) => sftp.rename(this.#pathOf(name), join(folder, free), done as never));
  }

  interrupt(): void {
    this.#connection.close();
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  /** null: no regular file. Some servers send no permissions in a listing. */
  async #describe({ filename: name, attrs }: FileEntryWithStats): Promise<Listed | null> {
    if (name === '.' || name === '..' || name.includes('/') || name.includes('\0')) return null;
    if (Buffer.byteLength(name) > longestName) return null;
    const { mode, size, mtime } = attrs as Partial<Attributes>;
    const isKnown = mode !== undefined && (mode & formatMask) !== 0 && size !== undefined && mtime !== undefined;
    if (!isKnown) return this.look(name);
    return (mode & formatMask) === regular ? { name, size, mtimeMs: mtime * 1000 } : null;
  }

  async #lstat(path: string): Promise<Attributes | null> {
    return this.#ask<Attributes | null>((sftp, done) =>
      sftp.lstat(path, ((error: (Error & { code?: number }) | undefined, attrs: Attributes) =>
        error?.code === status.noSuchFile ? done(null, null) : done(error, attrs)) as never),
    );
  }

  /** Reads ahead; a reply that is shorter than its request is completed before the next one is given. */
  async *#read(handle: Buffer): AsyncGenerator<Buffer> {
    const ahead: { offset: number; bytes: Promise<Buffer> }[] = [];
    let next = 0;
    for (;;) {
      while (ahead.length < readsAhead) {
        const bytes = this.#readAt(handle, next, readBytes);
        bytes.catch(() => {}); // it is thrown when its turn comes
        ahead.push({ offset: next, bytes });
        next += readBytes;
      }
      const { offset, bytes } = ahead.shift()!;
      for (let [got, at] = [await bytes, offset]; ; got = await this.#readAt(handle, at, offset + readBytes - at)) {
        if (got.length === 0) return;
        yield got;
        at += got.length;
        if (at >= offset + readBytes) break;
      }
    }
  }

  #readAt(handle: Buffer, offset: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(length);
    return this.#ask<Buffer>((sftp, done) =>
      sftp.read(handle, buffer, 0, length, offset, ((error: Error | undefined, count: number) =>
        done(error, buffer.subarray(0, count ?? 0))) as never),
    );
  }

  #pathOf(name: string): string {
    return join(this.#config.path, name);
  }

  #ask<T>(request: (sftp: SFTPWrapper, done: Reply<T>) => unknown): Promise<T> {
    const { sftp, ended } = this.#connection;
    const reply = new Promise<T>((resolve, reject) => {
      try {
        request(sftp, (error, value) => (error ? reject(error) : resolve(value)));
      } catch (error) {
        reject(error);
      }
    });
    return within(this.#idleMs, Promise.race([reply, ended]), `the server ${this.#config.host}`).catch(
      (error: Error) => {
        if (error instanceof SourceError) throw error;
        throw new SourceError('refused', `the server refused a request (${error.message})`, { cause: error });
      },
    );
  }
}

function join(folder: string, name: string): string {
  return folder.endsWith('/') ? folder + name : `${folder}/${name}`;
}

function asFolderError(error: unknown, path: string): unknown {
  if (!(error instanceof SourceError) || error.code !== 'refused') return error;
  const reason = (error.cause as Error | undefined)?.message ?? error.message;
  return new SourceError('folder', `the folder ${path} of the server can't be used (${reason})`, { cause: error });
}

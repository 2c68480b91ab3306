/** Files of an SFTP server that backups are written to: each is written under a temporary name, read back, and then renamed. */
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { Attributes, FileEntryWithStats, Stats } from 'ssh2';
import { SourceError } from '../../sources/error.js';
import { connect, type Remote, within } from '../../sources/sftp/connection.js';
import { mostNames, placeOn } from '../../sources/sftp/place.js';
import { OperationError } from '../error.js';
import { replace } from '../exports/sftp.js';
import { attempt, type Call, upload } from '../exports/upload.js';

export interface RemoteEntry {
  name: string;
  isFolder: boolean;
  size: number;
  mtimeMs: number;
}

/** Each throws OperationError `unavailable`, with the path and the reason. */
export interface RemoteFiles {
  /** null: there is no such folder. */
  list(folder: string): Promise<RemoteEntry[] | null>;
  /** Its first `most` bytes; null: there is no such file. */
  read(path: string, most: number): Promise<Buffer | null>;
  /**
   * Replaces a file of that name only once the server has returned all bytes again.
   * @param pieces gives the content from its beginning, each time it is called.
   * @param mtimeMs null: the time of the server
   * @throws OperationError `failed` when the server returns other bytes
   */
  put(path: string, pieces: () => AsyncIterable<Buffer>, mtimeMs: number | null): Promise<void>;
  /** A second name of a file. false: the server has no hard links, or does not make this one. */
  link(from: string, to: string): Promise<boolean>;
  /** In a folder that exists; one that exists already is left as it is. */
  makeFolder(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** One that is gone already is none the less removed. */
  remove(path: string): Promise<void>;
  removeFolder(path: string): Promise<void>;
  close(): void;
}

export interface RemoteOptions {
  /** Called before each request that changes something: for tests that cut the connection there. */
  onChange?: (() => void) | undefined;
}

/** A server that syncs a large file answers late. */
const idleMs = 120_000;
const lanes = 8;
const mostEmptyReplies = 100;
const status = { endOfFile: 1, noSuchFile: 2 };
const [formatMask, folderFormat] = [0o170000, 0o040000];

type Failure = (Error & { code?: number | string }) | null | undefined;

/** @throws OperationError `unavailable`; `failed` when the server has another host key */
export async function openRemoteFiles(
  remote: Remote,
  privateKey: string,
  { onChange = () => {} }: RemoteOptions = {},
): Promise<RemoteFiles> {
  const { host } = remote;
  const connection = await connect(remote, { privateKey }, { idleMs }).catch((cause: Error) => {
    if (!(cause instanceof SourceError) || cause.code !== 'host_key')
      throw new OperationError('unavailable', `backupTo: ${cause.message}`, { cause });
    throw new OperationError(
      'failed',
      `backupTo: ${cause.message}: ask who runs that server; if its key was changed on purpose, set backupHostKey to the new fingerprint`,
      { cause },
    );
  });
  const call: Call = (start) => {
    const answer = new Promise<never>((resolve, reject) => {
      start(connection.sftp, (error, value) => (error == null ? resolve(value as never) : reject(error)));
    });
    return within(idleMs, Promise.race([answer, connection.ended]), `the server ${host}`);
  };
  const doing = async <T>(act: string, path: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof OperationError) throw cause;
      const { message } = cause as Error;
      const reason = cause instanceof SourceError ? message : `the server ${host} refused it: ${message}`;
      throw new OperationError('unavailable', `backupTo: can't ${act} ${path} (${reason})`, { cause });
    }
  };
  const look = (path: string) => orMissing(call<Stats>((sftp, done) => sftp.lstat(path, done as never)));
  const list = async (folder: string): Promise<RemoteEntry[] | null> => {
    const handle = await orMissing(call<Buffer>((sftp, done) => sftp.opendir(folder, done)));
    if (handle === null) return null;
    try {
      return await readEntries(call, handle, (name) => look(posix.join(folder, name)));
    } finally {
      void call<void>((sftp, done) => sftp.close(handle, done as never)).catch(() => {});
    }
  };
  const contentOf = async (path: string) => {
    const place = placeOn(connection, { host, path: posix.dirname(path) }, idleMs);
    const found = await place.look(posix.basename(path));
    return found === null ? null : place.open(found);
  };
  const unlink = (path: string) => orMissing(call<void>((sftp, done) => sftp.unlink(path, done as never)));
  const removeFolder = async (path: string): Promise<void> => {
    const entries = (await list(path)) ?? [];
    await inLanes(lanes, entries, async ({ name, isFolder }) => {
      onChange();
      await (isFolder ? removeFolder : unlink)(posix.join(path, name));
    });
    await orMissing(call<void>((sftp, done) => sftp.rmdir(path, done as never)));
  };
  return {
    list: (folder) => doing('list', folder, () => list(folder)),
    read: (path, most) =>
      doing('read', path, async () => {
        const file = await contentOf(path);
        if (file === null) return null;
        const pieces: Buffer[] = [];
        let bytes = 0;
        try {
          for await (const piece of file.read()) {
            pieces.push(piece);
            bytes += piece.length;
            if (bytes >= most) break;
          }
        } finally {
          await file.close();
        }
        return Buffer.concat(pieces).subarray(0, most);
      }),
    put: (path, pieces, mtimeMs) =>
      doing('write', path, async () => {
        const temporary = `${path}.new`;
        onChange();
        const sent = await upload(call, temporary, pieces, { part: null, partBytes: Infinity, keep: async () => {} });
        const file = await contentOf(temporary);
        const hash = createHash('sha256');
        if (file !== null) {
          for await (const piece of file.read()) hash.update(piece);
          await file.close();
        }
        if (hash.digest('hex') !== sent)
          throw new OperationError(
            'failed',
            `the server ${host} did not return the bytes of ${path} as it got them: examine its disk`,
          );
        onChange();
        if (mtimeMs !== null)
          await attempt(() =>
            call<void>((sftp, done) => sftp.utimes(temporary, mtimeMs / 1000, mtimeMs / 1000, done as never)),
          );
        onChange();
        await replace(call, temporary, path);
      }),
    link: (from, to) => {
      onChange();
      return attempt(() => call<void>((sftp, done) => sftp.ext_openssh_hardlink(from, to, done as never)));
    },
    makeFolder: (path) =>
      doing('make the folder', path, async () => {
        onChange();
        const making = call<void>((sftp, done) => sftp.mkdir(path, { mode: 0o700 } as never, done as never));
        await making.catch(async (error: Failure) => {
          if (!isFolder(await look(path))) throw error;
        });
      }),
    rename: (from, to) =>
      doing('rename', from, () => {
        onChange();
        return call<void>((sftp, done) => sftp.rename(from, to, done as never));
      }),
    remove: (path) =>
      doing('remove', path, async () => {
        onChange();
        await unlink(path);
      }),
    removeFolder: (path) => doing('remove', path, () => removeFolder(path)),
    close: connection.close,
  };
}

/** Works on all of them, so many at a time. */
export async function inLanes<T>(
  count: number,
  items: AsyncIterable<T> | Iterable<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const lane = async () => {
    for (let next = await source.next(); next.done !== true; next = await source.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: count }, lane));
}

async function readEntries(
  call: Call,
  handle: Buffer,
  look: (name: string) => Promise<Attributes | null>,
): Promise<RemoteEntry[]> {
  const found: RemoteEntry[] = [];
  for (let empty = 0; empty <= mostEmptyReplies; ) {
    const entries = await call<FileEntryWithStats[]>((sftp, done) =>
      sftp.readdir(handle, done as unknown as Parameters<typeof sftp.readdir>[1]),
    ).catch((error: Failure) => {
      if (error?.code === status.endOfFile) return null;
      throw error;
    });
    if (entries === null) return found;
    if (entries.length === 0) empty++;
    for (const { filename: name, attrs } of entries) {
      if (name === '.' || name === '..' || name.includes('/') || name.includes('\0')) continue;
      // Some servers send no permissions in a listing.
      const known = (attrs as Partial<Attributes>).mode === undefined ? await look(name) : attrs;
      if (known === null) continue;
      found.push({ name, isFolder: isFolder(known), size: known.size, mtimeMs: known.mtime * 1000 });
    }
    if (found.length > mostNames) break;
  }
  throw new SourceError('too_many', `it has more than ${mostNames} names, or its listing does not end`);
}

function isFolder(found: Pick<Attributes, 'mode'> | null): boolean {
  return found !== null && (found.mode & formatMask) === folderFormat;
}

/** null: there is no such file or folder. */
async function orMissing<T>(work: Promise<T>): Promise<T | null> {
  return work.catch((error: Failure) => {
    if (error?.code === status.noSuchFile) return null;
    throw error;
  });
}

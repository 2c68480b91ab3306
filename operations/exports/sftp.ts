/** Connects to another SFTP server for exports: each file is written under a temporary name, and then renamed. */
import { posix } from 'node:path';
import { SourceError } from '../../sources/error.js';
import { type Connection, connect, type Remote, within } from '../../sources/sftp/connection.js';
import { placeOn } from '../../sources/sftp/place.js';
import type { SftpTarget } from './options.js';
import type { ExportTarget } from './target.js';
import { attempt, type Call, type Part, upload } from './upload.js';

export interface SftpOptions {
  /** In OpenSSH's or PEM form. */
  privateKey: string;
  /** The temporary name of a file. */
  temporaryOf(name: string): string;
  /** The part of a file that an earlier attempt for the same event kept; null: none. */
  partOf(name: string): Part | null;
  keepPart(name: string, part: Part): Promise<void>;
  partBytes: number;
  signal: AbortSignal;
  /** Called between the last byte and the rename: for tests that kill the process there. */
  onWritten?: () => void | Promise<void>;
}

/** The server proved itself with another key than the pinned one. */
export class HostKeyChanged extends Error {
  override name = 'HostKeyChanged';
}

/** Most time without an answer. */
const idleMs = 20_000;

/** @throws HostKeyChanged; Error that says which part failed */
export async function openRemote(target: SftpTarget, options: SftpOptions): Promise<ExportTarget> {
  const { signal } = options;
  const connection = await connectTo(target, options.privateKey, signal);
  signal.addEventListener('abort', connection.close);
  const place = placeOn(connection, target, idleMs);
  const call: Call = (start) => {
    const answer = new Promise<never>((resolve, reject) => {
      start(connection.sftp, (error, value) => (error == null ? resolve(value as never) : reject(error)));
    });
    return within(idleMs, Promise.race([answer, connection.ended]), `the server ${target.host}`);
  };
  const at = (name: string) => posix.join(target.path, name);
  return {
    write: async (name, pieces) => {
      const temporary = at(options.temporaryOf(name));
      const keep = (part: Part) => options.keepPart(name, part);
      await upload(call, temporary, pieces, { part: options.partOf(name), partBytes: options.partBytes, keep });
      await options.onWritten?.();
      await replace(call, temporary, at(name));
    },
    list: async () => (await place.list()).map(({ name }) => name),
    remove: (name) => place.remove(name),
    close: async () => {
      signal.removeEventListener('abort', connection.close);
      connection.close();
    },
  };
}

async function connectTo(target: SftpTarget, privateKey: string, signal: AbortSignal): Promise<Connection> {
  const { host, port, user, hostKey, allowPrivate } = target;
  const remote: Remote = { host, port, user, auth: 'key', hostKeys: [hostKey], allowPrivate, legacyAlgorithms: false };
  const connecting = connect(remote, { privateKey }, { idleMs });
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(new Error('the server stops'));
  });
  // The signal lives as long as the server: an export leaves no listener on it.
  signal.addEventListener('abort', stop);
  try {
    return await Promise.race([connecting, stopped]);
  } catch (error) {
    void connecting.then(({ close }) => close()).catch(() => {});
    if (!(error instanceof SourceError)) throw error;
    if (error.code === 'private_address')
      throw new Error(`${host} is a private address: add the export with --allow-private if that is meant`, {
        cause: error,
      });
    if (error.code !== 'host_key') throw error;
    throw new HostKeyChanged(
      `${host} has another host key than ${hostKey} (${error.message}): ask who runs that server; if the key was changed on purpose, remove this export and add it with the new fingerprint`,
      { cause: error },
    );
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** The rename of SFTP version 3 does not replace a file: OpenSSH's extension does, and others need the old one removed before. */
export async function replace(call: Call, from: string, to: string): Promise<void> {
  if (await attempt(() => call<void>((sftp, done) => sftp.ext_openssh_rename(from, to, done as never)))) return;
  await attempt(() => call<void>((sftp, done) => sftp.unlink(to, done as never)));
  await call<void>((sftp, done) => sftp.rename(from, to, done as never));
}

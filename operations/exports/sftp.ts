/** Writes exports to another SFTP server: under a temporary name, synced where the server can, then renamed. */
import { posix } from 'node:path';
import type { SftpTarget } from './options.js';
import { openSftp, type SftpSession } from './sshclient.js';
import type { ExportTarget } from './target.js';

/** Each server takes writes of this size. */
const chunkBytes = 32 * 1024;
/** Writes that are under way at the same time. */
const mostWrites = 16;

export interface SftpOptions {
  /** In OpenSSH's or PEM form. */
  privateKey: string;
  temporary: string;
  signal: AbortSignal;
  /** Called between the last byte and the rename: for tests that kill the process there. */
  onWritten?: () => void | Promise<void>;
}

/** @throws HostKeyChanged; Error */
export async function openRemote(target: SftpTarget, options: SftpOptions): Promise<ExportTarget> {
  const session = await openSftp(target, options.privateKey, options.signal);
  const { sftp, call, close } = session;
  const at = (name: string) => posix.join(target.path, name);
  return {
    write: async (name, pieces) => {
      const temporary = at(options.temporary);
      await writeWhole(session, temporary, pieces);
      await options.onWritten?.();
      await replace(session, temporary, at(name));
    },
    list: async () => {
      const entries = await call<{ filename: string }[]>((done) => sftp.readdir(target.path, done));
      return entries.map(({ filename }) => filename);
    },
    remove: (name) => call<void>((done) => sftp.unlink(at(name), done as never)),
    close,
  };
}

async function writeWhole({ sftp, call }: SftpSession, path: string, pieces: AsyncIterable<string>): Promise<void> {
  const handle = await call<Buffer>((done) => sftp.open(path, 'w', { mode: 0o600 }, done));
  let offset = 0;
  for await (const piece of pieces) {
    const bytes = Buffer.from(piece);
    for (let from = 0; from < bytes.length; from += chunkBytes * mostWrites) {
      const writes = [];
      const end = Math.min(bytes.length, from + chunkBytes * mostWrites);
      for (let start = from; start < end; start += chunkBytes) {
        const length = Math.min(chunkBytes, end - start);
        writes.push(call<void>((done) => sftp.write(handle, bytes, start, length, offset + start, done as never)));
      }
      await Promise.all(writes);
    }
    offset += bytes.length;
  }
  // A server without the extension syncs on its own.
  await attempt(() => call<void>((done) => sftp.ext_openssh_fsync(handle, done as never)));
  await call<void>((done) => sftp.close(handle, done as never));
}

/** The rename of SFTP version 3 does not replace a file: OpenSSH's extension does, and others need the old one removed before. */
async function replace({ sftp, call }: SftpSession, from: string, to: string): Promise<void> {
  if (await attempt(() => call<void>((done) => sftp.ext_openssh_rename(from, to, done as never)))) return;
  await attempt(() => call<void>((done) => sftp.unlink(to, done as never)));
  await call<void>((done) => sftp.rename(from, to, done as never));
}

async function attempt(work: () => Promise<void>): Promise<boolean> {
  return work().then(
    () => true,
    () => false,
  );
}

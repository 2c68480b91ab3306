/** Writes a file to another SFTP server so that the next attempt continues behind the bytes that the server has synced. */
import { createHash } from 'node:crypto';
import type { SFTPWrapper } from 'ssh2';
import type { UnfinishedFile } from './options.js';

/** Each server takes writes of this size. */
const chunkBytes = 32 * 1024;
/** Writes that are under way at the same time. */
const mostWrites = 16;

/** Settles as the request does, and rejects when the connection ends before, or no answer comes. */
export type Call = <T>(
  start: (sftp: SFTPWrapper, done: (error: Error | null | undefined, value: T) => void) => void,
) => Promise<T>;

/** A piece of a file's content; text in UTF-8. */
export type Content = string | Buffer;

/** A part of a file: its first bytes. */
export type Part = Pick<UnfinishedFile, 'bytes' | 'sha256'>;

export interface UploadOptions {
  /** The part that an earlier attempt kept; null: none. */
  part: Part | null;
  /** Syncs and keeps a part after so many bytes. */
  partBytes: number;
  /** Called with a part that the server has synced. */
  keep(part: Part): Promise<void>;
}

/**
 * Continues where the earlier attempt's part ends, if the server still has it and the content begins with the same bytes; else it writes
 * all of the file anew. A server that can't sync keeps no parts.
 * @param pieces gives the content from its beginning, each time it is called.
 * @returns the SHA-256 of the content, in hexadecimal digits
 */
export async function upload(
  call: Call,
  path: string,
  pieces: () => AsyncIterable<Content>,
  options: UploadOptions,
): Promise<string> {
  const { part } = options;
  const resumed = part === null ? null : await reopen(call, path, part.bytes);
  const written = resumed === null ? null : await writeFrom(call, resumed, pieces(), options);
  if (written !== null) return written;
  const handle = await call<Buffer>((sftp, done) => sftp.open(path, 'w', { mode: 0o600 }, done));
  return (await writeFrom(call, handle, pieces(), { ...options, part: null }))!;
}

/** null: the server has less of it, or does not let it be continued. */
async function reopen(call: Call, path: string, bytes: number): Promise<Buffer | null> {
  try {
    const { size } = await call<{ size: number }>((sftp, done) => sftp.stat(path, done as never));
    if (size < bytes) return null;
    const handle = await call<Buffer>((sftp, done) => sftp.open(path, 'r+', done));
    // Bytes behind the part may be lost or of another content.
    await call<void>((sftp, done) => sftp.fsetstat(handle, { size: bytes } as never, done as never));
    return handle;
  } catch {
    return null;
  }
}

/** Closes the handle. @returns the content's SHA-256; null: the content begins with other bytes than the part; nothing was written then */
async function writeFrom(
  call: Call,
  handle: Buffer,
  pieces: AsyncIterable<Content>,
  { part, partBytes, keep }: UploadOptions,
): Promise<string | null> {
  const hash = createHash('sha256');
  const close = () => call<void>((sftp, done) => sftp.close(handle, done as never));
  const sync = () => attempt(() => call<void>((sftp, done) => sftp.ext_openssh_fsync(handle, done as never)));
  let [offset, kept, canSync] = [0, part?.bytes ?? 0, true];
  for await (const piece of pieces) {
    let bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
    if (part !== null && offset < part.bytes) {
      const known = bytes.subarray(0, part.bytes - offset);
      bytes = bytes.subarray(known.length);
      offset += known.length;
      hash.update(known);
      if (offset < part.bytes) continue;
      if (hash.copy().digest('hex') !== part.sha256) {
        await close();
        return null;
      }
    }
    await writeAt(call, handle, bytes, offset);
    offset += bytes.length;
    hash.update(bytes);
    if (!canSync || offset - kept < partBytes) continue;
    canSync = await sync();
    if (canSync) await keep({ bytes: offset, sha256: hash.copy().digest('hex') });
    kept = offset;
  }
  const isWhole = part === null || offset >= part.bytes;
  // A server without the extension syncs on its own.
  if (isWhole) await sync();
  await close();
  return isWhole ? hash.digest('hex') : null;
}

async function writeAt(call: Call, handle: Buffer, bytes: Buffer, offset: number): Promise<void> {
  for (let from = 0; from < bytes.length; from += chunkBytes * mostWrites) {
    const writes = [];
    const end = Math.min(bytes.length, from + chunkBytes * mostWrites);
    for (let start = from; start < end; start += chunkBytes) {
      const length = Math.min(chunkBytes, end - start);
      writes.push(call<void>((sftp, done) => sftp.write(handle, bytes, start, length, offset + start, done as never)));
    }
    await Promise.all(writes);
  }
}

/** Whether it succeeded: for requests that not every server has. */
export async function attempt(work: () => Promise<void>): Promise<boolean> {
  return work().then(
    () => true,
    () => false,
  );
}

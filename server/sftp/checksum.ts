/**
 * Computes checksums of files: check-file-name and check-file-handle (draft-ietf-secsh-filexfer-extensions-00, section 3),
 * which WinSCP requests, and check-file as paramiko requests it.
 */
import { createHash } from 'node:crypto';
import { type PacketReader, PacketWriter } from './codec.js';
import { SftpError } from './error.js';
import { entryOf, readHandle } from './files.js';
import { type Handle, newReaderHandle } from './handles.js';
import { type Reply, replyNumbers } from './reply.js';
import type { Context, Handler } from './request.js';

/** By the names of the draft. Some client requests each of them; the client decides which to trust. */
const algorithms: readonly string[] = ['sha256', 'sha512', 'sha384', 'sha224', 'sha1', 'md5'];

/** In memory at once. */
export const hashedBytes = 1024 * 1024;
/** A block may be no smaller: the draft, section 3. */
const leastBlockBytes = 256;
/** Hashes in one answer; the smallest packet that clients must accept holds 34,000 bytes. */
const mostHashBytes = 32 * 1024;

interface Range {
  algorithm: string | null;
  offset: number;
  /** 0: to the end. */
  length: number;
  /** One hash for each block; 0: one for all. */
  blockBytes: number;
}

/** `echo`: the answer begins with the name of the extension, which the draft does not have. */
export function checkHandle({ echo }: { echo: boolean }): Handler<{ handle: Handle; range: Range }> {
  return {
    read: (packet, { handles }) => ({ handle: handles.find(packet.string()), range: readRange(packet) }),
    async run(context, { handle, range }, id) {
      const known = handle.kind === 'reader' ? () => handle.reader.checksum() : async () => null;
      const { size } = await entryOf(context, handle);
      const hashes = (await recall(range, size, known)) ?? (await computeHashes(context, handle, size, range));
      return replyHashes(id, echo, range, hashes);
    },
  };
}

export const checkPath: Handler<{ path: string; range: Range }> = {
  read: (packet) => ({ path: packet.path(), range: readRange(packet) }),
  async run(context, { path, range }, id) {
    const { space, left } = context;
    const { size } = await space.stat(path);
    const known = await recall(range, size, () => space.checksum(path));
    if (known !== null) return replyHashes(id, false, range, known);
    const reader = await space.openRead(path, left);
    try {
      const hashes = await computeHashes(context, newReaderHandle(reader), reader.entry.size, range);
      return replyHashes(id, false, range, hashes);
    } finally {
      await reader.close();
    }
  },
};

function readRange(packet: PacketReader): Range {
  const wanted = packet.string().toString('latin1').split(',');
  const [offset, length, blockBytes] = [packet.u64(), packet.u64(), packet.u32()];
  return { algorithm: wanted.find((name) => algorithms.includes(name)) ?? null, offset, length, blockBytes };
}

/** The whole file's SHA-256 was computed when it was uploaded. null: the client asks for another checksum, or it is not known. */
async function recall(range: Range, size: number, known: () => Promise<string | null>): Promise<Buffer | null> {
  const isWhole = range.offset === 0 && (range.length === 0 || range.length >= size) && range.blockBytes === 0;
  const found = isWhole && range.algorithm === 'sha256' ? await known() : null;
  return found === null ? null : Buffer.from(found, 'hex');
}

async function computeHashes(context: Context, handle: Handle, size: number, range: Range): Promise<Buffer> {
  const { algorithm, offset, blockBytes } = range;
  if (algorithm === null) throw new SftpError('unknown_name', 'no checksum of these');
  const available = Math.max(0, size - offset);
  const length = range.length === 0 ? available : Math.min(range.length, available);
  const step = blockBytes === 0 ? Math.max(length, 1) : blockBytes;
  const blocks = Math.max(1, Math.ceil(length / step));
  if (step < leastBlockBytes && blockBytes !== 0) throw new SftpError('bad_request', `blocks of ${blockBytes} bytes`);
  if (blocks * createHash(algorithm).digest().length > mostHashBytes)
    throw new SftpError('bad_request', `${blocks} checksums at once`);
  const hashes: Buffer[] = [];
  for (let block = 0; block < blocks; block++) {
    const from = offset + block * step;
    hashes.push(await computeHash(context, handle, algorithm, from, Math.min(from + step, offset + length)));
  }
  return Buffer.concat(hashes);
}

async function computeHash(
  { isAborted }: Context,
  handle: Handle,
  algorithm: string,
  from: number,
  to: number,
): Promise<Buffer> {
  const hash = createHash(algorithm);
  let at = from;
  do {
    if (isAborted()) throw new SftpError('ended', 'a checksum after the session was ended');
    const bytes = await readHandle(handle, at, Math.min(hashedBytes, to - at));
    if (bytes.length === 0) break;
    hash.update(bytes);
    at += bytes.length;
  } while (at < to);
  return hash.digest();
}

function replyHashes(id: number, echo: boolean, { algorithm }: Range, hashes: Buffer): Reply {
  const reply = new PacketWriter(replyNumbers.extended, 64 + hashes.length).u32(id);
  if (echo) reply.string('check-file');
  return reply.string(algorithm!).raw(hashes).finish();
}

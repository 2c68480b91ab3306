/** The bytes of a file, from a sealed blob or from the operator's disk; they can be read from the beginning many times. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { RowMapper } from './maprows.js';

export interface Source {
  /** The file's name without folders. */
  name: string;
  bytes: number;
  sha256: string;
  /** Set when the file is not UTF-8 and the encoding was guessed. */
  isGuessed?: boolean;
  /** The size without packing and encryption as far as it was read; absent: `bytes`. */
  plainBytes?: () => number;
  /** Whether it has all users of the organization; absent: no (rule U3a). */
  isFull?: boolean;
  /** Maps each row; absent: rows are taken as they are. */
  mapper?: RowMapper;
  /** Reads the plaintext from its beginning. */
  open(): AsyncIterable<Buffer>;
}

/**
 * Whether a file is marked as one with all users: by the folder `/full`, also below `/dry-run`, or by a name as `users.full.csv`,
 * `users.full.csv.pgp` or `users.full.pgp`.
 */
export function isFullFile(path: string): boolean {
  return /^\/(dry-run\/)?full\//i.test(path) || /\.full\.(csv|tsv|txt|pgp|gpg|asc|gz|zip)(\.\w+)*$/i.test(path);
}

/** @param onBytes is called with the number of bytes read so far, and the size. @throws the error of node:fs when the file can't be read. */
export async function openDiskSource(
  path: string,
  onBytes: (read: number, bytes: number) => void = () => {},
): Promise<Source> {
  const { size } = await stat(path);
  const open = () => createReadStream(path, { highWaterMark: 256 * 1024 });
  const digest = createHash('sha256');
  let read = 0;
  for await (const chunk of open()) {
    digest.update(chunk as Buffer);
    read += (chunk as Buffer).length;
    onBytes(read, size);
  }
  return { name: basename(path), bytes: size, sha256: digest.digest('hex'), isFull: isFullFile(basename(path)), open };
}

export function sourceOfBytes(name: string, bytes: Buffer): Source {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const open = async function* () {
    yield bytes;
  };
  return { name, bytes: bytes.length, sha256, isFull: isFullFile(name), open };
}

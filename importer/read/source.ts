/** Where a file's bytes come from: a sealed blob, or a file of the operator's disk; readable from the start many times. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';

export interface Source {
  /** The file's name without folders. */
  name: string;
  bytes: number;
  sha256: string;
  /** The encoding was not told, and the bytes fit no other. */
  isGuessed?: boolean;
  /** The plaintext from its beginning. */
  open(): AsyncIterable<Buffer>;
}

/** @throws the error of node:fs when the file can't be read. */
export async function openDiskSource(path: string): Promise<Source> {
  const { size } = await stat(path);
  const open = () => createReadStream(path, { highWaterMark: 256 * 1024 });
  const digest = createHash('sha256');
  for await (const chunk of open()) digest.update(chunk as Buffer);
  return { name: basename(path), bytes: size, sha256: digest.digest('hex'), open };
}

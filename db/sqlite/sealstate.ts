/** Says from its first bytes whether an SQLite file is sealed. */
import { closeSync, openSync, readSync } from 'node:fs';
import { plainHeader } from './cipher.js';

/** `none`: there is no such file, or nothing in it yet. */
export type SealState = 'none' | 'plain' | 'sealed';

/**
 * For a process that does not have the file open: on POSIX, closing it here ends the locks that SQLite has on it in this process.
 */
export function readSealState(file: string): SealState {
  const start = readStart(file);
  if (start === null || start.length === 0) return 'none';
  return start.toString('latin1') === plainHeader ? 'plain' : 'sealed';
}

/** null: no such file. */
function readStart(file: string): Buffer | null {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const bytes = Buffer.alloc(plainHeader.length);
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(descriptor);
  }
}

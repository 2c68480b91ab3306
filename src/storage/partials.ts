/** Clears away what a killed process left in the blob store. */
import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Paths } from '../config/paths.js';

/**
 * Removes the partial files of uploads that never ended; how many. Only for the one process that uses the data folder:
 * it can't tell a dead upload from another server's live one.
 */
export async function sweepPartials(paths: Pick<Paths, 'partials'>): Promise<number> {
  const names = await readdir(paths.partials).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  for (const name of names) await unlink(join(paths.partials, name));
  return names.length;
}

/** Erases deleted content from a database's own files, which keep it until its place is used again. */
import type { Db } from './connection.js';
import { describeDatabaseFailure } from './error.js';

/**
 * Rewrites an SQLite database without its deleted content and empties its log; on PostgreSQL only the tables named.
 * Whether everything was erased: an open reader keeps part of the log, and a full disk all of it.
 */
export async function eraseDeleted({ dialect, write }: Db, tables: readonly string[]): Promise<boolean> {
  try {
    if (dialect === 'postgres') {
      for (const table of tables) await write.raw('VACUUM FULL ??', [table]);
      return true;
    }
    await write.raw('VACUUM');
    const [checkpoint] = (await write.raw('PRAGMA wal_checkpoint(TRUNCATE)')) as { busy: number }[];
    return checkpoint?.busy === 0;
  } catch (error) {
    if (describeDatabaseFailure(error) === null) throw error;
    return false;
  }
}

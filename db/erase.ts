/** Erases deleted content from a database's own files, which keep it until its place is used again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from './connection.js';
import { describeDatabaseFailure } from './error.js';

/** A reader that has begun before keeps the log for its one statement: a moment later it has ended. */
const checkpointAttempts = 20;
const checkpointPauseMs = 100;

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
    // VACUUM writes a whole copy, which must not lie in the system's folder for temporary files.
    const [before] = (await write.raw('PRAGMA temp_store')) as { temp_store: number }[];
    await write.raw('PRAGMA temp_store = MEMORY');
    await write.raw('VACUUM');
    await write.raw(`PRAGMA temp_store = ${before!.temp_store}`);
    for (let attempt = 1; ; attempt++) {
      const [checkpoint] = (await write.raw('PRAGMA wal_checkpoint(TRUNCATE)')) as { busy: number }[];
      if (checkpoint?.busy === 0) return true;
      if (attempt === checkpointAttempts) return false;
      await sleep(checkpointPauseMs);
    }
  } catch (error) {
    if (describeDatabaseFailure(error) === null) throw error;
    return false;
  }
}

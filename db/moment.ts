/** Reads a long result piece by piece, all of it as the database was at one moment, for a reader of any speed. */
import type { Db, Queryable } from './connection.js';
import { DatabaseError } from './error.js';

/**
 * The transaction ends with the last piece, when the reader stops, and when it asks for no piece for `patienceMs`: while it
 * is open, SQLite's log grows and PostgreSQL can't clean up.
 * @throws DatabaseError `stalled` to a reader who comes back after that.
 */
export async function* readMoment<T>(
  database: Db,
  produce: (db: Queryable) => AsyncIterable<T>,
  patienceMs: number,
): AsyncGenerator<T> {
  const moment = await database.openMoment();
  let ended: Promise<void> | null = null;
  const end = () => {
    ended ??= moment.close();
    // The reader gets the failure when it reads on or stops.
    ended.catch(() => {});
    return ended;
  };
  let patience: NodeJS.Timeout | undefined;
  try {
    for await (const piece of produce(moment.db)) {
      patience = setTimeout(end, patienceMs);
      yield piece;
      clearTimeout(patience);
      if (ended !== null) throw new DatabaseError('stalled', describeStall(patienceMs));
    }
  } finally {
    clearTimeout(patience);
    await end();
  }
}

function describeStall(patienceMs: number): string {
  return `the reader of a query took no row for ${Math.round(patienceMs / 60_000)} minutes; the query was ended`;
}

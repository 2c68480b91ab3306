/** The clock of the database, which is one for all servers, whose own clocks may differ. */
import type { Queryable } from './connection.js';
import { dialectOf } from './dialect.js';

/** An expression: milliseconds since 1970, less some. */
export function databaseNow(db: Queryable, lessMs = 0) {
  return dialectOf(db) === 'postgres'
    ? db.raw('(extract(epoch from clock_timestamp()) * 1000)::bigint - ?', [lessMs])
    : db.raw(`cast((julianday('now') - 2440587.5) * 86400000 as integer) - ?`, [lessMs]);
}

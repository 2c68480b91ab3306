/** Which server a connection leads to. */
import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';

/** Changes with each start and each fail-over; of SQLite always the same. */
export async function serverOf(db: Knex): Promise<string> {
  if (dialectOf(db) !== 'postgres') return 'sqlite';
  const { rows } = await db.raw('SELECT extract(epoch FROM pg_postmaster_start_time())::text AS server');
  return rows[0].server;
}

/** Time limits that an administrator of PostgreSQL may have set for all statements, where work takes as long as there are rows. */
import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';

/** Some are not in every version. */
const limits = ['statement_timeout', 'lock_timeout', 'transaction_timeout'];

/** Until the end of the transaction no limit ends its statements; nothing on SQLite. */
export async function liftTimeLimits(tx: Knex): Promise<void> {
  if (dialectOf(tx) !== 'postgres') return;
  await tx.raw(
    `SELECT set_config(name, '0', true) FROM pg_catalog.pg_settings WHERE name IN (${limits.map(() => '?').join(', ')})`,
    limits,
  );
}

const lockWaitMs = 500;

/** A statement that waits longer for a lock fails (55P03): whoever needs the table behind it waits no longer than that either. Nothing on SQLite. */
export async function limitLockWait(tx: Knex): Promise<void> {
  if (dialectOf(tx) !== 'postgres') return;
  await liftTimeLimits(tx);
  await tx.raw(`SET LOCAL lock_timeout = ${lockWaitMs}`);
}

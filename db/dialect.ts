/** Which database a connection is to: statements that differ ask here. */
import type { Knex } from 'knex';

export type Dialect = 'sqlite' | 'postgres';

/** That of a transaction or an instance. */
export function dialectOf(db: Knex): Dialect {
  return db.client.dialect === 'postgresql' ? 'postgres' : 'sqlite';
}

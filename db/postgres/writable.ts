/** Tells why a PostgreSQL server that answers takes no writes: a standby, a read-only role, a privilege that was revoked, a full disk. */
import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';
import { describeDatabaseFailure, isDiskFull } from '../error.js';

/** One sentence for the operator; null: it takes writes, or it is SQLite. `db`: a pool whose search path is the schema. */
export async function findWriteFault(db: Knex): Promise<string | null> {
  if (dialectOf(db) !== 'postgres') return null;
  const { rows } = await db.raw(
    `SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS readonly, current_user AS role,
       (SELECT string_agg(name, ', ' ORDER BY name) FROM (
          SELECT c.oid::regclass::text AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind = 'r' AND n.nspname IN ('dropslot_control', 'dropslot_directory')
             AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
               AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
           LIMIT 3) AS few) AS forbidden`,
  );
  const [{ standby, readonly, role, forbidden }] = rows;
  if (standby)
    return 'the database server is a standby and takes no writes: promote it, or connect the nodes to the primary';
  if (readonly)
    return `the database takes no writes: default_transaction_read_only is on. Set it to off for the role ${role}, the database or the server`;
  if (forbidden !== null)
    return `the role ${role} lacks privileges on tables of Dropslot (${forbidden}): make it their owner, or GRANT ALL on them and on their schema`;
  return findFullDisk(db);
}

/** A disk that is full refuses a temporary file too: this one is removed at the end of the statement, and leaves nothing in any table. */
const someRows = 5_000;

async function findFullDisk(db: Knex): Promise<string | null> {
  try {
    await db.transaction(async (tx) => {
      await tx.raw("SET LOCAL work_mem = '64kB'");
      await tx.raw('SELECT count(*) FROM generate_series(1, ?::int)', [someRows]);
    });
    return null;
  } catch (error) {
    // Any other failure, as one of temp_file_limit, says nothing about other writes.
    return isDiskFull(error) ? describeDatabaseFailure(error) : null;
  }
}

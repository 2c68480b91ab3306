/** Opens one schema of a PostgreSQL database, and makes the schema where it is missing; says whose data a database has. */
import type { Knex } from 'knex';
import { DatabaseError } from './error.js';
import { openKnex } from './knex.js';

/** @param connections the most that are open at once. */
export async function openSchema(url: string, schema: string, connections: number): Promise<Knex> {
  // Loaded here only: it takes a tenth of a second, and each session behind an sshd starts a process.
  const { default: pg } = await import('pg');
  // int8 (20) holds identifiers, sizes and milliseconds here: all below 2^53.
  pg.types.setTypeParser(20, Number);
  const instance = openKnex({
    client: 'pg',
    connection: url,
    searchPath: [schema],
    pool: { min: 0, max: connections },
  });
  try {
    await instance.raw('CREATE SCHEMA IF NOT EXISTS ??', [schema]);
  } catch (error) {
    // Two processes that start together may both try; the loser finds the schema.
    if ((error as { code?: string }).code !== '23505') {
      await instance.destroy();
      throw error;
    }
  }
  return instance;
}

/**
 * Whether a database has one of the schemas, and the id of the pair in the first of them. null: it has none of them.
 * @throws DatabaseError `unavailable`
 */
export async function findPair(url: string, schemas: readonly string[]): Promise<{ pairId: string | null } | null> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {}); // the query that it ends has its error
  try {
    await client.connect();
    const { rows: found } = await client.query('SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = ANY($1)', [
      schemas,
    ]);
    if (found.length === 0) return null;
    const table = `${schemas[0]}.pair`;
    const { rows: tables } = await client.query('SELECT to_regclass($1) AS pair', [table]);
    if (tables[0].pair === null) return { pairId: null };
    const { rows: pairs } = await client.query(`SELECT pair_id FROM ${table}`);
    return { pairId: pairs[0]?.pair_id ?? null };
  } catch (cause) {
    const message = `the PostgreSQL database can't be opened: ${(cause as Error).message}`;
    throw new DatabaseError('unavailable', message, { cause });
  } finally {
    await client.end().catch(() => {});
  }
}

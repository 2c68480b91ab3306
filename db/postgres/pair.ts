/** Says whose data a PostgreSQL database has. */
import type pg from 'pg';
import { DatabaseError } from '../error.js';
import { openConnection } from './connect.js';
import { readHosts } from './hosts.js';

/**
 * Whether a database has one of the schemas, and the id of the pair in the first of them. null: it has none of them.
 * @throws DatabaseError `unavailable`
 */
export async function findPair(url: string, schemas: readonly string[]): Promise<{ pairId: string | null } | null> {
  const { default: pg } = await import('pg');
  const client = await connectToAny(pg.Client, url);
  try {
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
    throw unavailable(cause);
  } finally {
    await client.end().catch(() => {});
  }
}

/** To the first server of the URL that answers. */
async function connectToAny(Client: typeof pg.Client, url: string): Promise<pg.Client> {
  let failure: unknown;
  for (const each of readHosts(url)) {
    const client = openConnection(Client, each);
    try {
      await client.connect();
      return client;
    } catch (error) {
      client.end().catch(() => {});
      failure = error;
    }
  }
  throw unavailable(failure);
}

function unavailable(cause: unknown): DatabaseError {
  const message = `the PostgreSQL database can't be opened: ${(cause as Error).message}`;
  return new DatabaseError('unavailable', message, { cause });
}

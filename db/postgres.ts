/** Opens one schema of a PostgreSQL database, and makes the schema where it is missing. */
import type { Knex } from 'knex';
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

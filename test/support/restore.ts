/** Backups of one database of a pair, which a test restores without the other: SQLite's file, or the rows of PostgreSQL's schema. */
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { pathsOf } from '../../config/paths.js';
import type { Settings } from '../../config/settings.js';
import { controlSchema, directorySchema } from '../../db/connection.js';
import type { TestDatabases } from './databases.js';
import { connected } from './template.js';
import { type Scope, temporaryFolder } from './temporary.js';

export type Half = 'control' | 'directory';

export interface Saved {
  /** Puts the database back; no process may have it open. */
  restore(): Promise<void>;
}

export async function saveHalf(scope: Scope, databases: TestDatabases, half: Half): Promise<Saved> {
  const { settings } = databases;
  return settings.database === 'sqlite'
    ? saveFile(scope, databases, half)
    : saveSchema(settings.database, half === 'control' ? controlSchema : directorySchema);
}

async function saveFile(scope: Scope, databases: TestDatabases, half: Half): Promise<Saved> {
  const copy = join(temporaryFolder(scope), 'copy.db');
  await databases[half].read.raw(`VACUUM INTO '${copy}'`);
  return { restore: async () => replaceFile(databases.settings, half, copy) };
}

function replaceFile(settings: Settings, half: Half, copy: string): void {
  const file = pathsOf(settings)[half];
  for (const side of ['-wal', '-shm']) rmSync(`${file}${side}`, { force: true });
  copyFileSync(copy, file);
}

async function saveSchema(url: string, schema: string): Promise<Saved> {
  const { tables, sequences } = await connected(url, (client) => readSchema(client, schema));
  const restore = (client: pg.Client) => writeSchema(client, tables, sequences);
  return { restore: () => connected(url, restore) };
}

async function readSchema(client: pg.Client, schema: string) {
  const found = await client.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = $1`,
    [schema],
  );
  const all = found.rows.map(
    ({ name }) => `SELECT '${name}' AS name, jsonb_agg(to_jsonb(t))::text AS rows FROM ${name} t`,
  );
  const read = await client.query<{ name: string; rows: string | null }>(all.join(' UNION ALL '));
  const tables = new Map(read.rows.map(({ name, rows }) => [name, rows]));
  const sequences = await client.query<{ set: string }>(
    `SELECT format('SELECT setval(''%I.%I'', %s, %L)', schemaname, sequencename, coalesce(last_value, start_value),
       last_value IS NOT NULL) AS set FROM pg_sequences WHERE schemaname = $1`,
    [schema],
  );
  return { tables, sequences: sequences.rows.map(({ set }) => set) };
}

async function writeSchema(
  client: pg.Client,
  tables: ReadonlyMap<string, string | null>,
  sequences: readonly string[],
): Promise<void> {
  const removals = [...tables.keys()].map((name) => `DELETE FROM ${name}`);
  // Foreign keys ask for no order.
  await client.query(['SET session_replication_role = replica', ...removals, ...sequences].join('; '));
  for (const [name, rows] of tables)
    if (rows !== null)
      await client.query(`INSERT INTO ${name} SELECT * FROM jsonb_populate_recordset(NULL::${name}, $1::jsonb)`, [
        rows,
      ]);
}

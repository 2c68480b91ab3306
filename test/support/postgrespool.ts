/**
 * Databases on PostgreSQL that tests use one after the other: making and dropping one costs ten times as much as to empty it.
 * One whose schema a test changed, or that something is still connected to, is not used again.
 */
import { basename } from 'node:path';
import type pg from 'pg';

/** The migrated template: its schemas and a digest of them, its tables, and the rows that migrations wrote. */
interface Contents {
  schemas: string[];
  digest: string;
  tables: string[];
  rows: Record<string, unknown[]>;
  /** The statements that set the sequences. */
  sequences: string[];
}

const run = process.env.TEST_TEMPLATES === undefined ? null : basename(process.env.TEST_TEMPLATES);

/** The condition for the name of a schema that is not PostgreSQL's own. */
const ours = "NOT IN ('information_schema', 'pg_catalog', 'pg_toast')";

/** Read once by each process. */
let contents: Promise<Contents> | undefined;

/** Notes what the template holds, before the first database is copied from it. `template` is connected to it. */
export async function preparePool(server: pg.Client, template: pg.Client): Promise<void> {
  await server.query(`CREATE TABLE IF NOT EXISTS ${run}_idle (name TEXT PRIMARY KEY)`);
  await server.query(`CREATE TABLE IF NOT EXISTS ${run}_contents AS SELECT $1::text AS contents`, [
    JSON.stringify(await readContents(template)),
  ]);
}

/** The name of a database that another test has given back; null: there is none. `server` is connected to the server. */
export async function takeIdle(server: pg.Client): Promise<string | null> {
  if (run === null) return null;
  contents ??= server
    .query<{ contents: string }>(`SELECT contents FROM ${run}_contents`)
    .then(({ rows }) => JSON.parse(rows[0]!.contents));
  const { rows } = await server.query<{ name: string }>(
    `DELETE FROM ${run}_idle WHERE name = (SELECT name FROM ${run}_idle LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING name`,
  );
  return rows[0]?.name ?? null;
}

export async function giveIdle(server: pg.Client, name: string): Promise<void> {
  await server.query(`INSERT INTO ${run}_idle VALUES ($1)`, [name]);
}

/** Makes a database what its template is; false: it can't be used again. */
export async function restoreContents(database: pg.Client): Promise<boolean> {
  if (contents === undefined || (await hasOthers(database))) return false;
  const { schemas, digest, tables, rows, sequences } = await contents;
  for (const name of await listSchemas(database))
    if (!schemas.includes(name)) await database.query(`DROP SCHEMA "${name}" CASCADE`);
  if ((await digestSchema(database)) !== digest) return false;
  await database.query(
    [
      'SET session_replication_role = replica', // foreign keys ask for no order
      ...tables.map((name) => `DELETE FROM ${name}`),
      ...sequences,
    ].join('; '),
  );
  for (const [name, initial] of Object.entries(rows))
    await database.query(`INSERT INTO ${name} SELECT * FROM jsonb_populate_recordset(NULL::${name}, $1)`, [
      JSON.stringify(initial),
    ]);
  return true;
}

async function readContents(template: pg.Client): Promise<Contents> {
  const found = await template.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname ${ours} ORDER BY 1`,
  );
  const tables = found.rows.map(({ name }) => name);
  const rows: Record<string, unknown[]> = {};
  for (const name of tables) {
    const { rows: all } = await template.query<{ row: unknown }>(`SELECT to_jsonb(t) AS row FROM ${name} t`);
    if (all.length > 0) rows[name] = all.map(({ row }) => row);
  }
  const sequences = await template.query<{ set: string }>(
    `SELECT format('SELECT setval(''%I.%I'', %s, %L)', schemaname, sequencename, coalesce(last_value, start_value),
       last_value IS NOT NULL) AS set FROM pg_sequences`,
  );
  return {
    schemas: await listSchemas(template),
    digest: await digestSchema(template),
    tables,
    rows,
    sequences: sequences.rows.map(({ set }) => set),
  };
}

async function listSchemas(database: pg.Client): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>(
    `SELECT nspname AS name FROM pg_namespace WHERE nspname ${ours}`,
  );
  return rows.map(({ name }) => name);
}

/** A program that a test killed may not have left yet. */
async function hasOthers(database: pg.Client): Promise<boolean> {
  const { rowCount } = await database.query(
    `SELECT 1 FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
  );
  return rowCount !== 0;
}

/** Copies have the template's object ids. */
async function digestSchema(database: pg.Client): Promise<string> {
  const { rows } = await database.query<{ digest: string }>(
    `SELECT md5(string_agg(line, ',' ORDER BY line)) AS digest FROM (
       SELECT concat_ws(' ', attrelid, attname, atttypid, attnotnull, attisdropped) AS line
         FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relnamespace::regnamespace::text ${ours}
       UNION ALL SELECT concat_ws(' ', oid, conname) FROM pg_constraint WHERE connamespace::regnamespace::text ${ours}
       UNION ALL SELECT concat_ws(' ', oid, tgenabled) FROM pg_trigger
       UNION ALL SELECT concat_ws(' ', oid, md5(prosrc)) FROM pg_proc WHERE pronamespace::regnamespace::text ${ours}
       UNION ALL SELECT concat_ws(' ', oid, evtname) FROM pg_event_trigger) AS lines`,
  );
  return rows[0]!.digest;
}

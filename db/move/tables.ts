/** The tables of a database that a move copies, as the database itself describes them. */
import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';
import { DatabaseError } from '../error.js';
import { liftTimeLimits } from '../postgres/limits.js';

export interface MovedTable {
  name: string;
  /** Sorted by name: the order of the values in a row. */
  columns: readonly Column[];
  /** The primary key, in its order. */
  key: readonly string[];
}

export interface Column {
  name: string;
  kind: 'number' | 'text' | 'bytes' | 'json';
}

/** A foreign key of PostgreSQL. */
export interface Reference {
  table: string;
  name: string;
  /** As ALTER TABLE … ADD CONSTRAINT takes it. */
  definition: string;
}

/** The number that a table has given out last; 0: none. */
export interface LastNumber {
  table: string;
  column: string;
  last: number;
}

/**
 * Not copied: knex's own tables, the state of a move and its notes, and the key of a sealed directory.db, which belongs to that file.
 */
const own: readonly string[] = ['knex_migrations', 'knex_migrations_lock', 'moves', 'move_changes', 'directory_key'];

/** All tables that are copied, by name. */
export async function listTables(db: Knex): Promise<MovedTable[]> {
  const names = await listNames(db);
  const found: MovedTable[] = [];
  for (const name of names.filter((table) => !own.includes(table)).sort())
    found.push(dialectOf(db) === 'postgres' ? await describeInPostgres(db, name) : await describeInSqlite(db, name));
  return found;
}

/**
 * The tables that both sides have, each as both read it: PostgreSQL knows that a text is JSON.
 * @throws DatabaseError `newer_schema` when the two were made by different versions
 */
export async function listCommonTables(one: Knex, other: Knex): Promise<MovedTable[]> {
  const [left, right] = [await listTables(one), await listTables(other)];
  if (JSON.stringify(left.map(namesOf)) !== JSON.stringify(right.map(namesOf)))
    throw new DatabaseError('newer_schema', 'the two databases have different tables: both must be of this version');
  return left.map((table, place) => {
    const columns = table.columns.map((column, at) =>
      right[place]!.columns[at]!.kind === 'json' ? right[place]!.columns[at]! : column,
    );
    return { ...table, columns };
  });
}

function namesOf({ name, columns, key }: MovedTable): unknown {
  return [name, columns.map((column) => column.name), key];
}

/** Whether a database has tables of Dropslot. */
export async function hasTables(db: Knex): Promise<boolean> {
  return (await listNames(db)).length > 0;
}

async function listNames(db: Knex): Promise<string[]> {
  if (dialectOf(db) === 'postgres')
    return db('pg_catalog.pg_tables').whereRaw('schemaname = current_schema()').pluck('tablename');
  return db('sqlite_master').where({ type: 'table' }).whereRaw("substr(name, 1, 7) <> 'sqlite_'").pluck('name');
}

/** The declared type, as knex writes it for each dialect. */
const kinds: Readonly<Record<string, Column['kind']>> = {
  integer: 'number',
  bigint: 'number',
  text: 'text',
  blob: 'bytes',
  bytea: 'bytes',
  jsonb: 'json',
};

async function describeInSqlite(db: Knex, name: string): Promise<MovedTable> {
  const rows: { name: string; type: string; pk: number }[] = await db.raw(
    'SELECT name, type, pk FROM pragma_table_info(?)',
    [name],
  );
  const key = rows.filter(({ pk }) => pk > 0).sort((one, other) => one.pk - other.pk);
  return describe(
    name,
    rows.map(({ name: column, type }) => ({ column, type })),
    key.map(({ name: column }) => column),
  );
}

async function describeInPostgres(db: Knex, name: string): Promise<MovedTable> {
  const { rows } = await db.raw(
    'SELECT column_name AS column, data_type AS type FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ?',
    [name],
  );
  const key = await db.raw(
    `SELECT a.attname AS column FROM pg_index i
     CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
     WHERE i.indisprimary AND i.indrelid = (quote_ident(current_schema()) || '.' || quote_ident(?))::regclass ORDER BY k.place`,
    [name],
  );
  return describe(
    name,
    rows,
    key.rows.map(({ column }: { column: string }) => column),
  );
}

function describe(name: string, rows: { column: string; type: string }[], key: readonly string[]): MovedTable {
  if (key.length === 0) throw new Error(`table ${name} has no primary key: its rows can't be compared`);
  const columns = rows.map(({ column, type }) => {
    const kind = kinds[type.toLowerCase()];
    if (kind === undefined)
      throw new Error(`column ${column} of ${name} has a type that a move does not know: ${type}`);
    return { name: column, kind };
  });
  return { name, columns: columns.sort((one, other) => (one.name < other.name ? -1 : 1)), key };
}

/** The foreign keys of PostgreSQL; on SQLite a connection leaves them unchecked while tables are filled. */
export async function listReferences(db: Knex): Promise<Reference[]> {
  if (dialectOf(db) !== 'postgres') return [];
  const { rows } = await db.raw(
    `SELECT t.relname AS table, c.conname AS name, pg_get_constraintdef(c.oid) AS definition
     FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
     WHERE c.contype = 'f' AND c.connamespace = (quote_ident(current_schema()))::regnamespace ORDER BY 1, 2`,
  );
  return rows;
}

/** Tables can then be filled in any order. */
export async function dropReferences(db: Knex, references: readonly Reference[]): Promise<void> {
  for (const { table, name } of references) await db.raw('ALTER TABLE ?? DROP CONSTRAINT IF EXISTS ??', [table, name]);
}

const unchecked = ' NOT VALID';

/** Adds those that are missing. @param isChecked PostgreSQL checks every row; else only those that are written later, until `checkReferences` */
export async function addReferences(db: Knex, references: readonly Reference[], isChecked: boolean): Promise<void> {
  const present = new Set((await listReferences(db)).map(({ table, name }) => `${table} ${name}`));
  for (const { table, name, definition } of references)
    if (!present.has(`${table} ${name}`))
      await db.raw(
        `ALTER TABLE ?? ADD CONSTRAINT ?? ${definition.replace(unchecked, '')}${isChecked ? '' : unchecked}`,
        [table, name],
      );
}

/** PostgreSQL checks every row of those that were added without; others write meanwhile. */
export async function checkReferences(db: Knex): Promise<void> {
  for (const { table, name, definition } of await listReferences(db))
    if (definition.endsWith(unchecked))
      await db.transaction(async (tx) => {
        await liftTimeLimits(tx);
        await tx.raw('ALTER TABLE ?? VALIDATE CONSTRAINT ??', [table, name]);
      });
}

/** @throws DatabaseError `unavailable` when a row refers to none; the rows are not changed */
export async function tryReferences(db: Knex, references: readonly Reference[]): Promise<void> {
  try {
    await db.transaction(async (tx) => {
      await liftTimeLimits(tx);
      await addReferences(tx, references, true);
      throw new Undone();
    });
  } catch (cause) {
    if (cause instanceof Undone) return;
    // The server's own words quote values.
    const { table = 'a table', constraint = 'a foreign key' } = cause as { table?: string; constraint?: string };
    if ((cause as { code?: string }).code !== '23503') throw cause;
    throw new DatabaseError('unavailable', `rows of ${table} refer to rows that do not exist (${constraint})`);
  }
}

class Undone extends Error {}

/** Of every table that gives out numbers, by name. */
export async function readLastNumbers(db: Knex, tables: readonly MovedTable[]): Promise<LastNumber[]> {
  const found: LastNumber[] = [];
  for (const { name, key } of tables) {
    const column = key[0]!;
    const last = dialectOf(db) === 'postgres' ? await lastInPostgres(db, name, column) : await lastInSqlite(db, name);
    if (last !== null) found.push({ table: name, column, last });
  }
  return found;
}

/** Joins the caller's transaction. */
export async function writeLastNumbers(db: Knex, numbers: readonly LastNumber[]): Promise<void> {
  for (const { table, column, last } of numbers) {
    if (dialectOf(db) === 'postgres') {
      const sequence = await findSequence(db, table, column);
      await db.raw('SELECT setval(?, ?, ?)', [sequence, Math.max(1, last), last > 0]);
      continue;
    }
    await db('sqlite_sequence').where({ name: table }).delete();
    if (last > 0) await db('sqlite_sequence').insert({ name: table, seq: last });
  }
}

async function lastInPostgres(db: Knex, table: string, column: string): Promise<number | null> {
  const sequence = await findSequence(db, table, column);
  if (sequence === null) return null;
  const { rows } = await db.raw(`SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS last FROM ${sequence}`);
  return Number(rows[0].last);
}

/** Quoted as PostgreSQL needs it; null: the column has none. */
async function findSequence(db: Knex, table: string, column: string): Promise<string | null> {
  const { rows } = await db.raw(
    "SELECT pg_get_serial_sequence(quote_ident(current_schema()) || '.' || quote_ident(?), ?) AS sequence",
    [table, column],
  );
  return rows[0].sequence;
}

async function lastInSqlite(db: Knex, table: string): Promise<number | null> {
  const { sql } = await db('sqlite_master').where({ type: 'table', name: table }).first('sql');
  if (!/autoincrement/i.test(sql)) return null;
  return (await db('sqlite_sequence').where({ name: table }).first('seq'))?.seq ?? 0;
}

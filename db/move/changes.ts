/**
 * Notes the keys of all rows that change while a move copies them: triggers write them into a table, in the transaction of the
 * change. So only these rows are compared again while nothing can be written.
 */
import type { Knex } from 'knex';
import { databaseNow } from '../databaseclock.js';
import { dialectOf } from '../dialect.js';
import type { Key } from './rows.js';
import { listTables, type MovedTable } from './tables.js';

/** Rows of a table that changed; `all`: any of them may have. */
export type ChangedKeys = ReadonlyMap<string, ReadonlyMap<string, Key> | 'all'>;

export interface Changes {
  /** Of the notes. */
  ids: readonly number[];
  keys: ChangedKeys;
}

const notes = 'move_changes';
const trigger = 'dropslot_changed';
const operations = ['INSERT', 'UPDATE', 'DELETE'] as const;
/** More keys are not kept in memory: the table is compared as a whole. */
const mostKeys = 200_000;
/** A note that is no change: whose notes these are, and when that process was last seen. */
const owner = '';

/**
 * Begins anew. Each table gets its triggers in a transaction of its own, which waits for nobody's long one.
 * @param transact repeats what was in another one's way
 */
export async function beginChanges(
  db: Knex,
  moveId: string,
  transact: (work: (tx: Knex) => Promise<void>) => Promise<void>,
): Promise<void> {
  await endChanges(db, transact);
  const id = dialectOf(db) === 'postgres' ? 'BIGSERIAL PRIMARY KEY' : 'INTEGER PRIMARY KEY';
  await transact(async (tx) => {
    await tx.raw(`CREATE TABLE ${notes} (id ${id}, tbl TEXT NOT NULL, key TEXT, at BIGINT)`);
    await tx(notes).insert({ tbl: owner, key: moveId, at: databaseNow(tx) });
  });
  for (const table of await listTables(db)) await transact((tx) => addTriggers(tx, table));
}

/** The notes are still those of this move. */
export async function renewChanges(db: Knex, moveId: string): Promise<boolean> {
  if (!(await hasChanges(db))) return false;
  return (
    (await db(notes)
      .where({ tbl: owner, key: moveId })
      .update({ at: databaseNow(db) })) > 0
  );
}

/** Whether changes are noted, by whichever move. */
export async function hasChanges(db: Knex): Promise<boolean> {
  if (dialectOf(db) !== 'postgres')
    return (await db('sqlite_master').where({ name: notes }).first('name')) !== undefined;
  return (
    (await db('pg_catalog.pg_tables').whereRaw('schemaname = current_schema()').where({ tablename: notes }).first()) !==
    undefined
  );
}

/** Whether the move that has them noted has not been seen for so long. */
export async function areStale(db: Knex, afterMs: number): Promise<boolean> {
  return (
    (await hasChanges(db)) &&
    (await db(notes).where({ tbl: owner }).where('at', '>', databaseNow(db, afterMs)).first('id')) === undefined
  );
}

/** No change is noted any more. */
export async function endChanges(
  db: Knex,
  transact: (work: (tx: Knex) => Promise<void>) => Promise<void>,
): Promise<void> {
  if (dialectOf(db) === 'postgres') {
    const { rows } = await db.raw(
      'SELECT proname AS name FROM pg_catalog.pg_proc WHERE pronamespace::regnamespace = current_schema()::regnamespace AND starts_with(proname, ?)',
      [trigger],
    );
    for (const { name } of rows) await transact((tx) => tx.raw('DROP FUNCTION IF EXISTS ??() CASCADE', [name]));
  } else {
    await transact(async (tx) => {
      const found: string[] = await tx('sqlite_master')
        .where({ type: 'trigger' })
        .whereRaw('substr(name, 1, ?) = ?', [trigger.length, trigger])
        .pluck('name');
      for (const name of found) await tx.raw('DROP TRIGGER ??', [name]);
    });
  }
  await transact((tx) => tx.raw(`DROP TABLE IF EXISTS ${notes}`));
}

/** All notes that `db`, a transaction, sees. null: they are not those of this move. */
export async function readChanges(db: Knex, moveId: string): Promise<Changes | null> {
  if (!(await hasChanges(db))) return null;
  if ((await db(notes).where({ tbl: owner, key: moveId }).first('id')) === undefined) return null;
  const keys = new Map<string, Map<string, Key> | 'all'>();
  const ids: number[] = [];
  for (let after = 0; ; after = ids.at(-1)!) {
    const page: { id: number; tbl: string; key: string | null }[] = await db(notes)
      .where('id', '>', after)
      .whereNot({ tbl: owner })
      .orderBy('id')
      .limit(10_000)
      .select('id', 'tbl', 'key');
    for (const { id, tbl, key } of page) {
      ids.push(Number(id));
      const known = keys.get(tbl) ?? new Map<string, Key>();
      if (known === 'all') continue;
      if (key !== null) {
        const values = JSON.parse(key) as Key;
        known.set(JSON.stringify(values), values);
      }
      keys.set(tbl, key === null || known.size > mostKeys ? 'all' : known);
    }
    if (page.length < 10_000) return { ids, keys };
  }
}

/** They were read, and the rows copied as they were then: a later change has a note of its own. */
export async function forgetChanges(db: Knex, ids: readonly number[]): Promise<void> {
  for (let at = 0; at < ids.length; at += 5000)
    await db(notes)
      .whereIn('id', ids.slice(at, at + 5000))
      .delete();
}

async function addTriggers(tx: Knex, { name, key }: MovedTable): Promise<void> {
  if (dialectOf(tx) === 'postgres') return addToPostgres(tx, name, key);
  const keyIn = (row: 'OLD' | 'NEW') => `json_array(${key.map((column) => `${row}."${column}"`).join(', ')})`;
  const note = (row: 'OLD' | 'NEW', where = '') =>
    `INSERT INTO ${notes} (tbl, key) SELECT '${name}', ${keyIn(row)} ${where};`;
  const bodies = {
    INSERT: note('NEW'),
    DELETE: note('OLD'),
    UPDATE: `${note('OLD')} ${note('NEW', `WHERE ${keyIn('NEW')} <> ${keyIn('OLD')}`)}`,
  };
  for (const operation of operations)
    await tx.raw(
      `CREATE TRIGGER "${trigger}_${name}_${operation.toLowerCase()}" AFTER ${operation} ON "${name}" BEGIN ${bodies[operation]} END`,
    );
}

/** One statement of notes for each statement that changes rows, however many. */
async function addToPostgres(tx: Knex, name: string, key: readonly string[]): Promise<void> {
  const called = `${trigger}_${name}`;
  const note = (rows: string) =>
    `INSERT INTO %1$I.${notes} (tbl, key) SELECT '${name}', jsonb_build_array(${key.map((column) => `"${column}"`).join(', ')})::text FROM ${rows};`;
  const body = `BEGIN
    IF TG_OP = 'TRUNCATE' THEN INSERT INTO %1$I.${notes} (tbl) VALUES ('${name}'); RETURN NULL; END IF;
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' THEN ${note('new_rows')} END IF;
    IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' THEN ${note('old_rows')} END IF;
    RETURN NULL; END`;
  const { rows } = await tx.raw('SELECT format(?, current_schema()) AS body', [body]);
  await tx.raw(`CREATE FUNCTION "${called}"() RETURNS trigger LANGUAGE plpgsql AS $body$ ${rows[0].body} $body$`);
  const tables = { INSERT: 'NEW TABLE AS new_rows', DELETE: 'OLD TABLE AS old_rows' };
  for (const operation of [...operations, 'TRUNCATE'] as const) {
    const referenced =
      operation === 'TRUNCATE'
        ? ''
        : `REFERENCING ${operation === 'UPDATE' ? `${tables.INSERT} ${tables.DELETE}` : tables[operation]}`;
    await tx.raw(
      `CREATE TRIGGER "${called}_${operation.toLowerCase()}" AFTER ${operation} ON "${name}" ${referenced} FOR EACH STATEMENT EXECUTE FUNCTION "${called}"()`,
    );
  }
}

/**
 * Whether a database was moved: the old one has a trigger on each table that refuses every write, whichever process makes it,
 * and no process opens it. A database that is being filled is not opened either.
 */
import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';
import { DatabaseError, movedRefusal } from '../error.js';
import { fillingMark } from '../postgres/fillingmark.js';
import { listTables, type MovedTable, type Reference } from './tables.js';

export interface MoveState {
  /** `copying`: it is being filled. `moved`: it was in use before, and the other one is now. */
  state: 'copying' | 'moved';
  moveId: string;
  pairId: string;
  /** The other database, without secrets. */
  other: string;
  /** Foreign keys that were removed from it while it is filled. */
  references: Record<'control' | 'directory', readonly Reference[]>;
  auditCount: number;
  at: number;
}

/** null: the database is in use. @param control the control database */
export async function readMoveState(control: Knex): Promise<MoveState | null> {
  const row = await control('moves').where({ id: 1 }).first();
  if (row === undefined) return null;
  const { state, move_id: moveId, pair_id: pairId, other, foreign_keys: references, audit_count: auditCount, at } = row;
  return { state, moveId, pairId, other, references: JSON.parse(references), auditCount: Number(auditCount), at };
}

/** Whether a database in use is the one that a move has filled: it has the move's record. */
export async function hasMoved(control: Knex, moveId: string): Promise<boolean> {
  const records: { detail: unknown }[] = await control('audit').where({ action: 'databases.moved' }).select('detail');
  return records.some(({ detail }) => {
    const { move } = (typeof detail === 'string' ? JSON.parse(detail) : detail) as { move?: string };
    return move === moveId;
  });
}

/** null: it is in use again. */
export async function writeMoveState(control: Knex, state: MoveState | null): Promise<void> {
  await control('moves').delete();
  if (state === null) return;
  const { moveId, pairId, auditCount, references, ...rest } = state;
  await control('moves').insert({
    id: 1,
    ...rest,
    move_id: moveId,
    pair_id: pairId,
    audit_count: auditCount,
    foreign_keys: JSON.stringify(references),
  });
}

/** @throws DatabaseError `unavailable` with the operator's next step when the database is not in use */
export async function requireInUse(control: Knex): Promise<void> {
  const state = await readMoveState(control);
  if (state !== null) throw new DatabaseError('unavailable', describeMoveState(state));
}

export function describeMoveState({ state, other, at }: Pick<MoveState, 'state' | 'other' | 'at'>): string {
  const day = new Date(at).toISOString().slice(0, 16).replace('T', ' ');
  return state === 'moved'
    ? `this installation was moved to ${other} at ${day} UTC: set "database" to that one. To come back, run "dropslot migrate" there`
    : `the data of ${other} is being copied into this database since ${day} UTC, or that was interrupted: repeat "dropslot migrate" with the settings of before`;
}

const operations = ['INSERT', 'UPDATE', 'DELETE'] as const;
const refuse = 'dropslot_moved';

/**
 * From the commit on every write to one of the tables fails. Joins the caller's transaction.
 * @param exceptFilling connections of `openToFill` may write: a process that had the database open before can't
 */
export async function refuseWrites(db: Knex, { exceptFilling = false } = {}): Promise<void> {
  await acceptWrites(db);
  const isPostgres = dialectOf(db) === 'postgres';
  if (isPostgres) {
    const leave = exceptFilling ? `IF current_setting('${fillingMark}', true) = 'on' THEN RETURN NULL; END IF;` : '';
    await db.raw(
      `CREATE FUNCTION ${refuse}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${leave} RAISE EXCEPTION '${movedRefusal}' USING ERRCODE = '25006'; END $$`,
    );
  }
  // Only connections that fill a database leave foreign keys alone (db/sqlite/open.ts).
  const when = exceptFilling ? 'WHEN (SELECT foreign_keys FROM pragma_foreign_keys) = 1 ' : '';
  for (const table of await listGuarded(db)) {
    if (isPostgres) {
      await db.raw(
        `CREATE TRIGGER ${refuse} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ?? FOR EACH STATEMENT EXECUTE FUNCTION ${refuse}()`,
        [table],
      );
      continue;
    }
    for (const operation of operations)
      await db.raw(
        `CREATE TRIGGER ?? BEFORE ${operation} ON ?? ${when}BEGIN SELECT RAISE(ABORT, '${movedRefusal}'); END`,
        [`${refuse}_${table}_${operation.toLowerCase()}`, table],
      );
  }
}

/** Takes `refuseWrites` back. Joins the caller's transaction. */
export async function acceptWrites(db: Knex): Promise<void> {
  if (dialectOf(db) === 'postgres') {
    await db.raw(`DROP FUNCTION IF EXISTS ${refuse}() CASCADE`);
    return;
  }
  const triggers: string[] = await db('sqlite_master')
    .where({ type: 'trigger' })
    .whereRaw('substr(name, 1, ?) = ?', [refuse.length, refuse])
    .pluck('name');
  for (const trigger of triggers) await db.raw('DROP TRIGGER ??', [trigger]);
}

/** `moves` itself can be written: it takes the move back. */
async function listGuarded(db: Knex): Promise<string[]> {
  return (await listTables(db)).map(({ name }: MovedTable) => name);
}

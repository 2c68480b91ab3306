/** Makes a table of one database equal to that of another, and reads the result again: only rows that differ are written. */
import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';
import { DatabaseError } from '../error.js';
import { compareKeys, type Digest, lineOf, type Row, RowDigest, readRows } from './rows.js';
import type { MovedTable } from './tables.js';

export interface Sides {
  /** A transaction that sees one moment. */
  from: Knex;
  /** Reads see every commit of `write`. */
  to: { read: Knex; write: Knex };
}

export interface Filled {
  removed: number;
  written: number;
  /** Both sides were read row by row, and equal; null: rows were written, and not read again. */
  equal: Digest | null;
}

type OnRows = (rows: number) => void;

/** The limits of both dialects for the values of one statement. */
const mostValues = 30_000;
const mostRows = 1000;
/** Of all values of one statement: letters of texts, and bytes. */
const mostLetters = 2 ** 22;

/**
 * @param onRows gets the number of rows that were read from the source since the last call
 * @throws DatabaseError `unavailable` that names the table when a row can't be written
 */
export async function fillTable(sides: Sides, table: MovedTable, onRows: OnRows = () => {}): Promise<Filled> {
  const { to } = sides;
  const isEmpty = (await to.read(table.name).first(to.read.raw('1'))) === undefined;
  // First all that differs goes away: two rows may have exchanged a value that is unique.
  const { removed, missing, digest } = isEmpty
    ? { removed: 0, missing: 1, digest: null }
    : await removeWrong(sides, table, onRows);
  if (missing === 0) return { removed, written: 0, equal: removed === 0 ? digest : null };
  return { removed, written: await writeMissing(sides, table, isEmpty, onRows), equal: null };
}

/** Counts and hashes a table. */
export function digestTable(db: Knex, table: MovedTable): Promise<Digest> {
  return atMoment(db, async (now) => {
    const digest = new RowDigest();
    for await (const page of readRows(now, table)) for (const row of page) digest.add(row);
    return digest.get();
  });
}

/** A cursor of PostgreSQL needs a transaction; on SQLite, pages by key do not, and a transaction would wait for the writer. */
function atMoment<T>(db: Knex, work: (db: Knex) => Promise<T>): Promise<T> {
  if (dialectOf(db) === 'sqlite' || db.isTransaction === true) return work(db);
  return db.transaction(work, { isolationLevel: 'repeatable read', readOnly: true });
}

async function removeWrong({ from, to }: Sides, table: MovedTable, onRows: OnRows) {
  let removed = 0;
  let missing = 0;
  const digest = new RowDigest();
  const wrong = new Batch(table, async (rows) => {
    removed += await deleteRows(to.write, table, rows);
  });
  await atMoment(to.read, async (now) => {
    for await (const [expected, found] of pair(table, readRows(from, table), readRows(now, table), onRows)) {
      const line = expected === null ? null : digest.add(expected);
      if (found !== null && line === lineOf(found)) continue;
      if (expected !== null) missing++;
      if (found !== null) await wrong.add(found);
    }
  });
  await wrong.end();
  return { removed, missing, digest: digest.get() };
}

async function writeMissing({ from, to }: Sides, table: MovedTable, isEmpty: boolean, onRows: OnRows): Promise<number> {
  let written = 0;
  const batch = new Batch(table, async (rows) => {
    await insertRows(to.write, table, rows);
    written += rows.length;
  });
  if (isEmpty) {
    for await (const page of readRows(from, table)) {
      for (const row of page) await batch.add(row);
      onRows(page.length);
    }
  } else {
    await atMoment(to.read, async (now) => {
      for await (const [expected, found] of pair(table, readRows(from, table), readRows(now, table)))
        if (found === null && expected !== null) await batch.add(expected);
    });
  }
  await batch.end();
  return written;
}

/** Rows of both sides with the same key come together; one that only one side has comes with null. */
async function* pair(
  table: MovedTable,
  one: AsyncGenerator<Row[]>,
  other: AsyncGenerator<Row[]>,
  onRows: OnRows = () => {},
): AsyncGenerator<[Row | null, Row | null]> {
  const left = single(one, onRows);
  const right = single(other);
  let expected = await left.next();
  let found = await right.next();
  while (expected.done !== true || found.done !== true) {
    const order =
      expected.done === true ? 1 : found.done === true ? -1 : compareKeys(table, expected.value, found.value);
    yield [order <= 0 ? (expected.value as Row) : null, order >= 0 ? (found.value as Row) : null];
    if (order <= 0) expected = await left.next();
    if (order >= 0) found = await right.next();
  }
}

async function* single(pages: AsyncGenerator<Row[]>, onRows: OnRows = () => {}): AsyncGenerator<Row> {
  for await (const page of pages) {
    yield* page;
    onRows(page.length);
  }
}

/** Rows that go into one statement. */
class Batch {
  readonly #most: number;
  readonly #use: (rows: Row[]) => Promise<void>;
  #rows: Row[] = [];
  #letters = 0;

  constructor({ columns }: MovedTable, use: (rows: Row[]) => Promise<void>) {
    this.#most = Math.min(mostRows, Math.floor(mostValues / columns.length));
    this.#use = use;
  }

  async add(row: Row): Promise<void> {
    this.#rows.push(row);
    for (const value of row) if (value !== null && typeof value !== 'number') this.#letters += value.length;
    if (this.#rows.length >= this.#most || this.#letters >= mostLetters) await this.end();
  }

  async end(): Promise<void> {
    const rows = this.#rows;
    this.#rows = [];
    this.#letters = 0;
    if (rows.length > 0) await this.#use(rows);
  }
}

async function deleteRows(db: Knex, { name, columns, key }: MovedTable, rows: readonly Row[]): Promise<number> {
  const places = key.map((column) => columns.findIndex((one) => one.name === column));
  const keys = rows.map((row) => places.map((place) => row[place] as string | number));
  return db(name)
    .whereIn([...key], keys)
    .delete();
}

async function insertRows(db: Knex, table: MovedTable, rows: readonly Row[]): Promise<void> {
  try {
    if (rows.some((row) => row.some(Buffer.isBuffer))) for (const row of rows) await insertRow(db, table, row);
    else await insertJson(db, table, rows);
  } catch (cause) {
    // The driver's own words, and the statement, may quote values.
    const { code } = cause as { code?: string };
    throw new DatabaseError(
      'unavailable',
      `rows of ${table.name} can't be written to the new database (${code ?? 'no code'})`,
    );
  }
}

async function insertRow(db: Knex, { name, columns }: MovedTable, row: Row): Promise<void> {
  await db(name).insert(Object.fromEntries(columns.map((column, place) => [column.name, row[place]])));
}

/** All rows as one value: the dialects limit the number of values in a statement, and of rows that are listed in it. */
async function insertJson(db: Knex, { name, columns }: MovedTable, rows: readonly Row[]): Promise<void> {
  const names = columns.map((column) => `"${column.name}"`).join(', ');
  if (dialectOf(db) === 'sqlite') {
    const values = columns.map((_, place) => `json_extract(value, '$[${place}]')`).join(', ');
    await db.raw(`INSERT INTO "${name}" (${names}) SELECT ${values} FROM json_each(?)`, [JSON.stringify(rows)]);
    return;
  }
  const records = rows.map((row) =>
    Object.fromEntries(
      columns.map(({ name: column, kind }, place) => {
        const value = row[place]!;
        return [column, kind === 'json' && value !== null ? JSON.parse(value as string) : value];
      }),
    ),
  );
  await db.raw(
    `INSERT INTO "${name}" (${names}) SELECT ${names} FROM json_populate_recordset(NULL::"${name}", ?::json)`,
    [JSON.stringify(records)],
  );
}

/** Makes a table of one database equal to that of another, and reads the result again: only rows that differ are written. */
import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';
import { DatabaseError } from '../error.js';
import { liftTimeLimits } from '../postgres/limits.js';
import {
  compareKeys,
  type Digest,
  type Key,
  keyOf,
  lineOf,
  pageSize,
  type Row,
  RowDigest,
  readByKeys,
  readRows,
} from './rows.js';
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
  /** Of the source's rows. */
  digest: RowDigest;
}

type OnRows = (rows: number) => void;

/** The limits of both dialects for the values of one statement. */
const mostValues = 30_000;
const mostRows = 1000;
/** Of all values of one statement: letters of texts, and bytes. */
const mostLetters = 2 ** 22;

/**
 * Compares every row, and writes those that differ.
 * @param onRows gets the number of rows that were read from the source since the last call
 * @param onDiffering gets the key of each row that was written or removed, and was not read again
 * @throws DatabaseError `unavailable` that names the table when a row can't be written
 */
export async function fillTable(
  sides: Sides,
  table: MovedTable,
  onRows: OnRows = () => {},
  onDiffering: (key: Key) => void = () => {},
): Promise<Filled> {
  const { to } = sides;
  const isEmpty = (await to.read(table.name).first(to.read.raw('1'))) === undefined;
  if (isEmpty) return writeAll(sides, table, onRows, onDiffering);
  // First all that differs goes away: two rows may have exchanged a value that is unique.
  const { removed, missing, digest } = await removeWrong(sides, table, onRows, onDiffering);
  return { removed, written: missing === 0 ? 0 : await writeMissing(sides, table), digest };
}

/**
 * As fillTable, for the rows with these keys, which are read again after they were written.
 * @param to a transaction
 * @param digest of the rows that the table has before, and then of those after
 * @returns how many rows were written or removed
 * @throws DatabaseError `unavailable` as fillTable, and when a row is not as it was written
 */
export async function fillRows(
  { from, to }: { from: Knex; to: Knex },
  table: MovedTable,
  keys: readonly Key[],
  digest: RowDigest,
): Promise<number> {
  const differing: Key[] = [];
  for (const part of chunks(keys, pageSize(table))) {
    const [expected, found] = [await readByKeys(from, table, part), await readByKeys(to, table, part)];
    const wrong: Row[] = [];
    for (const key of part) {
      const name = JSON.stringify(key);
      const [one, other] = [expected.get(name), found.get(name)];
      if ((one && lineOf(one)) === (other && lineOf(other))) continue;
      differing.push(key);
      if (other === undefined) continue;
      digest.remove(other);
      wrong.push(other);
    }
    if (wrong.length > 0) await deleteRows(to, table, wrong);
  }
  for (const part of chunks(differing, pageSize(table))) {
    const expected = await readByKeys(from, table, part);
    const batch = new Batch(table, (rows) => insertRows(to, table, rows));
    for (const row of expected.values()) await batch.add(row);
    await batch.end();
    const written = await readByKeys(to, table, part);
    for (const [name, row] of expected)
      if (digest.add(row) !== lineOf(written.get(name) ?? [])) throw notAsWritten(table);
    if (written.size !== expected.size) throw notAsWritten(table);
  }
  return differing.length;
}

function notAsWritten({ name }: MovedTable): DatabaseError {
  return new DatabaseError('unavailable', `rows of ${name} are not in the new database as they were written`);
}

function* chunks<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
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
  const config = { isolationLevel: 'repeatable read', readOnly: true } as const;
  return db.transaction(async (tx) => {
    await liftTimeLimits(tx);
    return work(tx);
  }, config);
}

async function removeWrong({ from, to }: Sides, table: MovedTable, onRows: OnRows, onDiffering: (key: Key) => void) {
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
      onDiffering(keyOf(table, (expected ?? found)!));
      if (expected !== null) missing++;
      if (found !== null) await wrong.add(found);
    }
  });
  await wrong.end();
  return { removed, missing, digest };
}

async function writeAll({ from, to }: Sides, table: MovedTable, onRows: OnRows, onDiffering: (key: Key) => void) {
  let written = 0;
  const digest = new RowDigest();
  const batch = new Batch(table, async (rows) => {
    await insertRows(to.write, table, rows);
    written += rows.length;
  });
  for await (const page of readRows(from, table)) {
    for (const row of page) {
      digest.add(row);
      onDiffering(keyOf(table, row));
      await batch.add(row);
    }
    onRows(page.length);
  }
  await batch.end();
  return { removed: 0, written, digest };
}

async function writeMissing({ from, to }: Sides, table: MovedTable): Promise<number> {
  let written = 0;
  const batch = new Batch(table, async (rows) => {
    await insertRows(to.write, table, rows);
    written += rows.length;
  });
  await atMoment(to.read, async (now) => {
    for await (const [expected, found] of pair(table, readRows(from, table), readRows(now, table)))
      if (found === null && expected !== null) await batch.add(expected);
  });
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

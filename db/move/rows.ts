/** Reads the rows of a table in the order of its primary key, alike from both dialects, some at a time. */
import { hash } from 'node:crypto';
import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';
import type { Column, MovedTable } from './tables.js';

export type Value = number | string | Buffer | null;

/** The values in the order of the table's columns. JSON has its keys sorted: PostgreSQL keeps them in another order. */
export type Row = readonly Value[];

const usualRows = 1000;
/** Bytes may be megabytes in each row. */
const rowsWithBytes = 4;

/** @param db a transaction, so that a reader on PostgreSQL has one moment */
export async function* readRows(db: Knex, table: MovedTable): AsyncGenerator<Row[]> {
  const size = pageSize(table);
  const pages = dialectOf(db) === 'postgres' ? byCursor(db, table, size) : byKey(db, table, size);
  for await (const page of pages)
    yield page.map((row) => table.columns.map(({ name, kind }) => readers[kind](row[name])));
}

type Read = Record<string, unknown>;

/** One sort for each table: an index of PostgreSQL has the order of the database's language, not that of the bytes. */
async function* byCursor(db: Knex, { name, columns, key }: MovedTable, size: number): AsyncGenerator<Read[]> {
  const order = key.map((column) => (kindOf(columns, column) === 'text' ? `"${column}" COLLATE "C"` : `"${column}"`));
  const cursor = `move_${name}`;
  await db.raw(`DECLARE ?? NO SCROLL CURSOR FOR SELECT * FROM ?? ORDER BY ${order.join(', ')}`, [cursor, name]);
  try {
    for (;;) {
      const { rows } = await db.raw(`FETCH ${size} FROM ??`, [cursor]);
      if (rows.length > 0) yield rows;
      if (rows.length < size) return;
    }
  } finally {
    await db.raw('CLOSE ??', [cursor]).catch(() => {}); // a transaction that failed has closed it
  }
}

async function* byKey(db: Knex, { name, key }: MovedTable, size: number): AsyncGenerator<Read[]> {
  const places = key.map(() => '?').join(', ');
  const names = key.map((column) => `"${column}"`).join(', ');
  for (let after: Read | null = null; ; ) {
    const last: Read | null = after;
    const page: Read[] = await db(name)
      .select('*')
      .modify((query) => {
        if (last !== null)
          query.whereRaw(`(${names}) > (${places})`, key.map((column) => last[column]) as Knex.RawBinding[]);
      })
      .orderByRaw(names)
      .limit(size);
    if (page.length > 0) yield page;
    if (page.length < size) return;
    after = page.at(-1)!;
  }
}

const readers: Readonly<Record<Column['kind'], (value: unknown) => Value>> = {
  number: (value) => value as number | null,
  // On SQLite a text column of JSON is one of text here; the other side says that it is JSON.
  text: (value) => value as string | null,
  bytes: (value) => (value === null ? null : Buffer.from(value as Uint8Array)),
  json: (value) => (value === null ? null : sortJson(value)),
};

/** @param value a text, or the value that PostgreSQL's driver made of it */
function sortJson(value: unknown): string {
  const parsed: unknown = typeof value === 'string' ? JSON.parse(value) : value;
  return JSON.stringify(parsed, (_, inner) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  );
}

/** Orders two rows as both dialects do: numbers by value, texts by their bytes. */
export function compareKeys({ columns, key }: MovedTable, one: Row, other: Row): number {
  for (const column of key) {
    const place = columns.findIndex(({ name }) => name === column);
    const order = compareValues(one[place]!, other[place]!);
    if (order !== 0) return order;
  }
  return 0;
}

function compareValues(one: Value, other: Value): number {
  if (typeof one === 'number' && typeof other === 'number') return one - other;
  return Buffer.compare(Buffer.from(one as string), Buffer.from(other as string));
}

/** One line of text for each row: equal rows have equal lines. */
export function lineOf(row: Row): string {
  return JSON.stringify(row.map((value) => (Buffer.isBuffer(value) ? { bytes: value.toString('base64') } : value)));
}

export interface Digest {
  rows: number;
  /** The sum of the SHA-256 of every row, modulo 2^256, in hexadecimal: it does not depend on their order, and follows single changes. */
  sha256: string;
}

/** Counts and hashes the rows of one table, in any order. */
export class RowDigest {
  #rows = 0;
  #sum = 0n;

  /** @returns the row's line */
  add(row: Row): string {
    const line = lineOf(row);
    this.#rows++;
    this.#sum += hashOf(line);
    return line;
  }

  remove(row: Row): void {
    this.#rows--;
    this.#sum -= hashOf(lineOf(row));
  }

  get(): Digest {
    return { rows: this.#rows, sha256: BigInt.asUintN(256, this.#sum).toString(16).padStart(64, '0') };
  }
}

function hashOf(line: string): bigint {
  return BigInt(`0x${hash('sha256', line)}`);
}

/** The values of a row's primary key, in its order. */
export type Key = readonly (number | string)[];

export function keyOf({ columns, key }: MovedTable, row: Row): Key {
  return key.map((column) => row[columns.findIndex(({ name }) => name === column)] as number | string);
}

/** The rows with these keys, by the JSON of their key; those that are missing are left out. */
export async function readByKeys(db: Knex, table: MovedTable, keys: readonly Key[]): Promise<Map<string, Row>> {
  const { name, columns, key } = table;
  const query =
    key.length === 1
      ? db(name).whereIn(
          key[0]!,
          keys.map(([only]) => only!),
        )
      : db(name).whereIn([...key], keys as unknown as Knex.Value[][]);
  const found: Read[] = await query.select('*');
  const rows = found.map((row) => columns.map(({ name: column, kind }) => readers[kind](row[column])));
  return new Map(rows.map((row) => [JSON.stringify(keyOf(table, row)), row]));
}

/** How many rows a query reads at once. */
export function pageSize({ columns }: MovedTable): number {
  return columns.some(({ kind }) => kind === 'bytes') ? rowsWithBytes : usualRows;
}

function kindOf(columns: readonly Column[], name: string): Column['kind'] {
  return columns.find((column) => column.name === name)!.kind;
}

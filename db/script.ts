/**
 * Runs statements in few calls of the database. On SQLite the call costs ten times as much as a statement on a few rows: those
 * without an answer wait for the next one that has one, and run with it, in their order, as one call.
 */
import type { Knex } from 'knex';
import { type Dialect, dialectOf } from './dialect.js';
import { runBeforeNext, runWaiting } from './sqlite/client.js';
import type { SqliteConnection } from './sqlite/driver.js';

/** The values of a statement's `:name`s. */
export type Bindings = Readonly<Record<string, unknown>>;

export interface Script {
  /** Runs a statement without an answer, now or later. Its error, and that of any that waits, may be thrown by a later call. */
  run(sql: string, bindings?: Bindings): Promise<void>;
  /** The rows of a query, which sees all earlier statements. */
  rows<T>(sql: string, bindings?: Bindings): Promise<T[]>;
  /** Runs the statements that wait. */
  flush(): Promise<void>;
  /** As flush, but in a transaction on SQLite: they run with its next query, or its COMMIT, which has their error. */
  leave(): Promise<void>;
}

/** @param db a transaction, or an instance with one connection: the statements belong to one connection. */
export function openScript(db: Knex, dialect: Dialect): Script {
  return dialect === 'sqlite' ? openWaiting(db) : openImmediate(db);
}

/** Runs the statements that `work` gives to a script of its own. @param tx as openScript takes it */
export async function inScript<T>(tx: Knex, work: (script: Script) => Promise<T>): Promise<T> {
  const script = openScript(tx, dialectOf(tx));
  const result = await work(script);
  await script.flush();
  return result;
}

/** Adds rows, of one shape and not none, to a table, as one statement. */
export function insertRows(script: Script, table: string, rows: readonly Bindings[]): Promise<void> {
  const columns = Object.keys(rows[0]!);
  const bindings: Record<string, unknown> = {};
  const tuples = rows.map((row, index) => {
    for (const column of columns) bindings[`${column}_${index}`] = row[column];
    return `(${columns.map((column) => `:${column}_${index}`).join(', ')})`;
  });
  return script.run(`INSERT INTO ${table} (${columns.join(', ')}) VALUES ${tuples.join(', ')}`, bindings);
}

function openImmediate(db: Knex): Script {
  return {
    run: async (sql, bindings = {}) => {
      await db.raw(sql, bindings as never);
    },
    rows: async (sql, bindings = {}) => (await db.raw(sql, bindings as never)).rows,
    flush: async () => {},
    leave: async () => {},
  };
}

/**
 * Runs a statement without an answer with the next query of the transaction, or its COMMIT, which has its error: on SQLite that
 * saves a call. Outside of a transaction, and on PostgreSQL, at once.
 */
export async function runLater(tx: Knex, sql: string, bindings: Bindings): Promise<void> {
  const text = dialectOf(tx) === 'sqlite' && tx.isTransaction === true ? withValues(sql, bindings) : null;
  if (text === null) await tx.raw(sql, bindings as never);
  else await onConnection(tx, async (connection) => runBeforeNext(connection, text));
}

/** As runLater, adds a row to a table. */
export function insertLater(tx: Knex, table: string, row: Bindings): Promise<void> {
  const columns = Object.keys(row);
  const values = columns.map((column) => `:${column}`).join(', ');
  return runLater(tx, `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${values})`, row);
}

/** The rows of a query that needs no statement which still waits; on SQLite it lets them wait on. */
export async function readAhead<T>(tx: Knex, sql: string, bindings: readonly (string | number)[]): Promise<T[]> {
  if (dialectOf(tx) !== 'sqlite') return (await tx.raw(sql, bindings)).rows;
  return onConnection(tx, async (connection) => (await connection.run(sql, bindings, true)).rows as T[]);
}

/** Longer scripts, in characters, do not wait: memory holds one. */
const longestScript = 256 * 1024;

function openWaiting(db: Knex): Script {
  let waiting: string[] = [];
  let length = 0;
  const flush = async () => {
    if (waiting.length === 0) return;
    const script = waiting;
    waiting = [];
    length = 0;
    await onConnection(db, (connection) => runWaiting(connection, script));
  };
  return {
    run: async (sql, bindings = {}) => {
      const text = withValues(sql, bindings);
      if (text === null) {
        await flush();
        await db.raw(sql, bindings as never);
        return;
      }
      waiting.push(text);
      length += text.length;
      if (length > longestScript) await flush();
    },
    rows: async <T>(sql: string, bindings: Bindings = {}) => {
      await flush();
      const text = withValues(sql, bindings);
      if (text === null) return (await db.raw(sql, bindings as never)) as T[];
      const { rows } = await onConnection(db, async (connection) => {
        await runWaiting(connection);
        return connection.run(text, [], true);
      });
      return rows as T[];
    },
    flush,
    leave: async () => {
      if (db.isTransaction !== true) return flush();
      const script = waiting.splice(0);
      length = 0;
      await onConnection(db, async (connection) => {
        for (const text of script) runBeforeNext(connection, text);
      });
    },
  };
}

async function onConnection<T>(db: Knex, use: (connection: SqliteConnection) => Promise<T>): Promise<T> {
  const connection: SqliteConnection = await db.client.acquireConnection();
  try {
    return await use(connection);
  } finally {
    await db.client.releaseConnection(connection);
  }
}

/** A longer text is bound: parsing it costs more than the call. */
const longestText = 4096;
const longestBytes = 1024;

/** SQLite's statement with its values in it; null: it has a value that can't stand there, and must be bound. */
export function withValues(sql: string, bindings: Bindings): string | null {
  let isWhole = true;
  // Its values may be in its text already, and have anything in them.
  if (Object.keys(bindings).length === 0) return sql;
  const text = sql.replace(/:(\w+)/g, (whole, name: string) => {
    if (!Object.hasOwn(bindings, name)) return whole;
    const literal = literalOf(bindings[name]);
    isWhole &&= literal !== null;
    return literal ?? '';
  });
  return isWhole ? text : null;
}

/** In a text of SQLite only the quote has a meaning, and is doubled; NUL would end the statement. */
function literalOf(value: unknown): string | null {
  if (value === null) return 'NULL';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : null;
  if (value instanceof Uint8Array)
    return value.length > longestBytes ? null : `X'${Buffer.from(value).toString('hex')}'`;
  if (typeof value !== 'string' || value.length > longestText || value.includes('\0')) return null;
  return `'${value.replaceAll("'", "''")}'`;
}

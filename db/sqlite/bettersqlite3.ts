/**
 * The drivers `better-sqlite3` and `better-sqlite3-multiple-ciphers`, which is the same with encryption: statements run on the event loop. The wait for another connection's lock does not: SQLite's
 * own busy timeout would stop the whole process, so a statement that finds a lock is run again after a pause.
 */
import { closeSync, openSync } from 'node:fs';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { cipherPragmas, keyClause } from './cipher.js';
import { copyContent } from './content.js';
import type { OpenOptions, OpenSqlite, SqliteConnection, SqliteResult } from './driver.js';
import { isRepeated, StatementCache } from './statements.js';

/** The part of the library that is used here: it is an optional package, and brings no types. */
interface Database {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  backup(file: string, options: { progress: () => number }): Promise<unknown>;
  close(): void;
}

interface Statement {
  /** Whether it returns rows. */
  readonly reader: boolean;
  all(values: readonly unknown[]): unknown[];
  run(values: readonly unknown[]): { changes: number; lastInsertRowid: number };
}

type Library = new (file: string, options: { timeout: number; fileMustExist: boolean }) => Database;

/** The longest pause between two attempts, in milliseconds. */
const longestPauseMs = 50;
/** Codes of a lock that will be released. Not SQLITE_BUSY_SNAPSHOT: that transaction can only be rolled back. */
const waitingCodes = ['SQLITE_BUSY', 'SQLITE_BUSY_RECOVERY'];
const allPages = 0x7fffffff;

/** @throws ERR_MODULE_NOT_FOUND when the package is not installed. */
export async function loadBetterSqlite3(name: string): Promise<OpenSqlite> {
  const { default: Library } = (await import(name)) as { default: Library };
  return (file, options) => open(Library, file, options);
}

async function open(
  Library: Library,
  file: string,
  { waitMs, mustExist, key = null }: OpenOptions,
): Promise<SqliteConnection> {
  const attempt = <T>(work: () => T) => waitForLock(waitMs, work);
  const database = await attempt(() => new Library(file, { timeout: 0, fileMustExist: mustExist === true }));
  // This library is compiled with the opposite of SQLite's default.
  database.exec('PRAGMA foreign_keys = OFF');
  if (key !== null) for (const pragma of cipherPragmas(key)) database.exec(pragma);
  const statements = new StatementCache<Statement>();
  const connection: SqliteConnection = {
    execute: (sql) => attempt(() => void database.exec(sql)),
    executeNow: (begin, statements) => waitForLock(0, () => void database.exec([begin, ...statements].join(';\n'))),
    run: (sql, values) =>
      attempt(() => {
        const statement = statements.take(sql) ?? database.prepare(sql);
        const result = run(statement, values.map(toBound));
        if (isRepeated(sql, values, true)) statements.keep(sql, statement);
        return result;
      }),
    copyTo: async (to) => {
      // SQLite copies pages only between files that are sealed alike, and the library opens the new one without a key.
      if (key !== null) return copySealed(connection, to, key);
      await database.backup(to, { progress: () => allPages }).catch((error) => {
        throw asPlainError(error);
      });
    },
    close: async () => database.close(),
  };
  return connection;
}

/** It reads all rows, whether they are wanted or not: the statement has ended then. */
function run(statement: Statement, values: readonly unknown[]): SqliteResult {
  if (statement.reader) {
    const rows = statement.all(values);
    return { rows, changes: rows.length, lastId: 0 };
  }
  const { changes, lastInsertRowid } = statement.run(values);
  return { rows: [], changes, lastId: lastInsertRowid };
}

/** Ends the transaction that is open. */
async function copySealed(connection: SqliteConnection, to: string, key: string): Promise<void> {
  closeSync(openSync(to, 'wx', 0o600)); // ATTACH makes no file on a connection that must not make its own
  await connection.execute(`ATTACH DATABASE '${to.replaceAll("'", "''")}' AS copy ${keyClause(key)}`);
  await copyContent(connection, 'main', 'copy');
  await connection.execute('COMMIT');
}

/**
 * Runs `work` until it finds no lock, for at most `waitMs`. Each statement takes a turn of the event loop: a caller that
 * runs one after the other would otherwise leave no time for sockets and timers.
 */
async function waitForLock<T>(waitMs: number, work: () => T): Promise<T> {
  let waitedMs = 0;
  await nextTurn();
  for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    try {
      return work();
    } catch (error) {
      if (waitedMs >= waitMs || !waitingCodes.includes(codeOf(error))) throw asPlainError(error);
    }
    await sleep(pauseMs);
    waitedMs += pauseMs;
  }
}

/** The library binds every number as REAL, and refuses booleans and dates; sqlite3 stores all three as integers. */
function toBound(value: unknown): unknown {
  if (Number.isSafeInteger(value)) return BigInt(value as number);
  if (typeof value === 'boolean') return value ? 1n : 0n;
  return value instanceof Date ? BigInt(value.getTime()) : value;
}

/** With the primary code, in `code` and before the message, as sqlite3 writes it: SQLITE_CONSTRAINT, not SQLITE_CONSTRAINT_UNIQUE. */
function asPlainError(error: unknown): unknown {
  const code = /^SQLITE_[A-Z]+/.exec(codeOf(error))?.[0];
  if (code === undefined) return error;
  return Object.assign(new Error(`${code}: ${(error as Error).message}`, { cause: error }), { code });
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? '');
}

/** The driver `sqlite3`: statements run on a thread of the pool, so that the event loop never waits for SQLite. */
import sqlite3 from 'sqlite3';
import type { OpenOptions, SqliteConnection, SqliteResult } from './driver.js';
import { isRepeated, StatementCache } from './statements.js';

type Done = (error: Error | null) => void;

/** The library's types leave the online backup out. */
interface Backup {
  step(pages: number, done: Done): void;
  finish(done: Done): void;
}

export async function openSqlite3(file: string, { waitMs, mustExist }: OpenOptions): Promise<SqliteConnection> {
  const flags = sqlite3.OPEN_READWRITE | (mustExist === true ? 0 : sqlite3.OPEN_CREATE);
  const database = await new Promise<sqlite3.Database>((resolve, reject) => {
    const opened = new sqlite3.Database(file, flags, (error) => (error === null ? resolve(opened) : reject(error)));
  });
  database.configure('busyTimeout', waitMs);
  const statements = new StatementCache<sqlite3.Statement>((statement) => statement.finalize());
  const execute = (sql: string) => called((done) => database.exec(sql, done));
  const wait = `PRAGMA busy_timeout = ${waitMs}`;
  return {
    execute,
    executeNow: async (begin, more) => {
      try {
        await execute(['PRAGMA busy_timeout = 0', begin, wait, ...more].join(';\n'));
      } catch (error) {
        await execute(wait).catch(() => {}); // then the connection is closed
        throw error;
      }
    },
    run: async (sql, values, wantsRows) => {
      if (!isRepeated(sql, values, wantsRows)) return runOnce(database, sql, values, wantsRows);
      const statement = statements.take(sql) ?? (await prepare(database, sql));
      try {
        const result = await runAgain(statement, values, wantsRows);
        statements.keep(sql, statement);
        return result;
      } catch (error) {
        statement.finalize();
        throw error;
      }
    },
    copyTo: (to) => copy(database, to),
    close: () => {
      statements.clear();
      return called((done) => database.close(done));
    },
  };
}

function prepare(database: sqlite3.Database, sql: string): Promise<sqlite3.Statement> {
  return new Promise((resolve, reject) => {
    const statement: sqlite3.Statement = database.prepare(sql, (error) =>
      error === null ? resolve(statement) : reject(error),
    );
  });
}

function runOnce(
  database: sqlite3.Database,
  sql: string,
  values: readonly unknown[],
  wantsRows: boolean,
): Promise<SqliteResult> {
  return answered(wantsRows, (done) => (wantsRows ? database.all(sql, values, done) : database.run(sql, values, done)));
}

function runAgain(statement: sqlite3.Statement, values: readonly unknown[], wantsRows: boolean): Promise<SqliteResult> {
  return answered(wantsRows, (done) => (wantsRows ? statement.all(values, done) : statement.run(values, done)));
}

type Answer = (this: sqlite3.RunResult, error: Error | null, rows?: unknown[]) => void;

function answered(wantsRows: boolean, work: (done: Answer) => void): Promise<SqliteResult> {
  return new Promise((resolve, reject) =>
    work(function (error, rows = []) {
      if (error !== null) reject(error);
      else if (wantsRows) resolve({ rows, changes: rows.length, lastId: 0 });
      else resolve({ rows: [], changes: this.changes, lastId: this.lastID });
    }),
  );
}

/** All pages in one step: SQLite would start again whenever another connection writes in between. */
async function copy(from: sqlite3.Database, to: string): Promise<void> {
  const backup = await new Promise<Backup>((resolve, reject) => {
    const begun = (from as unknown as { backup(file: string, done: Done): Backup }).backup(to, (error) =>
      error === null ? resolve(begun) : reject(error),
    );
  });
  try {
    await called((done) => backup.step(-1, done));
  } finally {
    await called((done) => backup.finish(done));
  }
}

function called(work: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => work((error) => (error ? reject(error) : resolve())));
}

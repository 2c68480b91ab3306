/** The driver `sqlite3`: statements run on a thread of the pool, so that the event loop never waits for SQLite. */
import sqlite3 from 'sqlite3';
import type { OpenOptions, SqliteConnection, SqliteResult } from './driver.js';

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
  return {
    execute: (sql) => called((done) => database.exec(sql, done)),
    run: (sql, values, wantsRows) => run(database, sql, values, wantsRows),
    copyTo: (to) => copy(database, to),
    close: () => called((done) => database.close(done)),
  };
}

function run(
  database: sqlite3.Database,
  sql: string,
  values: readonly unknown[],
  wantsRows: boolean,
): Promise<SqliteResult> {
  return new Promise((resolve, reject) => {
    if (wantsRows)
      database.all(sql, values, (error, rows) =>
        error === null ? resolve({ rows, changes: rows.length, lastId: 0 }) : reject(error),
      );
    else
      database.run(sql, values, function (this: sqlite3.RunResult, error: Error | null) {
        if (error === null) resolve({ rows: [], changes: this.changes, lastId: this.lastID });
        else reject(error);
      });
  });
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

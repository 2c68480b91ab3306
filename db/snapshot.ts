/**
 * Both databases as they were at one moment, while others go on writing. What an import does in one of them before it
 * does the rest in the other is then in both, or as a kill at that moment would have left it.
 */
import { open } from 'node:fs/promises';
import sqlite3 from 'sqlite3';
import type { Paths } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import { busyTimeoutMs, type Db, openControl, openDirectory, type Queryable } from './connection.js';
import { DatabaseError } from './error.js';

export interface Snapshot {
  control: Queryable;
  directory: Queryable;
  /** PostgreSQL's name of it, for `pg_dump --snapshot`; null on SQLite, where the copies are the snapshot. */
  name: string | null;
  close(): Promise<void>;
}

/** Copies SQLite's files of `paths` into `folder`, under their own names, synced, and opens the copies. */
export async function copySqlite(
  settings: Settings,
  paths: Pick<Paths, 'control' | 'directory'>,
  folder: string,
  copies: Pick<Paths, 'control' | 'directory'>,
): Promise<Snapshot> {
  const control = await connect(paths.control);
  const directory = await connect(paths.directory);
  const gate = await connect(paths.directory);
  try {
    // While the directory can't change, what a reader of the control database finds first belongs to it.
    await execute(gate, 'BEGIN IMMEDIATE');
    for (const database of [control, directory]) await execute(database, 'BEGIN; SELECT count(*) FROM sqlite_master');
    await execute(gate, 'ROLLBACK');
    await copy(control, copies.control);
    await copy(directory, copies.directory);
  } finally {
    for (const database of [gate, directory, control]) await close(database);
  }
  const inCopies = { ...settings, data: folder };
  const opened: Db[] = [await openControl(inCopies), await openDirectory(inCopies)];
  return {
    control: opened[0]!.read,
    directory: opened[1]!.read,
    name: null,
    close: async () => {
      for (const db of opened) await db.close();
      for (const file of [copies.control, copies.directory]) await sync(file);
    },
  };
}

/** One transaction in each schema that sees the same moment. Until it is closed nothing of it is vacuumed away. */
export async function openPostgresSnapshot(control: Db, directory: Db): Promise<Snapshot> {
  const config = { isolationLevel: 'repeatable read', readOnly: true } as const;
  const first = await control.read.transaction(config);
  const { rows } = await first.raw('SELECT pg_export_snapshot() AS name');
  const { name } = rows[0];
  const second = await directory.read.transaction(config);
  await second.raw(`SET TRANSACTION SNAPSHOT '${name}'`);
  return {
    control: first,
    directory: second,
    name,
    close: async () => {
      await second.rollback();
      await first.rollback();
    },
  };
}

/** The library's types leave the online backup out. */
interface Copying {
  step(pages: number, done: (error: Error | null) => void): void;
  finish(done: (error: Error | null) => void): void;
}

/** Page by page, from the transaction that is open: SQLite would begin again whenever somebody writes. */
async function copy(from: sqlite3.Database, to: string): Promise<void> {
  const copying = await new Promise<Copying>((resolve, reject) => {
    const begun = (from as unknown as { backup(file: string, done: (error: Error | null) => void): Copying }).backup(
      to,
      (error) => (error === null ? resolve(begun) : reject(error)),
    );
  });
  try {
    await called((done) => copying.step(-1, done));
  } finally {
    await called((done) => copying.finish(done));
  }
}

async function connect(file: string): Promise<sqlite3.Database> {
  const database = await new Promise<sqlite3.Database>((resolve, reject) => {
    const opened = new sqlite3.Database(file, sqlite3.OPEN_READWRITE, (cause) => {
      if (cause === null) resolve(opened);
      else reject(new DatabaseError('unavailable', `${file} can't be opened: ${cause.message}`, { cause }));
    });
  });
  await execute(database, `PRAGMA busy_timeout = ${busyTimeoutMs}`);
  return database;
}

function execute(database: sqlite3.Database, sql: string): Promise<void> {
  return called((done) => database.exec(sql, done));
}

function close(database: sqlite3.Database): Promise<void> {
  return called((done) => database.close(done));
}

function called(work: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => work((error) => (error ? reject(error) : resolve())));
}

async function sync(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

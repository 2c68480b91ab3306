/**
 * Copies both databases as they were at one moment, while other processes write: an import that writes to one after the other
 * is in the copies as a kill at that moment would have left it.
 */
import { open } from 'node:fs/promises';
import type { Paths } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import { type Db, openControl, openDirectory, type Queryable } from './connection.js';
import { DatabaseError } from './error.js';
import type { SqliteConnection } from './sqlite/driver.js';
import { type DriverName, openSqlite, sealingDriver } from './sqlite/drivers.js';
import { busyTimeoutMs } from './sqlite/open.js';

export interface Snapshot {
  control: Queryable;
  directory: Queryable;
  /** PostgreSQL's name of it, for `pg_dump --snapshot`; null on SQLite, where the copies are the snapshot. */
  name: string | null;
  close(): Promise<void>;
}

/** Copies SQLite's files of `paths` into `folder`, under their own names, synced, and opens the copies. `key`: of a sealed directory. */
export async function copySqlite(
  settings: Settings,
  paths: Pick<Paths, 'control' | 'directory'>,
  folder: string,
  copies: Pick<Paths, 'control' | 'directory'>,
  key: string | null = null,
): Promise<Snapshot> {
  const { sqliteDriver: driver } = settings;
  const control = await connect(driver, paths.control);
  const directory = await connect(key === null ? driver : sealingDriver, paths.directory, key);
  const gate = await connect(key === null ? driver : sealingDriver, paths.directory, key);
  try {
    // While the directory can't change, a reader of the control database sees the state that belongs to it.
    await gate.execute('BEGIN IMMEDIATE');
    for (const database of [control, directory]) {
      await database.execute('BEGIN');
      await database.execute('SELECT count(*) FROM sqlite_master');
    }
    await gate.execute('ROLLBACK');
    await control.copyTo(copies.control);
    await directory.copyTo(copies.directory);
  } finally {
    for (const database of [gate, directory, control]) await database.close();
  }
  const inCopies = { ...settings, data: folder };
  const opened: Db[] = [await openControl(inCopies), await openDirectory(inCopies, undefined, key)];
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

async function connect(driver: DriverName, file: string, key: string | null = null): Promise<SqliteConnection> {
  try {
    return await openSqlite(driver, file, { waitMs: busyTimeoutMs, mustExist: true, key });
  } catch (cause) {
    if (cause instanceof DatabaseError) throw cause;
    throw new DatabaseError('unavailable', `${file} can't be opened: ${(cause as Error).message}`, { cause });
  }
}

async function sync(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

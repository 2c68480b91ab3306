/** Locks that end with their process: transactions on an otherwise empty SQLite file. */
import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseError } from './error.js';
import type { SqliteConnection } from './sqlite/driver.js';
import { type DriverName, openSqlite } from './sqlite/drivers.js';

export interface Lock {
  release(): Promise<void>;
}

/** null: another process holds it, also after `waitMs`. @throws DatabaseError `unavailable` when the file can't be opened. */
export function takeLock(file: string, driver: DriverName, waitMs = 0): Promise<Lock | null> {
  return lock(file, driver, waitMs, ['BEGIN EXCLUSIVE']);
}

/**
 * Many may share a lock; `takeLock` gets it only when there is no other holder. Waits up to `waitMs` for a holder by
 * `takeLock`. null: in vain.
 * @throws DatabaseError `unavailable` when the file can't be opened.
 */
export function shareLock(file: string, driver: DriverName, waitMs: number): Promise<Lock | null> {
  return lock(file, driver, waitMs, ['BEGIN', 'SELECT count(*) FROM sqlite_master']);
}

async function lock(
  file: string,
  driver: DriverName,
  waitMs: number,
  statements: readonly string[],
): Promise<Lock | null> {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const connection = await openFile(file, driver, waitMs);
  try {
    chmodSync(file, 0o600);
    for (const statement of statements) await connection.execute(statement);
  } catch (cause) {
    await connection.close();
    if ((cause as { code?: string }).code === 'SQLITE_BUSY') return null;
    throw new DatabaseError('unavailable', `${file} can't be locked: ${(cause as Error).message}`, { cause });
  }
  let closed: Promise<void> | null = null;
  return {
    release: () => {
      closed ??= connection.close();
      return closed;
    },
  };
}

async function openFile(file: string, driver: DriverName, waitMs: number): Promise<SqliteConnection> {
  try {
    return await openSqlite(driver, file, { waitMs });
  } catch (cause) {
    if (cause instanceof DatabaseError) throw cause;
    throw new DatabaseError('unavailable', `${file} can't be opened: ${(cause as Error).message}`, { cause });
  }
}

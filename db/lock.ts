/** Locks that die with their process: transactions on an otherwise empty SQLite file. */
import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import sqlite3 from 'sqlite3';
import { DatabaseError } from './error.js';

export interface Lock {
  release(): Promise<void>;
}

/** null: another process holds it. @throws DatabaseError `unavailable` when the file can't be opened. */
export function takeLock(file: string): Promise<Lock | null> {
  return lock(file, 'PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
}

/**
 * Many may share a lock; whoever takes it has it alone. Waits up to `waitMs` for that one. null: in vain.
 * @throws DatabaseError `unavailable` when the file can't be opened.
 */
export function shareLock(file: string, waitMs: number): Promise<Lock | null> {
  return lock(file, `PRAGMA busy_timeout = ${waitMs}; BEGIN; SELECT count(*) FROM sqlite_master`);
}

async function lock(file: string, sql: string): Promise<Lock | null> {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const database = await openFile(file);
  try {
    chmodSync(file, 0o600);
    await execute(database, sql);
  } catch (cause) {
    await close(database);
    if ((cause as { code?: string }).code === 'SQLITE_BUSY') return null;
    throw new DatabaseError('unavailable', `${file} can't be locked: ${(cause as Error).message}`, { cause });
  }
  return { release: () => close(database) };
}

function openFile(file: string): Promise<sqlite3.Database> {
  return new Promise((resolve, reject) => {
    const database = new sqlite3.Database(file, (cause) => {
      if (cause === null) resolve(database);
      else reject(new DatabaseError('unavailable', `${file} can't be opened: ${(cause as Error).message}`, { cause }));
    });
  });
}

function execute(database: sqlite3.Database, sql: string): Promise<void> {
  return new Promise((resolve, reject) => {
    database.exec(sql, (cause) => (cause === null ? resolve() : reject(cause)));
  });
}

function close(database: sqlite3.Database): Promise<void> {
  return new Promise((resolve, reject) => {
    database.close((cause) => (cause === null ? resolve() : reject(cause)));
  });
}

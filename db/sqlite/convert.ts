/**
 * Seals an SQLite file, or the reverse: writes all content into a new file under the other key, and renames it over the old one.
 * A kill at any moment leaves the old file or the new one, whole; `sweepConversion` removes what else it left.
 */
import { closeSync, existsSync, linkSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseError } from '../error.js';
import { keyClause } from './cipher.js';
import { copyContent, countRows } from './content.js';
import type { SqliteConnection } from './driver.js';
import { openSqlite, sealingDriver } from './drivers.js';

/** Steps that a kill can follow: the new file is complete, the old one has its second name, the new one has replaced it. */
export type ConversionStep = 'copied' | 'linked' | 'renamed';

/** No other process may have the file open: it waits this long for one that is just closing it (ms). */
const closingMs = 5_000;
const wipeBytes = 1024 * 1024;

/**
 * @param key of the file as it is, and `newKey` as it will be; null: not sealed.
 * @throws DatabaseError `unavailable` when another process has it open; `wrong` content never replaces the file
 */
export async function convertFile(
  file: string,
  key: string | null,
  newKey: string | null,
  onStep: (step: ConversionStep) => void | Promise<void> = () => {},
  waitMs = closingMs,
): Promise<void> {
  await sweepConversion(file);
  const source = await openSqlite(sealingDriver, file, { waitMs, mustExist: true, key });
  try {
    await replace(source, file, newKey, onStep);
  } finally {
    await source.close();
    // Of the old file, or, after a failure, of the new one.
    await sweepConversion(file);
  }
}

async function replace(
  source: SqliteConnection,
  file: string,
  newKey: string | null,
  onStep: (step: ConversionStep) => void | Promise<void>,
): Promise<void> {
  const { made, old, oldLog } = namesBeside(file);
  // SQLite removes the log of a server that was killed without overwriting it.
  if (existsSync(logOf(file))) linkSync(logOf(file), oldLog);
  // Leaving WAL mode takes a file that is open here only; the lock is then kept until it is closed.
  await own(source, file);
  // ATTACH makes no file on a connection that must not make its own.
  closeSync(openSync(made, 'wx', 0o600));
  await source.execute(`ATTACH DATABASE '${made.replaceAll("'", "''")}' AS made ${keyClause(newKey)}`);
  await fill(source, file);
  await source.execute('DETACH DATABASE made');
  await syncFile(made, statSync(file).mode & 0o777);
  await onStep('copied');
  linkSync(file, old);
  await onStep('linked');
  renameSync(made, file);
  await syncFolderOf(file);
  await onStep('renamed');
}

/** Overwrites and removes what a conversion left beside the file: its old content, or a new file that is incomplete. */
export async function sweepConversion(file: string): Promise<void> {
  for (const left of leftovers(file)) await wipe(left, [file, logOf(file)]);
}

/** What a conversion that was killed has left beside the file. */
export function leftovers(file: string): string[] {
  const { made, old, oldLog } = namesBeside(file);
  return [made, old, oldLog].filter((path) => existsSync(path));
}

/** Overwrites a file with zeros and removes it; where it is another name of one to keep, only that name is removed. */
export async function wipe(path: string, keep: readonly string[] = []): Promise<void> {
  const { ino, size } = statSync(path);
  if (!keep.some((kept) => existsSync(kept) && statSync(kept).ino === ino)) {
    const handle = await open(path, 'r+');
    try {
      const zeros = Buffer.alloc(wipeBytes);
      for (let at = 0; at < size; at += wipeBytes) await handle.write(zeros, 0, Math.min(wipeBytes, size - at), at);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
  rmSync(path, { force: true });
  await syncFolderOf(path);
}

function namesBeside(file: string): { made: string; old: string; oldLog: string } {
  return { made: `${file}.converting`, old: `${file}.converted`, oldLog: `${file}.converted-wal` };
}

function logOf(file: string): string {
  return `${file}-wal`;
}

async function own(source: SqliteConnection, file: string): Promise<void> {
  try {
    const { rows } = await source.run('PRAGMA main.journal_mode = DELETE', [], true);
    if ((rows[0] as { journal_mode: string }).journal_mode !== 'delete') throw new Error('it stayed in WAL mode');
    await source.execute('PRAGMA main.locking_mode = EXCLUSIVE');
    await source.execute('BEGIN EXCLUSIVE');
    await source.execute('COMMIT');
  } catch (cause) {
    if ((cause as { code?: string }).code !== 'SQLITE_BUSY') throw cause;
    throw new DatabaseError('unavailable', `another process has ${file} open: end it, and try again`, { cause });
  }
}

async function fill(source: SqliteConnection, file: string): Promise<void> {
  // The new file is thrown away after any failure: it needs neither journal nor syncs until it is complete.
  await source.execute('PRAGMA made.journal_mode = OFF');
  await source.execute('PRAGMA made.synchronous = OFF');
  await source.execute('PRAGMA temp_store = MEMORY');
  await source.execute('BEGIN IMMEDIATE');
  await copyContent(source, 'main', 'made');
  await source.execute('COMMIT');
  const { rows } = await source.run('PRAGMA made.integrity_check(1)', [], true);
  const isIntact = (rows[0] as { integrity_check: string }).integrity_check === 'ok';
  const [before, after] = [await countRows(source, 'main'), await countRows(source, 'made')];
  const isWhole = before.size === after.size && [...before].every(([table, rows]) => after.get(table) === rows);
  if (!isIntact || !isWhole)
    throw new DatabaseError(
      'unavailable',
      `${file} could not be copied whole, and was left as it is: run "dropslot doctor --deep"`,
    );
}

async function syncFile(path: string, mode: number): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncFolderOf(path: string): Promise<void> {
  const handle = await open(dirname(path), 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Opens SQLite files with the pragmas that Dropslot relies on: to read, to write, or at one moment. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import { keepTemporaryFiles } from '../../config/environment.js';
import { beginMoment, type Moment, openKnex } from '../knex.js';
import { createClient, type TransactionKind } from './client.js';
import type { SqliteConnection } from './driver.js';
import { type DriverName, openSqlite } from './drivers.js';

/** Milliseconds that a writer waits for another process's transaction (an import of a million rows writes for seconds). */
export const busyTimeoutMs = 120_000;

export interface SqliteFile {
  driver: DriverName;
  file: string;
  /** Milliseconds that a statement waits for another connection's lock. */
  waitMs: number;
  /** The key of a sealed file; null: it is not sealed. */
  key: string | null;
  /** SQLite keeps temporary data in memory: the process has no folder for it that is Dropslot's. */
  isGuest?: boolean;
  /** While tables are filled in any order: foreign keys are not followed. */
  isFilled?: boolean;
}

/** The pause before a statement that found a lock is tried again. */
const busyPauseMs = 20;

/** Of WAL mode: readers never wait for the writer. FULL: a commit survives a power cut. */
const pragmas: readonly string[] = [
  'PRAGMA journal_mode = WAL',
  'PRAGMA synchronous = FULL',
  'PRAGMA foreign_keys = ON',
  // A sealed key that is deleted must not stay readable in a free page.
  'PRAGMA secure_delete = ON',
];

/** One connection to write by, and a few to read by: a read never waits behind a transaction. Creates the file's folder. */
export function openFile(source: SqliteFile): { write: Knex; read: Knex } {
  mkdirSync(dirname(source.file), { recursive: true, mode: 0o700 });
  return {
    write: openInstance(source, { connections: 1, kind: 'immediate' }),
    read: openInstance(source, { connections: 2, kind: 'immediate' }),
  };
}

/** The file as it is now, on a connection of its own, which occupies none of `openFile`. */
export async function openFileMoment(source: SqliteFile): Promise<Moment> {
  const instance = openInstance(source, { connections: 1, kind: 'deferred', more: ['PRAGMA query_only = ON'] });
  try {
    return await beginMoment(instance, {}, 'SELECT count(*) FROM sqlite_master', () => instance.destroy());
  } catch (error) {
    await instance.destroy();
    throw error;
  }
}

export interface InstanceOptions {
  connections: number;
  kind: TransactionKind;
  /** Statements for each new connection, after the pragmas. */
  more?: readonly string[];
  /** Called with each new connection, after `more`. */
  onConnect?: (connection: SqliteConnection) => Promise<void>;
}

/** knex on connections that have the pragmas of Dropslot. */
export function openInstance(source: SqliteFile, { connections, kind, more = [], onConnect }: InstanceOptions): Knex {
  const connect = async () => {
    if (source.isGuest !== true) keepTemporaryFiles(dirname(source.file));
    const connection = await openSqlite(source.driver, source.file, { waitMs: source.waitMs, key: source.key });
    try {
      hide(source.file);
      const own = source.isGuest === true ? ['PRAGMA temp_store = MEMORY'] : [];
      if (source.isFilled === true) own.push('PRAGMA foreign_keys = OFF');
      await prepare(connection, [...pragmas, ...own, ...more], source.waitMs);
      await onConnect?.(connection);
      return connection;
    } catch (error) {
      await connection.close();
      throw error;
    }
  };
  return openKnex({
    client: createClient(connect, kind),
    connection: { filename: source.file },
    useNullAsDefault: true,
    pool: { min: 0, max: connections },
  });
}

/**
 * SQLite does not wait for locks where it changes the journal of a new file while another connection reads it: it fails at
 * once with SQLITE_BUSY, whatever the timeout.
 */
export async function prepare(
  connection: SqliteConnection,
  statements: readonly string[],
  waitMs: number,
): Promise<void> {
  const begunAt = performance.now();
  for (const statement of statements)
    for (;;) {
      try {
        await connection.execute(statement);
        break;
      } catch (error) {
        if ((error as { code?: string }).code !== 'SQLITE_BUSY' || performance.now() - begunAt >= waitMs) throw error;
        await sleep(busyPauseMs);
      }
    }
}

/** Only its owner may read a database. */
export function hide(file: string): void {
  if (existsSync(file)) chmodSync(file, 0o600);
}

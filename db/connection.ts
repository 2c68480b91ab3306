/** Opens the two databases, control and directory, on SQLite or PostgreSQL, and brings their schema up to date. */
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import createKnex, { type Knex } from 'knex';
import { type Paths, pathsOf } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import { chainAudit } from './control/audittransaction.js';
import { DatabaseError } from './error.js';
import { controlMigrations } from './migrations/control.js';
import { directoryMigrations } from './migrations/directory.js';
import { migrate } from './migrations/migrate.js';

export type Dialect = 'sqlite' | 'postgres';

/** A knex instance or a transaction of one: what a query runs on. */
export type Queryable = Knex;

/**
 * One of the two databases. `transact` is for transactions, `write` for single writes, `read` for everything else: on
 * SQLite reads have connections of their own, so that a read never waits behind a transaction.
 */
export interface Db {
  readonly dialect: Dialect;
  /**
   * Runs `work` in one transaction of `write`: commits when it resolves, rolls back when it rejects. In the control
   * database the audit events that `work` recorded are chained to the trail right before the commit.
   */
  transact<T>(work: (tx: Knex.Transaction) => Promise<T>): Promise<T>;
  readonly write: Knex;
  readonly read: Knex;
  /** The database as it is now, for as long as it is kept open: what is written meanwhile is not seen, and nobody waits. */
  openMoment(): Promise<Moment>;
  close(): Promise<void>;
}

/** One transaction that only reads. */
export interface Moment {
  readonly db: Queryable;
  close(): Promise<void>;
}

/** The schema names on PostgreSQL. */
export const controlSchema = 'dropslot_control';
export const directorySchema = 'dropslot_directory';

/** Milliseconds that a writer waits for another process's transaction (an import of a million rows writes for seconds). */
export const busyTimeoutMs = 120_000;

type DbSettings = Pick<Settings, 'data' | 'database' | 'databasePool' | 'masterKey'>;

/**
 * Organizations, keys, files, queue, runs, audit. Durable: an acknowledged write survives a power cut. `waitMs`: how long
 * a write waits on SQLite while another process writes, before it fails with SQLITE_BUSY.
 */
export async function openControl(settings: DbSettings, waitMs = busyTimeoutMs): Promise<Db> {
  const db = await open(settings, (paths) => paths.control, controlSchema, controlMigrations, waitMs);
  return { ...db, transact: (work) => db.write.transaction((tx) => chainAudit(tx, work)) };
}

/** Users, teams, memberships, custom fields, changes, applied runs. `waitMs`: as for the control database. */
export function openDirectory(settings: DbSettings, waitMs = busyTimeoutMs): Promise<Db> {
  return open(settings, (paths) => paths.directory, directorySchema, directoryMigrations, waitMs);
}

async function open(
  settings: DbSettings,
  fileOf: (paths: Paths) => string,
  schema: string,
  migrations: Parameters<typeof migrate>[1],
  waitMs: number,
): Promise<Db> {
  const db =
    settings.database === 'sqlite'
      ? openSqlite(fileOf(pathsOf(settings)), waitMs)
      : await openPostgres(settings, schema);
  try {
    await migrate(db.write, migrations);
    return db;
  } catch (cause) {
    await db.close();
    throw cause instanceof DatabaseError
      ? cause
      : new DatabaseError('unavailable', describeFailure(settings, cause), { cause });
  }
}

function openSqlite(file: string, waitMs: number): Db {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const write = sqliteInstance(file, 1, waitMs);
  const read = sqliteInstance(file, 2, waitMs);
  return {
    dialect: 'sqlite',
    transact: (work) => write.transaction(work),
    write,
    read,
    openMoment: () => openSqliteMoment(file, waitMs),
    close: async () => {
      await read.destroy();
      await write.destroy();
    },
  };
}

/**
 * knex begins SQLite transactions deferred: one that reads before it writes then fails at once with SQLITE_BUSY when
 * another process wrote in between, whatever the timeout. An immediate transaction waits for its turn instead.
 */
const SqliteClient = createRequire(import.meta.url)('knex/lib/dialects/sqlite3/index.js') as typeof Knex.Client;

class ImmediateSqliteClient extends SqliteClient {
  override transaction(...args: unknown[]): Knex.Transaction {
    const transaction = (Reflect.get(SqliteClient.prototype, 'transaction') as (...all: unknown[]) => unknown).apply(
      this,
      args,
    );
    const begun = transaction as {
      begin(connection: unknown): unknown;
      query(connection: unknown, sql: string): unknown;
    };
    begun.begin = (connection) => begun.query(connection, 'BEGIN IMMEDIATE;');
    return transaction as Knex.Transaction;
  }
}

/** On a connection of its own: the two of `read` serve everybody else. */
async function openSqliteMoment(file: string, waitMs: number): Promise<Moment> {
  const instance = sqliteInstance(file, 1, waitMs, 'PRAGMA query_only = ON;', file, SqliteClient);
  try {
    return await beginMoment(instance, {}, 'SELECT count(*) FROM sqlite_master', () => instance.destroy());
  } catch (error) {
    await instance.destroy();
    throw error;
  }
}

/** @param first a statement that takes the snapshot: BEGIN alone does not. */
async function beginMoment(
  instance: Knex,
  config: Knex.TransactionConfig,
  first: string,
  end: () => Promise<void>,
): Promise<Moment> {
  const db = await instance.transaction(config);
  const close = async () => {
    if (!db.isCompleted()) await db.rollback();
    await end();
  };
  try {
    await db.raw(first);
    return { db, close };
  } catch (error) {
    await db.rollback();
    throw error;
  }
}

/** A connection of its own to an SQLite database, with a second, scratch file attached under a name. */
export function attachSqlite(file: string, attached: string, name: string): Knex {
  // The scratch file is thrown away after any failure: it needs neither journal nor syncs.
  const scratch = `ATTACH DATABASE '${attached.replaceAll("'", "''")}' AS ${name};
    PRAGMA ${name}.journal_mode = OFF; PRAGMA ${name}.synchronous = OFF; PRAGMA ${name}.cache_size = -32768;
    PRAGMA main.cache_size = -32768;`;
  return sqliteInstance(file, 1, busyTimeoutMs, scratch, attached);
}

/** What a statement was given (names, addresses, hashes of passwords) has no place in the message of its failure. */
const quietErrors = { compileSqlOnError: false } as const;

function sqliteInstance(
  file: string,
  connections: number,
  waitMs: number,
  more = '',
  attached = file,
  client = ImmediateSqliteClient as typeof Knex.Client,
): Knex {
  return createKnex({
    client,
    connection: { filename: file },
    ...quietErrors,
    useNullAsDefault: true,
    pool: {
      min: 0,
      max: connections,
      afterCreate: (
        connection: { exec(sql: string, done: (error: Error | null) => void): void },
        done: (error: Error | null, connection: unknown) => void,
      ) => {
        if (existsSync(file)) chmodSync(file, 0o600);
        connection.exec(
          // secure_delete: a sealed key that is deleted must not stay readable in a page that nobody uses.
          `PRAGMA busy_timeout = ${waitMs}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; ${more}`,
          (error) => {
            if (existsSync(attached)) chmodSync(attached, 0o600);
            done(error, connection);
          },
        );
      },
    },
  });
}

async function openPostgres(settings: DbSettings, schema: string): Promise<Db> {
  // Only here: loading it takes a tenth of a second, and each session behind an sshd starts a process.
  const { default: pg } = await import('pg');
  // int8 (20) holds identifiers, sizes and milliseconds here: all below 2^53.
  pg.types.setTypeParser(20, Number);
  const instance = createKnex({
    client: 'pg',
    connection: settings.database,
    ...quietErrors,
    searchPath: [schema],
    pool: { min: 0, max: settings.databasePool },
  });
  try {
    await instance.raw('CREATE SCHEMA IF NOT EXISTS ??', [schema]);
  } catch (cause) {
    // Two processes that start together may both try; the loser finds the schema there.
    if ((cause as { code?: string }).code !== '23505') {
      await instance.destroy();
      throw new DatabaseError('unavailable', describeFailure(settings, cause), { cause });
    }
  }
  const once = { isolationLevel: 'repeatable read', readOnly: true } as const;
  return {
    dialect: 'postgres',
    transact: (work) => instance.transaction(work),
    write: instance,
    read: instance,
    openMoment: () => beginMoment(instance, once, 'SELECT 1', async () => {}),
    close: () => instance.destroy(),
  };
}

function describeFailure(settings: DbSettings, cause: unknown): string {
  const which = settings.database === 'sqlite' ? `the SQLite files in ${settings.data}` : 'the PostgreSQL database';
  return `${which} can't be opened: ${(cause as Error).message}`;
}

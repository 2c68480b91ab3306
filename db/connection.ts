/** Opens the two databases, control and directory, on SQLite or PostgreSQL, and brings their schema up to date. */
import type { Knex } from 'knex';
import { type Paths, pathsOf } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import type { AuditEvent } from './control/auditchain.js';
import { AuditRate, foldedEveryMs } from './control/auditrate.js';
import { type ChainHead, chainAudit } from './control/audittransaction.js';
import { ControlMark } from './control/mark.js';
import { DatabaseError } from './error.js';
import { beginMoment, type Moment } from './knex.js';
import { takeLock } from './lock.js';
import { controlMigrations } from './migrations/control.js';
import { directoryMigrations } from './migrations/directory.js';
import { migrate } from './migrations/migrate.js';
import { openSchema } from './postgres.js';
import { attachFile, busyTimeoutMs, openFile, openFileMoment } from './sqlite/open.js';

export type Dialect = 'sqlite' | 'postgres';

/** A knex instance or a transaction of one: a query runs on it. */
export type Queryable = Knex;

/**
 * One of the two databases. `transact` is for transactions, `write` for single writes, `read` for everything else: on
 * SQLite reads have connections of their own, so that a read never waits behind a transaction.
 */
export interface Db {
  readonly dialect: Dialect;
  readonly write: Knex;
  readonly read: Knex;
  /**
   * Runs `work` in one transaction of `write`: commits when it resolves, rolls back when it rejects. In the control
   * database the audit events that `work` recorded are chained to the trail right before the commit.
   */
  transact<T>(work: (tx: Knex.Transaction) => Promise<T>): Promise<T>;
  /** Of the control database: how fast its clients cause audit records. */
  readonly auditRate?: AuditRate;
  /** Of the control database: shows whether commits of it were lost. */
  readonly mark?: ControlMark;
  /** The database as it is now, until it is closed: it does not see later writes, and delays none. */
  openMoment(): Promise<Moment>;
  close(): Promise<void>;
}

/** The schema names on PostgreSQL. */
export const controlSchema = 'dropslot_control';
export const directorySchema = 'dropslot_directory';

type DbSettings = Pick<Settings, 'data' | 'database' | 'databasePool' | 'masterKey' | 'sqliteDriver'> &
  Partial<Pick<Settings, 'auditRecordsPerMinute'>>;

const defaultAuditRecords = 600;

/**
 * Organizations, keys, files, queue, runs, audit. Durable: an acknowledged write survives a power cut. `waitMs`: how long
 * a write waits on SQLite while another process writes, before it fails with SQLITE_BUSY.
 */
export async function openControl(settings: DbSettings, waitMs = busyTimeoutMs): Promise<Db> {
  const db = await open(settings, (paths) => paths.control, controlSchema, controlMigrations, waitMs);
  const mark = new ControlMark(pathsOf(settings).controlMark);
  const control = rateAudit(db, new AuditRate(settings.auditRecordsPerMinute ?? defaultAuditRecords), mark);
  try {
    await mark.examine(control, Date.now());
    return control;
  } catch (cause) {
    await control.close();
    throw cause;
  }
}

/** The control database with a bound on the audit records that clients cause, and with a mark of the last one. */
function rateAudit(db: Db, auditRate: AuditRate, mark: ControlMark): Db {
  let timer: NodeJS.Timeout | null = null;
  const transact = async <T>(work: (tx: Knex.Transaction) => Promise<T>, isLast = false): Promise<T> => {
    let undo = () => {};
    const chained: { head: ChainHead; events: readonly AuditEvent[] }[] = [];
    try {
      const admit = (events: readonly AuditEvent[]) => {
        const admitted = auditRate.admit(events, isLast);
        undo = admitted.undo;
        return admitted.events;
      };
      const note = (head: ChainHead, events: readonly AuditEvent[]) => chained.push({ head, events });
      const result = await db.write.transaction((tx) => chainAudit(tx, work, admit, note));
      for (const { head, events } of chained) mark.note(head, events);
      return result;
    } catch (error) {
      undo();
      throw error;
    } finally {
      if (auditRate.hasFolded && !isLast) timer ??= setTimeout(tellFolded, foldedEveryMs).unref();
    }
  };
  const tellFolded = () => {
    timer = null;
    // After a failure the next transaction sets the timer again.
    void transact(async () => {}).catch(() => {});
  };
  const close = async () => {
    if (timer !== null) clearTimeout(timer);
    // Of a database that is gone, the server has logged it.
    if (auditRate.hasFolded) await transact(async () => {}, true).catch(() => {});
    mark.close();
    await db.close();
  };
  return { ...db, auditRate, mark, transact: (work) => transact(work), close };
}

/** Users, teams, memberships, custom fields, changes, applied runs. `waitMs`: as for the control database. */
export function openDirectory(settings: DbSettings, waitMs = busyTimeoutMs): Promise<Db> {
  return open(settings, (paths) => paths.directory, directorySchema, directoryMigrations, waitMs);
}

/** A connection of its own to an SQLite database, with a second, scratch file attached under a name. */
export function attachSqlite(file: string, attached: string, name: string, driver: Settings['sqliteDriver']): Knex {
  return attachFile(driver, file, attached, name);
}

async function open(
  settings: DbSettings,
  fileOf: (paths: Paths) => string,
  schema: string,
  migrations: Parameters<typeof migrate>[1],
  waitMs: number,
): Promise<Db> {
  let db: Db | null = null;
  try {
    db =
      settings.database === 'sqlite'
        ? sqliteDb({ driver: settings.sqliteDriver, file: fileOf(pathsOf(settings)), waitMs })
        : postgresDb(await openSchema(settings.database, schema, settings.databasePool));
    await migrate(db.write, migrations, () => takeLock(pathsOf(settings).migrationLock, settings.sqliteDriver));
    return db;
  } catch (cause) {
    await db?.close();
    throw cause instanceof DatabaseError
      ? cause
      : new DatabaseError('unavailable', describeFailure(settings, cause), { cause });
  }
}

function sqliteDb(source: Parameters<typeof openFile>[0]): Db {
  const { write, read } = openFile(source);
  return {
    dialect: 'sqlite',
    write,
    read,
    transact: (work) => write.transaction(work),
    openMoment: () => openFileMoment(source),
    close: async () => {
      await read.destroy();
      await write.destroy();
    },
  };
}

function postgresDb(instance: Knex): Db {
  const once = { isolationLevel: 'repeatable read', readOnly: true } as const;
  return {
    dialect: 'postgres',
    write: instance,
    read: instance,
    transact: (work) => instance.transaction(work),
    openMoment: () => beginMoment(instance, once, 'SELECT 1', async () => {}),
    close: () => instance.destroy(),
  };
}

function describeFailure(settings: DbSettings, cause: unknown): string {
  const which = settings.database === 'sqlite' ? `the SQLite files in ${settings.data}` : 'the PostgreSQL database';
  return `${which} can't be opened: ${(cause as Error).message}`;
}

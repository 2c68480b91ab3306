/** Opens the two databases, control and directory, on SQLite or PostgreSQL, and brings their schema up to date. */
import type { Knex } from 'knex';
import { type Paths, pathsOf } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import type { AuditEvent } from './control/auditchain.js';
import { AuditRate, foldedEveryMs } from './control/auditrate.js';
import { type ChainHead, CommitsLost, chainAudit } from './control/audittransaction.js';
import { ControlMark } from './control/mark.js';
import type { Dialect } from './dialect.js';
import { DatabaseError, findMachineFailure } from './error.js';
import { beginMoment, type Moment, openKnex } from './knex.js';
import { takeLock } from './lock.js';
import { type MigrationList, migrate } from './migrations/migrate.js';
import { controlNames, directoryNames } from './migrations/names.js';
import { requireFolderFits } from './move/folder.js';
import { readMoveState, requireInUse } from './move/state.js';
import { repeatContended } from './postgres/retry.js';
import type { Schema } from './postgres/schema.js';
import { NotAhead, runAhead } from './sqlite/ahead.js';
import { createClient } from './sqlite/client.js';
import { sealingDriver } from './sqlite/drivers.js';
import { busyTimeoutMs, openFile, openFileMoment, type SqliteFile } from './sqlite/open.js';
import { type Attached, ScratchConnections } from './sqlite/scratch.js';
import { runTransaction } from './transaction.js';

/** A knex instance or a transaction of one: a query runs on it. */
export type Queryable = Knex;

/**
 * One of the two databases. `transact` is for transactions, `write` for single writes, `read` for everything else: on
 * SQLite reads have connections of their own, so that a read never waits behind a transaction.
 */
export interface Db {
  readonly dialect: Dialect;
  /** How its file is opened; null on PostgreSQL, and of a database that this process has no key for. */
  readonly source: SqliteFile | null;
  /** Connections of its file with scratch files; absent where it has no source. */
  readonly scratch?: ScratchConnections;
  /** Why this process can't open it, and has no source of it. */
  readonly withheld?: DatabaseError;
  readonly write: Knex;
  readonly read: Knex;
  /**
   * Runs `work` in one transaction of `write`: commits when it resolves, rolls back when it rejects. In the control
   * database the audit events that `work` recorded are chained to the trail right before the commit.
   */
  transact<T>(work: (tx: Knex.Transaction) => Promise<T>, options?: TransactOptions): Promise<T>;
  /** Of the control database: how fast its clients cause audit records. */
  readonly auditRate?: AuditRate;
  /** Of the control database: calls `listener` after each commit with its audit records. Returns a function that ends that. */
  onAudit?(listener: (events: readonly AuditEvent[]) => void): () => void;
  /** On PostgreSQL, unless a pooler forbids it: calls `onRun` soon after a run was opened on any node. Returns a function that ends that. */
  onRun?(onRun: () => void): () => void;
  /** On PostgreSQL: a connection beside those of `read` and `write`, which may all wait; destroy it. */
  openAside?(): Knex;
  /** Of the control database: shows whether commits of it were lost. */
  readonly mark?: ControlMark;
  /** The database as it is now, until it is closed: it does not see later writes, and delays none. */
  openMoment(): Promise<Moment>;
  close(): Promise<void>;
}

export interface TransactOptions {
  /** The work has no effects but its writes: in the control database on SQLite it first runs in fewer calls, as `runAhead` has it. */
  isRepeatable?: boolean;
}

/** The schema names on PostgreSQL. */
export const controlSchema = 'dropslot_control';
export const directorySchema = 'dropslot_directory';

type DbSettings = Pick<Settings, 'data' | 'database' | 'databasePool' | 'masterKey' | 'sqliteDriver'> &
  Partial<Pick<Settings, 'auditRecordsPerMinute' | 'databasePooler' | 'leaseSeconds'>>;

const defaultAuditRecords = 600;
/** A process that stands still in a transaction holds its locks on PostgreSQL for the time of a lease, within these limits. */
const idleLimits = { least: 10, most: 30 };

function idleSeconds({ leaseSeconds = idleLimits.most }: DbSettings): number {
  return Math.min(Math.max(leaseSeconds, idleLimits.least), idleLimits.most);
}

/**
 * Organizations, keys, files, queue, runs, audit. Durable: an acknowledged write survives a power cut. `waitMs`: how long
 * a write waits on SQLite while another process writes, before it fails with SQLITE_BUSY. `isGuest`: as in SqliteFile.
 * @param evenMoved also one that was moved, or is being filled: only for a move itself
 * @throws DatabaseError `unavailable` when it can't be opened, or was moved to another database
 */
export async function openControl(
  settings: DbSettings,
  waitMs = busyTimeoutMs,
  isGuest = false,
  { evenMoved = false }: { evenMoved?: boolean } = {},
): Promise<Db> {
  const file = { waitMs, key: null, isGuest };
  const db = await open(settings, 'control', file);
  const mark = new ControlMark(pathsOf(settings).controlMark);
  const control = rateAudit(db, new AuditRate(settings.auditRecordsPerMinute ?? defaultAuditRecords), mark);
  try {
    // Of one that was moved, the mark shows the commits of the other one.
    if (evenMoved && (await readMoveState(control.read)) !== null) return control;
    await requireInUse(control.read);
    if (db.dialect === 'postgres') await requireFolderFits(control.read, pathsOf(settings), settings.sqliteDriver);
    await mark.examine(control, Date.now());
    return control;
  } catch (cause) {
    await control.close();
    throw cause;
  }
}

type Work<T> = (tx: Knex.Transaction) => Promise<T>;

/** The control database with a bound on the audit records that clients cause, and with a mark of the last one. */
function rateAudit(db: Db, auditRate: AuditRate, mark: ControlMark): Db {
  let timer: NodeJS.Timeout | null = null;
  const listeners = new Set<(events: readonly AuditEvent[]) => void>();
  const transact = async <T>(work: Work<T>, { isRepeatable = false }: TransactOptions = {}): Promise<T> => {
    if (isRepeatable && db.dialect === 'sqlite')
      try {
        return await transactOnce(work, runAhead);
      } catch (error) {
        if (!(error instanceof NotAhead)) throw error;
      }
    try {
      return await repeatContended(() => transactOnce(work));
    } catch (error) {
      if (!(error instanceof CommitsLost)) throw error;
      // A fail-over while this process works on: the loss is noted before a later commit takes the place of the mark.
      await mark.examine(db, Date.now());
      return await repeatContended(() => transactOnce(work, runTransaction, { mayBeBack: true }));
    }
  };
  const transactOnce = async <T>(
    work: Work<T>,
    run: typeof runTransaction = runTransaction,
    { isLast = false, mayBeBack = db.dialect === 'sqlite' } = {},
  ): Promise<T> => {
    let undo = () => {};
    let recorded: readonly AuditEvent[] = [];
    const chained: { head: ChainHead; events: readonly AuditEvent[] }[] = [];
    const admit = (events: readonly AuditEvent[]) => {
      recorded = events;
      const admitted = auditRate.admit(events, isLast);
      undo = admitted.undo;
      return admitted.events;
    };
    const note = (head: ChainHead, events: readonly AuditEvent[]) => chained.push({ head, events });
    let result: T;
    try {
      result = await run(db.write, (tx) => chainAudit(tx, work, admit, note, mayBeBack ? null : mark.head));
    } catch (error) {
      undo();
      throw error;
    } finally {
      if (auditRate.hasFolded && !isLast) timer ??= setTimeout(tellFolded, foldedEveryMs).unref();
    }
    for (const { head, events } of chained) afterCommit(() => mark.note(head, events));
    for (const listener of listeners) afterCommit(() => listener(recorded));
    return result;
  };
  const tellFolded = () => {
    timer = null;
    // After a failure the next transaction sets the timer again.
    void transact(async () => {}).catch(() => {});
  };
  const close = async () => {
    if (timer !== null) clearTimeout(timer);
    // Of a database that is gone, the server has logged it.
    const tell = () => transactOnce(async () => {}, runTransaction, { isLast: true });
    if (auditRate.hasFolded) await repeatContended(tell).catch(() => {});
    mark.close();
    await db.close();
  };
  const onAudit = (listener: (events: readonly AuditEvent[]) => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  return { ...db, auditRate, mark, onAudit, transact, close };
}

/** What is committed is done: nothing that only counts or notes it makes its caller believe that it failed. */
function afterCommit(tell: () => void): void {
  try {
    tell();
  } catch {
    // A count of the metrics is too low, or a loss will not be noticed: both have their own reports.
  }
}

/**
 * Users, teams, memberships, custom fields, changes, applied runs. `waitMs`: as for the control database.
 * @param key of a sealed file on SQLite, which is made sealed where it does not exist; null: it is not sealed.
 */
export function openDirectory(
  settings: DbSettings,
  waitMs = busyTimeoutMs,
  key: string | null = null,
  isGuest = false,
): Promise<Db> {
  return open(settings, 'directory', { waitMs, key, isGuest });
}

/** Which of the two databases. */
export type Half = 'control' | 'directory';

export const halfNames = ['directory', 'control'] as const;

const controlMigrations: MigrationList = {
  names: controlNames,
  load: async () => (await import('./migrations/control.js')).controlMigrations,
};

const directoryMigrations: MigrationList = {
  names: directoryNames,
  load: async () => (await import('./migrations/directory.js')).directoryMigrations,
};

const halves = {
  control: { fileOf: (paths: Paths) => paths.control, schema: controlSchema, migrations: controlMigrations },
  directory: { fileOf: (paths: Paths) => paths.directory, schema: directorySchema, migrations: directoryMigrations },
} as const;

/**
 * Opens a database into which another one is copied: without marks, and without following foreign keys on SQLite.
 * @param key of a sealed directory on SQLite
 */
export function openToFill(settings: DbSettings, half: Half, key: string | null = null): Promise<Db> {
  return open(settings, half, { waitMs: busyTimeoutMs, key, isFilled: true });
}

/** Stands for a directory that this process has no key for: each use of it fails with `withheld`. */
export function withholdDirectory(withheld: DatabaseError): Db {
  const refuse = () => Promise.reject(withheld);
  const instance = openKnex({ client: createClient(refuse, 'immediate'), connection: {}, useNullAsDefault: true });
  const close = () => instance.destroy();
  const db = { dialect: 'sqlite', source: null, withheld, write: instance, read: instance, transact: refuse } as const;
  return { ...db, openMoment: refuse, close };
}

/** How the file of an SQLite database is opened. @throws DatabaseError `withheld` when this process has no key for it */
export function sourceOf({ source, withheld }: Db): SqliteFile {
  if (source !== null) return source;
  throw withheld ?? new Error('a database on PostgreSQL has no file');
}

/** A connection of its own to an SQLite database, with a second, scratch file attached under a name. */
export function attachSqlite(db: Db, attached: string, name: string, pageBytes?: number): Promise<Attached> {
  sourceOf(db);
  return db.scratch!.attach(attached, name, pageBytes);
}

async function open(
  settings: DbSettings,
  half: Half,
  { key, ...file }: Pick<SqliteFile, 'waitMs' | 'key' | 'isGuest' | 'isFilled'>,
): Promise<Db> {
  const { fileOf, schema, migrations } = halves[half];
  let db: Db | null = null;
  try {
    db =
      settings.database === 'sqlite'
        ? sqliteDb({
            driver: key === null ? settings.sqliteDriver : sealingDriver,
            ...file,
            file: fileOf(pathsOf(settings)),
            key,
          })
        : await openPostgres(settings, schema, file.isFilled === true);
    await migrate(db.write, migrations, () => takeLock(pathsOf(settings).migrationLock, settings.sqliteDriver));
    return db;
  } catch (cause) {
    await db?.close();
    throw cause instanceof DatabaseError
      ? cause
      : new DatabaseError('unavailable', describeFailure(settings, cause, key !== null), { cause });
  }
}

function sqliteDb(source: SqliteFile): Db {
  const { write, read } = openFile(source);
  const scratch = new ScratchConnections({ ...source, waitMs: busyTimeoutMs });
  return {
    dialect: 'sqlite',
    source,
    scratch,
    write,
    read,
    transact: (work) => runTransaction(write, work),
    openMoment: () => openFileMoment(source),
    close: async () => {
      await scratch.close();
      await read.destroy();
      await write.destroy();
    },
  };
}

/** Its modules are loaded here only: most commands work on SQLite. */
async function openPostgres(settings: DbSettings, schema: string, isFilled: boolean): Promise<Db> {
  const { openSchema } = await import('./postgres/schema.js');
  return postgresDb(
    await openSchema({
      ...{ url: settings.database, schema, connections: settings.databasePool },
      isPooled: settings.databasePooler === 'transaction',
      ...{ idleMs: idleSeconds(settings) * 1000, isFilled },
    }),
  );
}

function postgresDb({ instance, onRun, openAside }: Schema): Db {
  const once = { isolationLevel: 'repeatable read', readOnly: true } as const;
  return {
    dialect: 'postgres',
    source: null,
    write: instance,
    read: instance,
    ...(onRun && { onRun }),
    openAside,
    transact: (work) => repeatContended(() => runTransaction(instance, work)),
    openMoment: () => beginMoment(instance, once, 'SELECT 1', async () => {}),
    close: () => instance.destroy(),
  };
}

function describeFailure(settings: DbSettings, cause: unknown, isSealed: boolean): string {
  if (isSealed && (cause as { code?: unknown }).code === 'SQLITE_NOTADB')
    return `directory.db in ${settings.data} is damaged, or sealed by another key than control.db has: restore both from the same backup`;
  const which = settings.database === 'sqlite' ? `the SQLite files in ${settings.data}` : 'the PostgreSQL database';
  return `${which} can't be opened: ${findMachineFailure(cause) ?? (cause as Error).message}`;
}

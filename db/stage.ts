/**
 * Opens and drops a stage: a place for the working tables of one run, beside the directory's tables and in reach of the same
 * statement. On SQLite it is a file that is attached to a connection of its own, on PostgreSQL a schema.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathsOf } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import { attachSqlite, type Db, type Queryable } from './connection.js';
import type { Dialect } from './dialect.js';
import { DatabaseError } from './error.js';
import { openScript, type Script } from './script.js';

const schemaPrefix = 'dropslot_stage_';
/** The connection of a larger stage is closed: it has used megabytes of memory. */
const smallBytes = 4 * 1024 ** 2;
/** Of a large stage: fewer calls of the system. An empty stage would be four times as large, which each small run would pay for. */
const largePageBytes = 16_384;
/** How long a removal waits for the locks of an importer that hangs (ms). */
const lockTimeoutMs = 5_000;

/** A stage that is open. db/stagesql.ts has the statements. */
export interface Stage {
  readonly dialect: Dialect;
  /** Finds the directory's tables by their names, and the stage's tables by `prefix.name`. */
  readonly db: Queryable;
  readonly prefix: string;
  /** On SQLite: the file with its tables. */
  readonly file?: string;
  /** Statements over `db`. What reads or writes the stage's tables in another way calls its `flush` before. */
  readonly script: Script;
  /** Removes the stage with all its tables. */
  drop(): Promise<void>;
}

/**
 * Opens an empty stage; one of the same label is dropped before.
 * @param label unique among the stages that are open: letters, digits and `_` only.
 * @param isLarge whether many thousands of rows will be in it
 */
export function openStage(settings: Settings, directory: Db, label: string, isLarge = false): Promise<Stage> {
  return directory.dialect === 'sqlite' ? openFile(settings, directory, label, isLarge) : openSchema(directory, label);
}

/** The labels of all stages that exist. */
export async function listStages(settings: Settings, directory: Db): Promise<string[]> {
  if (directory.dialect === 'sqlite') {
    const folder = pathsOf(settings).stage;
    const files = existsSync(folder) ? readdirSync(folder) : [];
    // A journal beside the file has its label too.
    return [...new Set(files.map(labelOf))];
  }
  const schemas: string[] = await directory
    .read('pg_catalog.pg_namespace')
    .whereRaw('starts_with(nspname, ?)', [schemaPrefix])
    .pluck('nspname');
  return schemas.map((schema) => schema.slice(schemaPrefix.length));
}

/**
 * Removes the stages of importers that no longer run.
 * @param isStale says by a stage's label whether it may be removed.
 * @throws the error of PostgreSQL when another process has locked the stage for more than five seconds.
 */
export async function dropStages(
  settings: Settings,
  directory: Db,
  isStale: (label: string) => boolean,
): Promise<void> {
  if (directory.dialect === 'sqlite') {
    const folder = pathsOf(settings).stage;
    const files = existsSync(folder) ? readdirSync(folder) : [];
    for (const file of files) if (isStale(labelOf(file))) rmSync(join(folder, file), { force: true });
    return;
  }
  for (const label of await listStages(settings, directory)) {
    if (!isStale(label)) continue;
    await directory.transact(async (tx) => {
      await tx.raw(`SET LOCAL lock_timeout = ${lockTimeoutMs}`);
      await tx.raw('DROP SCHEMA IF EXISTS ?? CASCADE', [schemaPrefix + label]);
    });
  }
}

/** Of a file: `run_7_1.db` and `run_7_1.db-journal` have the label `run_7_1`. */
function labelOf(file: string): string {
  return file.split('.')[0]!;
}

/** The bytes of the stage's tables. @param enough up to which the free pages of its file may be counted with them */
export async function measureStage({ dialect, prefix, script, file: path }: Stage, enough = 0): Promise<number> {
  if (dialect === 'sqlite') {
    // Without the statements that still wait, which are few; a call of the database costs as much as the work on a small file.
    const written = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false })?.size;
    if (written !== undefined && written * 2 <= enough) return written;
    const query = 'SELECT page_count, page_size FROM pragma_page_count(:prefix), pragma_page_size(:prefix)';
    const [file] = await script.rows<{ page_count: number; page_size: number }>(query, { prefix });
    const bytes = file!.page_count * file!.page_size;
    if (bytes <= enough) return bytes;
    const [free] = await script.rows<{ freelist_count: number }>(`PRAGMA ${prefix}.freelist_count`);
    return bytes - free!.freelist_count * file!.page_size;
  }
  const [size] = await script.rows<{ bytes: number }>(
    `SELECT COALESCE(SUM(pg_total_relation_size(c.oid)), 0) AS bytes FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = :prefix AND c.relkind = 'r'`,
    { prefix },
  );
  return Number(size!.bytes);
}

/** A table of one row. */
const mark = 'whole';
/** PostgreSQL: undefined_table, invalid_schema_name. */
const missingCodes: readonly unknown[] = ['42P01', '3F000'];
const isMissing = (error: unknown) => missingCodes.includes((error as { code?: unknown }).code);

/**
 * Before anything is decided by a plan. The stage's tables on PostgreSQL are not logged: after a crash of the server, and after a fail-over,
 * they are there and empty, and a plan in them would change nothing.
 * @param db in the transaction that uses the plan
 * @throws DatabaseError `conflict`: plan again, in a new stage
 */
export async function requireWhole({ dialect, prefix }: Stage, db: Queryable): Promise<void> {
  if (dialect !== 'postgres') return;
  const { rows } = await db.raw('SELECT 1 FROM ??.??', [prefix, mark]).catch((error) => {
    // A promoted standby may lack the stage.
    if (!isMissing(error)) throw error;
    return { rows: [] };
  });
  if (rows.length === 0)
    throw new DatabaseError('conflict', 'the database server crashed or failed over during the run: its plan is lost');
}

async function openFile(settings: Settings, directory: Db, label: string, isLarge: boolean): Promise<Stage> {
  const paths = pathsOf(settings);
  mkdirSync(paths.stage, { recursive: true, mode: 0o700 });
  const file = join(paths.stage, `${label}.db`);
  rmSync(file, { force: true });
  const { db, detach } = await attachSqlite(directory, file, 'stage', isLarge ? largePageBytes : undefined).catch(
    (error) => {
      rmSync(file, { force: true });
      throw error;
    },
  );
  const drop = async () => {
    const bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    await detach(bytes > smallBytes);
    rmSync(file, { force: true });
  };
  return { dialect: 'sqlite', db, prefix: 'stage', file, script: openScript(db, 'sqlite'), drop };
}

async function openSchema({ write: db }: Db, label: string): Promise<Stage> {
  const prefix = `${schemaPrefix}${label}`;
  await db.raw('DROP SCHEMA IF EXISTS ?? CASCADE', [prefix]);
  await db.raw('CREATE SCHEMA ??', [prefix]);
  await db.raw('CREATE UNLOGGED TABLE ??.?? AS SELECT 1 AS n', [prefix, mark]);
  const drop = async () => {
    await db.raw('DROP SCHEMA IF EXISTS ?? CASCADE', [prefix]);
  };
  return { dialect: 'postgres', db, prefix, script: openScript(db, 'postgres'), drop };
}

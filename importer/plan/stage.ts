/**
 * The importer's workbench: tables beside the directory that hold one run's rows and plan until they are applied.
 * On SQLite a file attached to a connection of its own, on PostgreSQL a schema of unlogged tables; gone with `drop`.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathsOf } from '../../config/paths.js';
import type { Settings } from '../../config/settings.js';
import { attachSqlite, type Db, type Dialect, type Queryable } from '../../db/connection.js';

export interface Stage {
  readonly dialect: Dialect;
  /** Sees the directory's tables by their names and the stage's by `prefix`. */
  readonly db: Queryable;
  readonly prefix: string;
  drop(): Promise<void>;
}

/** @param label unique among the stages at work: letters, digits and `_` only. */
export async function openStage(settings: Settings, directory: Db, label: string): Promise<Stage> {
  const stage = directory.dialect === 'sqlite' ? await openFile(settings, label) : await openSchema(directory, label);
  try {
    for (const table of runTables(stage.dialect)) await createTable(stage, table);
    return stage;
  } catch (error) {
    await stage.drop();
    throw error;
  }
}

/** Removes stages whose importer is gone, by their labels. One that somebody holds a lock on is left. */
export async function dropStages(
  settings: Settings,
  directory: Db,
  isStale: (label: string) => boolean,
): Promise<void> {
  if (directory.dialect === 'sqlite') {
    const folder = pathsOf(settings).stage;
    const files = existsSync(folder) ? readdirSync(folder) : [];
    for (const file of files) if (isStale(file)) rmSync(join(folder, file), { force: true });
    return;
  }
  const schemas = await directory
    .read('pg_catalog.pg_namespace')
    .whereRaw('starts_with(nspname, ?)', [schemaPrefix])
    .pluck('nspname');
  for (const schema of schemas) {
    if (!isStale(schema.slice(schemaPrefix.length))) continue;
    await directory.transact(async (tx) => {
      await tx.raw(`SET LOCAL lock_timeout = ${lockTimeoutMs}`);
      await tx.raw('DROP SCHEMA IF EXISTS ?? CASCADE', [schema]);
    });
  }
}

async function openFile(settings: Settings, label: string): Promise<Stage> {
  const paths = pathsOf(settings);
  mkdirSync(paths.stage, { recursive: true, mode: 0o700 });
  const file = join(paths.stage, `${label}.db`);
  rmSync(file, { force: true });
  const db = attachSqlite(paths.directory, file, 'stage', settings.sqliteDriver);
  const drop = async () => {
    await db.destroy();
    rmSync(file, { force: true });
  };
  return { dialect: 'sqlite', db, prefix: 'stage', drop };
}

async function openSchema({ write: db }: Db, label: string): Promise<Stage> {
  const prefix = `${schemaPrefix}${label}`;
  await db.raw('DROP SCHEMA IF EXISTS ?? CASCADE', [prefix]);
  await db.raw('CREATE SCHEMA ??', [prefix]);
  const drop = async () => {
    await db.raw('DROP SCHEMA IF EXISTS ?? CASCADE', [prefix]);
  };
  return { dialect: 'postgres', db, prefix, drop };
}

const schemaPrefix = 'dropslot_stage_';
/** A frozen importer's locks must not hold up the others. */
const lockTimeoutMs = 5_000;

interface TableOfStage {
  name: string;
  columns: string;
}

/** Tables of the whole run. `file` is the place of a file in the run; `line` the line that says so. */
function runTables(dialect: Dialect): TableOfStage[] {
  const number = dialect === 'sqlite' ? 'INTEGER PRIMARY KEY' : 'BIGSERIAL PRIMARY KEY';
  const json = dialect === 'sqlite' ? 'TEXT' : 'JSONB';
  return [
    {
      // `line` is 0 where the file as a whole is meant.
      name: 'issues',
      columns: `n ${number}, file INT, line INT NOT NULL, col TEXT, severity TEXT, code TEXT, message TEXT, value TEXT`,
    },
    {
      // Users that the run creates or changes, as they will be. `address`: the compared email where it is not the key.
      name: 'people',
      columns: `n ${number}, key TEXT NOT NULL UNIQUE, id BIGINT, email TEXT, address TEXT, user_name TEXT, first_name TEXT, last_name TEXT,
        manager_key TEXT, manager_id BIGINT, account_type TEXT, is_admin INT, status TEXT, deactivation_date TEXT,
        deactivate_at BIGINT, deactivated_at BIGINT, deactivated_by TEXT, custom ${json},
        is_new INT NOT NULL, is_stub INT NOT NULL, file INT, line INT`,
    },
    // Emails that users give up in the run, each with the key of who did so last.
    { name: 'formers', columns: 'email_key TEXT PRIMARY KEY, key TEXT NOT NULL' },
    {
      // Teams that the run creates or changes, as they will be.
      name: 'groups',
      columns: `n ${number}, key TEXT NOT NULL UNIQUE, id BIGINT, name TEXT, owner_key TEXT, owner_id BIGINT, parent_key TEXT,
        parent_id BIGINT, type TEXT, is_new INT NOT NULL, is_stub INT NOT NULL, file INT, line INT`,
    },
    {
      name: 'joins',
      columns: 'person_key TEXT, team_key TEXT, file INT, line INT, PRIMARY KEY (person_key, team_key)',
    },
    { name: 'leaves', columns: 'person_key TEXT, team_key TEXT, PRIMARY KEY (person_key, team_key)' },
    { name: 'changes', columns: 'file INT, line INT, entity TEXT, key TEXT, field TEXT, before TEXT, after TEXT' },
    {
      name: 'fields',
      columns: 'id TEXT, label TEXT, label_key TEXT, type TEXT, position INT, created_at BIGINT, file INT',
    },
  ];
}

/** Tables of one file, made anew for each. `state`: 0 counts, 1 says the same as an earlier row, 2 is faulty. */
function fileTables(dialect: Dialect): TableOfStage[] {
  const json = dialect === 'sqlite' ? 'TEXT' : 'JSONB';
  return [
    {
      name: 'user_rows',
      columns: `line INTEGER PRIMARY KEY, email TEXT, key TEXT, user_name TEXT, first_name TEXT, last_name TEXT,
        manager_key TEXT, manager_email TEXT, manager_name TEXT, teams ${json}, account_type TEXT, is_admin INT,
        deactivation_date TEXT, deactivation_at BIGINT, custom ${json}, ident TEXT, state INT NOT NULL DEFAULT 0,
        address TEXT, moves INT NOT NULL DEFAULT 0`,
    },
    {
      name: 'team_rows',
      columns: `line INTEGER PRIMARY KEY, name TEXT, key TEXT, owner_key TEXT, owner_email TEXT, parent_key TEXT,
        parent_name TEXT, type TEXT, state INT NOT NULL DEFAULT 0`,
    },
  ];
}

async function createTable({ db, dialect, prefix }: Stage, { name, columns }: TableOfStage): Promise<void> {
  await db.raw(`CREATE ${dialect === 'sqlite' ? '' : 'UNLOGGED'} TABLE ${prefix}.${name} (${columns})`);
}

/** Empties the tables of one file, for the next. */
export async function beginFile(stage: Stage): Promise<void> {
  for (const table of fileTables(stage.dialect)) {
    await stage.db.raw(`DROP TABLE IF EXISTS ${stage.prefix}.${table.name}`);
    await createTable(stage, table);
  }
}

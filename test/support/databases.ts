/** The databases that a suite runs on: SQLite files by each driver, and a real PostgreSQL. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { after, before, describe } from 'node:test';
import { pathsOf } from '../../config/paths.js';
import { type Settings, settingsSchema } from '../../config/settings.js';
import { type Db, openControl, openDirectory } from '../../db/connection.js';
import type { Dialect } from '../../db/dialect.js';
import { sealingDriver } from '../../db/sqlite/drivers.js';
import { giveIdle, restoreContents, takeIdle } from './postgrespool.js';
import { connected, copySqliteTemplate, postgresTemplate, withDatabase } from './template.js';
import { openScope, type Scope, temporaryFolder } from './temporary.js';

export interface TestDatabases {
  settings: Settings;
  control: Db;
  directory: Db;
}

type Suite = (open: (scope: Scope) => Promise<TestDatabases>, dialect: Dialect) => void;

/** In `npm test`, whose time is short; `npm run test:long`, and whoever names a file, has all of it. */
export const isShort = process.env.TEST_SHORT !== undefined;

/** false: another version of PostgreSQL is tested, and SQLite has been. */
const testsSqlite = process.env.TEST_DATABASES !== 'postgres';

/**
 * Runs a suite once on SQLite and once on PostgreSQL (the server that scripts/test.mjs started). `open` gives fresh,
 * empty databases, closed and removed after the test whose context it gets.
 */
export function onBothDatabases(title: string, suite: Suite): void {
  if (testsSqlite) describe(`${title} (sqlite)`, () => suite((context) => openFresh(context, 'sqlite'), 'sqlite'));
  describe(`${title} (postgres)`, () => suite((context) => openFresh(context, 'postgres'), 'postgres'));
}

/** As onBothDatabases; in `npm test` on SQLite alone. For a large suite whose statements other suites run on PostgreSQL, too. */
export function onBothInLongTests(title: string, suite: Suite): void {
  if (isShort) describe(`${title} (sqlite)`, () => suite((context) => openFresh(context, 'sqlite'), 'sqlite'));
  else onBothDatabases(title, suite);
}

/** As onBothDatabases, and on SQLite once with each driver, the last one with a sealed directory: the contract that a new driver has to fulfil. */
export function onEveryDatabase(title: string, suite: Suite): void {
  for (const driver of testsSqlite ? sqliteDrivers : [])
    describe(`${title} (${driver})`, () =>
      suite(
        (context) => openFresh(context, 'sqlite', driver, driver === sealingDriver ? testDirectoryKey : null),
        'sqlite',
      ));
  describe(`${title} (postgres)`, () => suite((context) => openFresh(context, 'postgres'), 'postgres'));
}

export const sqliteDrivers = ['sqlite3', 'better-sqlite3', 'better-sqlite3-multiple-ciphers'] as const;

/** Of the sealed directory of a test, which no control database has. */
export const testDirectoryKey = '0123456789abcdef'.repeat(4);

/** Whether a transaction of this database on PostgreSQL waits for a row that another one holds. */
export async function isLockAwaited(db: Db['read']): Promise<boolean> {
  const waiting = "datname = current_database() AND wait_event_type = 'Lock'";
  return (await db('pg_stat_activity').whereRaw(waiting).first('pid')) !== undefined;
}

/** One pair of databases for all tests of a suite; asked for in a test. */
export function shareDatabases(open: (scope: Scope) => Promise<TestDatabases>): () => TestDatabases {
  let databases: TestDatabases;
  const scope = openScope();
  before(async () => {
    databases = await open(scope);
  });
  after(() => scope.close());
  return () => databases;
}

/** Both databases, migrated and empty. `TEST_SQLITE_DRIVER=better-sqlite3` runs any test on that driver. `key`: of a sealed directory. */
export async function openFresh(
  scope: Scope,
  dialect: Dialect,
  sqliteDriver: string | undefined = process.env.TEST_SQLITE_DRIVER,
  key: string | null = null,
): Promise<TestDatabases> {
  const data = temporaryFolder(scope);
  const made = dialect === 'postgres' ? await takeMigrated() : null;
  const opened: Db[] = [];
  scope.after(async () => {
    for (const db of opened) await db.close();
    await made?.giveBack();
  });
  if (dialect === 'sqlite') await copySqliteTemplate(data);
  const database = made === null ? { database: 'sqlite' } : throughPooler(made.url);
  const settings = settingsSchema.parse({ data, ...database, databasePool: 4, sqliteDriver });
  const control = await openControl(settings);
  opened.push(control);
  if (key !== null) rmSync(pathsOf(settings).directory, { force: true }); // the template is not sealed
  const directory = await openDirectory(settings, undefined, key);
  opened.push(directory);
  return { settings, control, directory };
}

/** `TEST_POOLER_PORT`: of a pooler in transaction mode in front of the server, through which any test runs. */
function throughPooler(url: string): { database: string; databasePooler?: 'transaction' } {
  const port = process.env.TEST_POOLER_PORT;
  if (port === undefined) return { database: url };
  const pooled = new URL(url);
  pooled.port = port;
  return { database: pooled.href, databasePooler: 'transaction' };
}

/** Both databases of the settings, as one process has them; closed after the test. */
export async function openBoth(scope: Scope, settings: Settings): Promise<TestDatabases> {
  const control = await openControl(settings);
  scope.after(() => control.close());
  const directory = await openDirectory(settings);
  scope.after(() => directory.close());
  return { settings, control, directory };
}

/** A new database on the PostgreSQL of the test run, with nothing in it; its URL. */
export async function createDatabase(scope: Scope): Promise<string> {
  const server = postgresServer();
  const name = newName();
  await connected(server, (client) => client.query(`CREATE DATABASE ${name}`));
  scope.after(() => dropDatabase(server, name));
  return withDatabase(server, name);
}

/** A migrated, empty database: one that an earlier test has given back, else a new one. */
async function takeMigrated(): Promise<{ url: string; giveBack: () => Promise<void> }> {
  const server = postgresServer();
  let name = newName();
  await connected(server, async (client) => {
    const template = await postgresTemplate(client, server);
    const idle = await takeIdle(client);
    if (idle !== null) name = idle;
    else await client.query(`CREATE DATABASE ${name} ${template}`);
  });
  const url = withDatabase(server, name);
  const giveBack = async () => {
    const isReset = await connected(url, restoreContents);
    if (isReset) await connected(server, (client) => giveIdle(client, name));
    else await dropDatabase(server, name);
  };
  return { url, giveBack };
}

function postgresServer(): string {
  const server = process.env.TEST_POSTGRES_URL;
  if (server === undefined)
    throw new Error('no PostgreSQL: run the tests by `npm test` or `node scripts/test.mjs FILE`');
  return server;
}

const newName = () => `t_${randomBytes(6).toString('hex')}`;

async function dropDatabase(server: string, name: string): Promise<void> {
  await connected(server, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
}

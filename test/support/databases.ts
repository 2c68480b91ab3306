/** The databases that a suite runs on: SQLite files by each driver, and a real PostgreSQL. */
import { randomBytes } from 'node:crypto';
import { after, before, describe } from 'node:test';
import pg from 'pg';
import { type Settings, settingsSchema } from '../../config/settings.js';
import { type Db, type Dialect, openControl, openDirectory } from '../../db/connection.js';
import { copySqliteTemplate, postgresTemplate, withDatabase } from './template.js';
import { openScope, type Scope, temporaryFolder } from './temporary.js';

export interface TestDatabases {
  settings: Settings;
  control: Db;
  directory: Db;
}

type Suite = (open: (scope: Scope) => Promise<TestDatabases>) => void;

/**
 * Runs a suite once on SQLite and once on PostgreSQL (the server that scripts/test.mjs started). `open` gives fresh,
 * empty databases, closed and removed after the test whose context it gets.
 */
export function onBothDatabases(title: string, suite: Suite): void {
  describe(`${title} (sqlite)`, () => suite((context) => openFresh(context, 'sqlite')));
  describe(`${title} (postgres)`, () => suite((context) => openFresh(context, 'postgres')));
}

/** As onBothDatabases, and on SQLite once with each driver: the contract that a new driver has to fulfil. */
export function onEveryDatabase(title: string, suite: Suite): void {
  for (const driver of sqliteDrivers)
    describe(`${title} (${driver})`, () => suite((context) => openFresh(context, 'sqlite', driver)));
  describe(`${title} (postgres)`, () => suite((context) => openFresh(context, 'postgres')));
}

export const sqliteDrivers = ['sqlite3', 'better-sqlite3'] as const;

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

/** Both databases, migrated and empty. `TEST_SQLITE_DRIVER=better-sqlite3` runs any test on that driver. */
export async function openFresh(
  scope: Scope,
  dialect: Dialect,
  sqliteDriver: string | undefined = process.env.TEST_SQLITE_DRIVER,
): Promise<TestDatabases> {
  const data = temporaryFolder(scope);
  const made = dialect === 'postgres' ? await makeDatabase(true) : null;
  const opened: Db[] = [];
  scope.after(async () => {
    for (const db of opened) await db.close();
    await made?.drop(); // with nobody connected: PostgreSQL waits a tenth of a second for those it throws out
  });
  if (dialect === 'sqlite') await copySqliteTemplate(data);
  const settings = settingsSchema.parse({ data, database: made?.url ?? 'sqlite', databasePool: 4, sqliteDriver });
  const control = await openControl(settings);
  opened.push(control);
  const directory = await openDirectory(settings);
  opened.push(directory);
  return { settings, control, directory };
}

/** A new database on the PostgreSQL of the test run, with nothing in it; its URL. */
export async function createDatabase(scope: Scope): Promise<string> {
  const { url, drop } = await makeDatabase(false);
  scope.after(drop);
  return url;
}

async function makeDatabase(isMigrated: boolean): Promise<{ url: string; drop: () => Promise<void> }> {
  const server = process.env.TEST_POSTGRES_URL;
  if (server === undefined)
    throw new Error('no PostgreSQL: run the tests by `npm test` or `node scripts/test.mjs FILE`');
  const name = `t_${randomBytes(6).toString('hex')}`;
  await connected(server, async (client) => {
    const template = isMigrated ? await postgresTemplate(client, server) : '';
    await client.query(`CREATE DATABASE ${name} ${template}`);
  });
  const drop = () => connected(server, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
  return { url: withDatabase(server, name), drop };
}

async function connected(server: string, use: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}

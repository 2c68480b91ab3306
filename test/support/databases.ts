/** The contract suite's databases: SQLite files and a real PostgreSQL, behind one loop. */
import { randomBytes } from 'node:crypto';
import { after, before, describe } from 'node:test';
import pg from 'pg';
import { type Settings, settingsSchema } from '../../src/config/settings.js';
import { type Db, openControl, openDirectory } from '../../src/db/connection.js';
import { openScope, type Scope, temporaryFolder } from './temporary.js';

export interface TestDatabases {
  settings: Settings;
  control: Db;
  directory: Db;
}

/**
 * Runs a suite once on SQLite and once on PostgreSQL (the server that scripts/test.mjs started). `open` gives fresh,
 * empty databases, closed and removed after the test whose context it gets.
 */
export function onBothDatabases(title: string, suite: (open: (scope: Scope) => Promise<TestDatabases>) => void): void {
  describe(`${title} (sqlite)`, () => suite((context) => openFresh(context, 'sqlite')));
  describe(`${title} (postgres)`, () => suite(async (context) => openFresh(context, await createDatabase(context))));
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

export async function openFresh(scope: Scope, database: string): Promise<TestDatabases> {
  const settings = settingsSchema.parse({ data: temporaryFolder(scope), database, databasePool: 4 });
  const control = await openControl(settings);
  const directory = await openDirectory(settings);
  scope.after(async () => {
    await control.close();
    await directory.close();
  });
  return { settings, control, directory };
}

/** A new database on the PostgreSQL of the test run; its URL. */
export async function createDatabase(scope: Scope): Promise<string> {
  const server = process.env.TEST_POSTGRES_URL;
  if (server === undefined)
    throw new Error('no PostgreSQL: run the tests by `npm test` or `node scripts/test.mjs FILE`');
  const name = `t_${randomBytes(6).toString('hex')}`;
  await runOn(server, `CREATE DATABASE ${name}`);
  scope.after(() => runOn(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

async function runOn(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  await client.query(sql);
  await client.end();
}

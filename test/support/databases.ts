/** The contract suite's databases: SQLite files and a real PostgreSQL, behind one loop. */
import { randomBytes } from 'node:crypto';
import { after, describe } from 'node:test';
import pg from 'pg';
import { type Settings, settingsSchema } from '../../src/config/settings.js';
import { type Db, openControl, openDirectory } from '../../src/db/connection.js';
import { startPostgres } from './postgres.js';
import { temporaryFolder } from './temporary.js';

export interface TestDatabases {
  settings: Settings;
  control: Db;
  directory: Db;
}

/**
 * Runs a suite once on SQLite and once on PostgreSQL. `open` gives fresh, empty databases that are closed and removed
 * after the suite; call it in a test or a `before`.
 */
export function onBothDatabases(title: string, suite: (open: () => Promise<TestDatabases>) => void): void {
  describe(`${title} (sqlite)`, () => {
    suite(() => openFresh('sqlite'));
  });
  describe(`${title} (postgres)`, () => {
    suite(async () => {
      const server = await startPostgres();
      return openFresh(await createDatabase(server));
    });
  });
}

export async function openFresh(database: string): Promise<TestDatabases> {
  const settings = settingsSchema.parse({ data: temporaryFolder({ after }), database, databasePool: 4 });
  const control = await openControl(settings);
  const directory = await openDirectory(settings);
  after(async () => {
    await control.close();
    await directory.close();
  });
  return { settings, control, directory };
}

/** A new database on the server; its URL. */
export async function createDatabase(server: string): Promise<string> {
  const name = `t_${randomBytes(6).toString('hex')}`;
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  after(async () => {
    const cleaner = new pg.Client({ connectionString: server });
    await cleaner.connect();
    await cleaner.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await cleaner.end();
  });
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

/**
 * Migrated databases to copy from: migrating takes the better part of what a test of the stores takes. A run of the
 * tests (TEST_TEMPLATES, a folder of scripts/test.mjs, names it) migrates once on SQLite and once on PostgreSQL, by
 * whichever test comes first; without such a run each test migrates its own.
 */
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import pg from 'pg';
import { pathsOf } from '../../config/paths.js';
import { type Settings, settingsSchema } from '../../config/settings.js';
import { openControl, openDirectory } from '../../db/connection.js';
import { preparePool } from './postgrespool.js';

/** Any number, the same in all processes of the run. */
const templateLock = 7_310_945;

/** Puts both databases, migrated and empty, into a data folder that has none; nothing without a run of the tests. */
export async function copySqliteTemplate(data: string): Promise<void> {
  const run = process.env.TEST_TEMPLATES;
  if (run === undefined) return;
  const template = join(run, 'sqlite');
  try {
    copyDatabases(template, data);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await makeSqliteTemplate(run, template);
    copyDatabases(template, data);
  }
}

function copyDatabases(from: string, to: string): void {
  const [source, target] = [pathsOf({ data: from }), pathsOf({ data: to })];
  copyFileSync(source.control, target.control);
  copyFileSync(source.directory, target.directory);
}

async function makeSqliteTemplate(run: string, template: string): Promise<void> {
  mkdirSync(run, { recursive: true });
  const made = mkdtempSync(join(run, 'new-'));
  await migrateBoth(settingsSchema.parse({ data: made, database: 'sqlite' }));
  try {
    renameSync(made, template); // whole, or not at all
  } catch (error) {
    if (!/^(ENOTEMPTY|EEXIST)$/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
    rmSync(made, { recursive: true }); // another process was first
  }
}

/**
 * What a new database on PostgreSQL is copied from, for CREATE DATABASE: '' outside of a run of the tests. `client` is
 * connected to `server`, where `create` makes a database by its name.
 */
export async function postgresTemplate(client: pg.Client, server: string): Promise<string> {
  const run = process.env.TEST_TEMPLATES;
  if (run === undefined) return '';
  const template = basename(run);
  if (!(await exists(client, template))) {
    await client.query('SELECT pg_advisory_lock($1)', [templateLock]);
    try {
      if (!(await exists(client, template))) await makePostgresTemplate(client, server, template);
    } finally {
      await client.query('SELECT pg_advisory_unlock($1)', [templateLock]);
    }
  }
  // Copying files costs the server half of what it takes to log them; before version 15 there was nothing else.
  const { rows } = await client.query<{ server_version_num: string }>('SHOW server_version_num');
  return `TEMPLATE ${template}${Number(rows[0]!.server_version_num) >= 150_000 ? ' STRATEGY file_copy' : ''}`;
}

async function makePostgresTemplate(client: pg.Client, server: string, template: string): Promise<void> {
  const made = `${template}_new`;
  await client.query(`DROP DATABASE IF EXISTS ${made}`);
  await client.query(`CREATE DATABASE ${made}`);
  await migrateBoth(settingsSchema.parse({ data: '/nowhere', database: withDatabase(server, made) }));
  await connected(withDatabase(server, made), (migrated) => preparePool(client, migrated));
  await client.query(`ALTER DATABASE ${made} RENAME TO ${template}`); // whole, or not at all
}

async function exists(client: pg.Client, name: string): Promise<boolean> {
  return (await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name])).rowCount === 1;
}

async function migrateBoth(settings: Settings): Promise<void> {
  const control = await openControl(settings);
  await control.close();
  const directory = await openDirectory(settings);
  await directory.close();
}

/** Runs `use` on a connection of its own. */
export async function connected<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** The URL of another database on the same server. */
export function withDatabase(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

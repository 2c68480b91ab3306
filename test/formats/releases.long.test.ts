/** Data that each release wrote, opened by today's program: nothing is lost, and it goes on from there. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { settingsSchema } from '../../config/settings.js';
import { type Db, openControl, openDirectory } from '../../db/connection.js';
import { createDatabase, openFresh, sqliteDrivers } from '../support/databases.js';
import { askDropslot, type RunOptions, runDropslot } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

/** Written by scripts/fixture.mjs: NAME.tar.gz is the data folder, EXPECTED what the release answered about it. */
const folder = fileURLToPath(new URL('.', import.meta.url));
const releases = readdirSync(folder).filter((name) => /^\d+\.\d+\.\d+$/.test(name));

type Row = Record<string, unknown>;
interface Expected {
  orgs: Row[];
  keys: Row[];
  queue: Row[];
  runs: Row[];
  files: Row[];
  fields: Row[];
  users: string;
  teams: string;
  queued: string;
}

/** What a later release must still say of each; it may say more. */
const lasting = {
  orgs: ['id', 'name', 'enabled', 'slot', 'timeZone', 'dateFormat', 'recipient', 'owner', 'hasIdentity', 'queued'],
  keys: ['fingerprint', 'publicKey', 'label', 'state', 'lastUsedFrom', 'lastUsedClient'],
  queue: ['upload', 'path', 'size', 'sha256', 'state', 'queuedAt', 'keyFingerprint', 'address'],
  runs: ['id', 'kind', 'state', 'openedAt', 'finishedAt'],
  files: ['path', 'kind', 'size'],
  fields: ['label', 'type'],
};

/** Where the command is not `NAME list acme`. */
const commands: Record<string, string[]> = { orgs: ['orgs', 'list'], queue: ['queue', 'acme'] };

const pick = (rows: Row[], names: readonly string[]) =>
  rows.map((row) => Object.fromEntries(names.map((name) => [name, row[name]])));

function unpack(t: TestContext, release: string, name: string): string {
  const data = temporaryFolder(t);
  execFileSync('tar', ['-C', data, '-xzf', join(folder, release, `${name}.tar.gz`)]);
  return data;
}

function readExpected(release: string, name: string): Expected {
  return JSON.parse(readFileSync(join(folder, release, name), 'utf8'));
}

async function restore(t: TestContext, data: string): Promise<string> {
  const url = await createDatabase(t);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(readFileSync(join(data, 'dump.sql'), 'utf8'));
  await client.end();
  return url;
}

async function isWhole(options: RunOptions, expected: Expected): Promise<void> {
  for (const name of Object.keys(lasting) as (keyof typeof lasting)[]) {
    const fields = lasting[name];
    const args = commands[name] ?? [name, 'list', 'acme'];
    assert.deepEqual(pick(await askDropslot<Row[]>(args, options), fields), pick(expected[name], fields), name);
    assert.ok(expected[name].length > 0 && fields.every((field) => expected[name].some((row) => field in row)), name);
  }
  const run = await askDropslot<{ summary: unknown }>(['runs', 'show', '2'], options);
  assert.deepEqual(countsOf(run.summary), countsOf(expected.runs.find(({ id }) => id === 2)!.summary));
  for (const name of ['users', 'teams'] as const)
    assert.equal((await runDropslot([name, 'export', 'acme'], options)).stdout, expected[name]);
}

function countsOf(summary: unknown) {
  const { users, teams } = summary as { users: Row; teams: Row };
  return { users, teams };
}

/** The doctor opens every sealed file to its end. The files in the queue have waited since the release. */
async function filesOpen(options: RunOptions, expected: Expected): Promise<void> {
  const { stdout } = await runDropslot(['doctor', '--deep', '--json'], options);
  const { findings }: { findings: { level: string; message: string }[] } = JSON.parse(stdout);
  assert.ok(findings.length > 10);
  assert.deepEqual(
    findings.filter(({ level, message }) => level === 'wrong' && !message.startsWith('files have waited since')),
    [],
  );
  assert.equal((await runDropslot(['files', 'cat', 'acme', '/users.csv'], options)).stdout, expected.queued);
}

async function importsOn(options: RunOptions): Promise<void> {
  const ran = await runDropslot(['import', 'acme'], options);
  assert.equal(ran.code, 0, ran.stderr);
  assert.deepEqual(await askDropslot(['queue', 'acme'], options), []);
  const run = await askDropslot<{ state: string; summary: { users: Row } }>(['runs', 'show', '3'], options);
  assert.deepEqual([run.state, run.summary.users.created, run.summary.users.updated], ['done', 1, 1]);
  const users = (await runDropslot(['users', 'export', 'acme'], options)).stdout;
  assert.match(users, /^bo@acme\.test,Bob,Bo,O'Neill,/m);
  assert.match(users, /^flo@acme\.test,Flo,/m);
  assert.match(users, /^cy@acme\.test,Cyrus,/m);
  const audit = await runDropslot(['audit', 'verify'], options);
  assert.equal(audit.code, 0, audit.stdout);
  const doctor = await runDropslot(['doctor', '--deep'], options);
  assert.equal(doctor.code, 0, doctor.stdout);
}

for (const release of releases) {
  describe(`data of release ${release}`, () => {
    for (const driver of sqliteDrivers)
      test(`${driver}: everything is there, files open, an import works on it`, async (t) => {
        const options = { data: unpack(t, release, 'data'), env: { DROPSLOT_SQLITE_DRIVER: driver } };
        const expected = readExpected(release, 'expected.json');
        await isWhole(options, expected);
        await filesOpen(options, expected);
        await importsOn(options);
      });

    test('postgres: everything is there, files open, an import works on it', async (t) => {
      const data = unpack(t, release, 'postgres');
      const options = { data, env: { DROPSLOT_DATABASE: await restore(t, data) } };
      const expected = readExpected(release, 'postgres.json');
      await isWhole(options, expected);
      await filesOpen(options, expected);
      await importsOn(options);
    });

    test('its schema becomes the one of a new database', async (t) => {
      const settings = settingsSchema.parse({ data: unpack(t, release, 'data') });
      assert.ok(existsSync(join(settings.data, 'control.db')));
      const fresh = await openFresh(t, 'sqlite');
      for (const [open, name] of [[openControl, 'control'] as const, [openDirectory, 'directory'] as const]) {
        const db = await open(settings);
        t.after(() => db.close());
        assert.deepEqual(await schemaOf(db), await schemaOf(fresh[name]));
      }
    });
  });
}

async function schemaOf({ read }: Db): Promise<unknown[]> {
  return read('sqlite_master').orderBy(['type', 'name']).select('type', 'name', 'tbl_name', 'sql');
}

/**
 * A real PostgreSQL server that crashes in the middle of a run and starts again: the working tables of the run are not logged, and empty
 * after that. No run says that it has imported what it has not.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { settingsSchema } from '../../../config/settings.js';
import { openManualRun, openUndoRun } from '../../../db/control/runs.js';
import type { RunStep } from '../../../importer/run/deps.js';
import { workNext } from '../../../importer/run/worker.js';
import { Company, csv } from '../../support/company.js';
import { openBoth, type TestDatabases } from '../../support/databases.js';
import { until } from '../../support/session.js';
import { connected, withDatabase } from '../../support/template.js';
import { type Scope, temporaryFolder } from '../../support/temporary.js';

interface PostgresServer {
  url: string;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

let server: PostgresServer;
before(async () => {
  // Not through types: the runner of the tests is no TypeScript.
  const { startPostgres } = await import(join(import.meta.dirname, '../../../scripts/postgres.mjs'));
  server = await startPostgres();
});
after(() => server.stop());

let made = 0;

async function openOn(scope: Scope): Promise<TestDatabases> {
  const name = `crash_${made++}`;
  await connected(server.url, (client) => client.query(`CREATE DATABASE ${name}`));
  const database = withDatabase(server.url, name);
  const settings = settingsSchema.parse({ data: temporaryFolder(scope), database, databasePool: 2 });
  return openBoth(scope, settings);
}

/** Works on the runs that are open until none is, and lets the server crash once, at this step. */
async function workWithCrash(acme: Company, step: RunStep): Promise<void> {
  let hasCrashed = false;
  const onStep = async (at: RunStep) => {
    if (at !== step || hasCrashed) return;
    hasCrashed = true;
    await server.kill();
    await server.restart();
  };
  const { control } = acme.databases;
  const isOpen = () => control.read('runs').whereIn('state', ['open', 'running']).first('id');
  await until(async () => {
    acme.clock += 120_000; // a pause after a failure, and a lease, are over
    await workNext({ ...acme.deps, onStep }).catch(() => {});
    return (await isOpen().catch(() => true)) === undefined;
  }, `the run that met a crash when it was ${step}`);
  assert.ok(hasCrashed);
}

const people = csv('User Email', ...Array.from({ length: 30 }, (_, n) => `user${n}@acme.test`));

for (const step of ['planned', 'reported', 'applied'] as const) {
  test(`a crash when a run is ${step}: its users are there, as it says`, async (t) => {
    const acme = await Company.open(openOn, t);
    const { control } = acme.databases;
    await acme.drop('/users.csv', people);
    await openManualRun(control.write, 'acme', acme.clock);
    await workWithCrash(acme, step);
    const [run] = await control.read('runs');
    assert.equal(run.state, 'done');
    assert.equal(JSON.parse(run.summary).users.created, 30);
    assert.equal(Object.keys(await acme.users()).length, 31);
  });
}

test('a crash when a run is planned that is to be held: it is held', async (t) => {
  const acme = await Company.open(openOn, t);
  const { control } = acme.databases;
  await acme.import({ 'users.csv': people });
  const leaving = Array.from({ length: 20 }, (_, n) => `user${n}@acme.test,2026-03-10`);
  await acme.drop('/leavers.csv', csv('User Email,Deactivation Date', ...leaving));
  const id = await openManualRun(control.write, 'acme', acme.clock);
  await workWithCrash(acme, 'planned');
  const run = await control.read('runs').where({ id }).first();
  assert.equal(run.state, 'held');
  assert.equal(JSON.parse(run.summary).users.deactivated, 20);
});

test('a crash when an undo is planned: it takes the run back', async (t) => {
  const acme = await Company.open(openOn, t);
  const { control } = acme.databases;
  await acme.import({ 'users.csv': people });
  const { id } = await control.read('runs').first();
  await openUndoRun(control.write, 'acme', id, acme.clock);
  await workWithCrash(acme, 'planned');
  const states = Object.values(await acme.users()).map(({ status }) => status);
  assert.equal(states.filter((status) => status === 'active').length, 1, 'the owner');
});

/** A file that keeps an importer's thread busy for ever, on the built server: measured at its neighbours and at the server's end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findRun, openManualRun } from '../../db/control/runs.js';
import type { RunSummary } from '../../importer/types.js';
import { Company, csv } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { startServe } from '../support/program.js';
import { until } from '../support/session.js';
import type { Scope } from '../support/temporary.js';

const entry = fileURLToPath(new URL('./server.mjs', import.meta.url));
const patienceMs = 60_000;

/** acme's second file hangs its importer; beta has a file of one row. Both runs are open. */
async function prepare(t: Scope) {
  const databases = await openFresh(t, 'sqlite');
  const acme = await Company.join(databases, { id: 'acme', options: { earlyCheck: false } });
  const beta = await Company.join(databases, { id: 'beta', options: { earlyCheck: false } });
  for (const company of [acme, beta]) company.clock = Date.now();
  await acme.drop('/good.csv', csv('User Email', 'ann@acme.test'));
  await acme.drop('/hostile.csv', csv('User Email', 'bob@acme.test'));
  await beta.drop('/users.csv', csv('User Email', 'cid@beta.test'));
  const { id: hostile } = await databases.control.read('uploads').where({ path: '/hostile.csv' }).first('id');
  const runs = {
    acme: await openManualRun(databases.control.write, 'acme', Date.now()),
    beta: await openManualRun(databases.control.write, 'beta', Date.now()),
  };
  const serve = (env: Record<string, string>) =>
    startServe(t, {
      data: databases.settings.data,
      entry,
      env: { HOSTILE_UPLOAD: String(hostile), DROPSLOT_PORT: '0', DROPSLOT_HOST: '127.0.0.1', ...env },
    });
  const isDone = async (run: number) => (await findRun(databases.control.read, run))?.state === 'done';
  return { control: databases.control, acme, runs, serve, isDone };
}

test('the file is refused, the other files and the other customer are imported', async (t) => {
  const { control, acme, runs, serve, isDone } = await prepare(t);
  const server = await serve({ DROPSLOT_MAX_FILE_MINUTES: '0.1' });
  await until(() => isDone(runs.beta), 'the neighbour is imported', patienceMs);
  assert.equal(await isDone(runs.acme), false, 'while the importer of the hostile file still hangs');
  await until(() => isDone(runs.acme), 'the run ends', patienceMs);
  const summary = (await findRun(control.read, runs.acme))!.summary as RunSummary;
  assert.deepEqual(
    summary.files.map(({ name, state }) => [name, state]),
    [
      ['good.csv', 'imported'],
      ['hostile.csv', 'refused'],
    ],
  );
  assert.ok('ann@acme.test' in (await acme.users()));
  assert.ok(server.log.some(({ message }) => message.startsWith('quarantined an upload')));
  assert.equal(await server.stop(), 0);
});

test('a file that takes memory without end is refused after the second time', async (t) => {
  const { control, runs, serve, isDone } = await prepare(t);
  const server = await serve({ HOSTILE_KIND: 'memory', DROPSLOT_IMPORTER_MEMORY_BYTES: '192MiB' });
  await until(async () => (await isDone(runs.acme)) && (await isDone(runs.beta)), 'both runs end', patienceMs);
  const summary = (await findRun(control.read, runs.acme))!.summary as RunSummary;
  assert.deepEqual(
    summary.files.map(({ name, refusal }) => [name, refusal?.code ?? null]),
    [
      ['good.csv', null],
      ['hostile.csv', 'too_costly'],
    ],
  );
  assert.match(summary.files[1]!.refusal!.message, /more than 192 MiB of memory/);
  assert.equal(await server.stop(), 0);
});

test('SIGTERM ends the server within its grace, and the run is given back', async (t) => {
  const { control, runs, serve } = await prepare(t);
  const server = await serve({ DROPSLOT_IMPORT_GRACE_SECONDS: '0.5', DROPSLOT_UPLOAD_GRACE_SECONDS: '0' });
  await server.waitForLog(({ message }) => message === 'hangs');
  const started = performance.now();
  assert.equal(await server.stop(), 0);
  const tookMs = performance.now() - started;
  assert.ok(server.log.some(({ message }) => message.startsWith('an importer process did not reach a safe point')));
  assert.ok(tookMs < 10_000, `it took ${Math.round(tookMs)} ms`);
  const run = (await findRun(control.read, runs.acme))!;
  assert.deepEqual([run.state, run.leaseOwner, run.attempts], ['open', null, 0]);
});

test('a file of one row is imported while another customer has 100,000 rows staged, on SQLite', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const { control, settings } = databases;
  const acme = await Company.join(databases, { id: 'acme', options: { earlyCheck: false } });
  const beta = await Company.join(databases, { id: 'beta', options: { earlyCheck: false } });
  for (const company of [acme, beta]) company.clock = Date.now();
  const rows = Array.from({ length: 100_000 }, (_, row) => `user${row}@customer-with-many-people.test,Person ${row}`);
  await acme.drop('/users.csv', csv('User Email,User Name', ...rows));
  const large = await openManualRun(control.write, 'acme', Date.now());
  const env = { DROPSLOT_IMPORTERS: '2', DROPSLOT_PORT: '0', DROPSLOT_HOST: '127.0.0.1' };
  const server = await startServe(t, { data: settings.data, entry, env });
  await until(async () => (await findRun(control.read, large))!.state === 'running', 'the rows are read', patienceMs);
  await beta.drop('/users.csv', csv('User Email', 'cid@beta.test'));
  const small = await openManualRun(control.write, 'beta', Date.now());
  await until(async () => (await findRun(control.read, small))!.state === 'done', 'the row is imported', patienceMs);
  assert.equal((await findRun(control.read, large))!.state, 'running');
  assert.equal(await server.stop(), 0);
});

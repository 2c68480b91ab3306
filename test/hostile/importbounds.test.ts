/** Files that would fill the disk by their reports, their stage or their number: each bound holds, and the neighbour imports. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { createSilentLogger } from '../../config/logger.js';
import type { Settings } from '../../config/settings.js';
import { findRun, openManualRun } from '../../db/control/runs.js';
import { measureUsage } from '../../db/control/usage.js';
import { workNext } from '../../importer/run/worker.js';
import { watchFreeSpace } from '../../storage/freespace.js';
import { Company, csv } from '../support/company.js';
import { onBothDatabases, openFresh } from '../support/databases.js';
import { keepingLogger } from '../support/session.js';
import { temporaryFolder } from '../support/temporary.js';

const wrong = Array.from({ length: 30 }, (_, n) => `u${n}@acme.test,maybe`);
const faulty = Array.from({ length: 15 }, (_, n) => `no address ${n},Yes`);
const sound = Array.from({ length: 30 }, (_, n) => `s${n}@acme.test,No`);

onBothDatabases('bounds of an import', (open) => {
  const openWith = async (t: Parameters<typeof open>[0], change: Partial<Settings>) => {
    const databases = await open(t);
    return Company.join({ ...databases, settings: { ...databases.settings, ...change } });
  };

  test('a report has the first lines of a code and the number of the others; rejected rows are whole', async (t) => {
    const acme = await openWith(t, { maxReportedIssues: 10 });
    const summary = await acme.import({ 'users.csv': csv('User Email,Is Org Admin', ...wrong, ...faulty, ...sound) });
    const [file] = summary.files;
    assert.deepEqual([file!.users.warnings, file!.users.faults], [30, 15]);
    const report = (await acme.read(file!.report!)).split('\r\n');
    const lines = report.filter((line) => /^\d+,/.test(line));
    assert.equal(lines.length, 20);
    const omitted = report.filter((line) => line.includes('issues_omitted'));
    assert.deepEqual(omitted.map((line) => /leaves out ([\d,]+) more lines/.exec(line)![1]).sort(), ['20', '5']);
    assert.deepEqual(report.slice(1, 3).sort(), omitted.sort());
    const rejected = (await acme.read(file!.rejected!)).trim().split('\r\n');
    assert.equal(rejected.length, 1 + 15);
    assert.ok(
      rejected.slice(1).every((row) => /address/.test(row.split('Yes')[1]!)),
      rejected[15],
    );
  });

  test('a file whose rows need too much temporary storage is refused; the others of the run are imported', async (t) => {
    const acme = await openWith(t, { maxStageBytes: 4 * 1024 * 1024 });
    // PostgreSQL would store a repeated text in little.
    const long = randomBytes(2500).toString('hex');
    const summary = await acme.import({
      'large.csv': csv('User Email,Notes', ...Array.from({ length: 1500 }, (_, n) => `l${n}@acme.test,${n}${long}`)),
      'small.csv': csv('User Email', 'small@acme.test'),
    });
    const states = Object.fromEntries(summary.files.map(({ name, state, refusal }) => [name, refusal?.code ?? state]));
    assert.deepEqual(states, { 'large.csv': 'stage_too_large', 'small.csv': 'imported' });
    const { 'small@acme.test': small, 'l0@acme.test': large } = await acme.users();
    assert.deepEqual([small?.status, large], ['active', undefined]);
  });
});

test('reports end where the storage of the organization ends', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const acme = await Company.join({ ...databases, settings: { ...databases.settings, maxReportedIssues: 100_000 } });
  const rows = Array.from({ length: 4000 }, (_, n) => `no address ${n} ${'x'.repeat(100)},${n}`);
  const more = Array.from({ length: 6000 }, (_, n) => `s${n}@acme.test,${n}`);
  const content = csv('User Email,Notes', ...rows, ...more);
  const maxStoredBytes = 2 * content.length;
  await databases.control.write('orgs').update({ limits: JSON.stringify({ maxStoredBytes }) });
  for (let day = 0; day < 3; day++) {
    const { files } = await acme
      .import({ 'users.csv': `${content}late@acme.test,${day}\r\n` })
      .catch((error: Error) => {
        assert.match(error.message, /are allowed/);
        return { files: [] };
      });
    if (files.length === 0) break;
    const [{ report, rejected }] = files as [(typeof files)[number]];
    assert.equal(rejected, null);
    const lines = (await acme.read(report!)).trimEnd().split('\r\n');
    assert.match(lines.at(-1)!, /report_shortened/);
    const { bytes } = await measureUsage(databases.control.read, 'acme');
    assert.ok(bytes < maxStoredBytes + 200_000, `${bytes} of ${maxStoredBytes}`);
  }
});

test('while the disk is nearly full no run is started, and a run that is planned waits and leaves nothing behind', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const acme = await Company.join(databases);
  await acme.drop('/users.csv', csv('User Email', 'a@acme.test'));
  const { control, settings } = acme.deps;
  const id = await openManualRun(control.write, 'acme', acme.clock);
  const full = { ...acme.deps, logger: createSilentLogger(), settings: { ...settings, minFreeBytes: 2 ** 60 } };
  assert.equal(await workNext(full, id), 'left');
  const { state, attempts } = (await findRun(control.read, id))!;
  assert.deepEqual([state, attempts], ['open', 0]);
  assert.deepEqual(readdirSync(acme.deps.paths.stage), []);
  assert.equal(await workNext(acme.deps, id), 'ended');
  assert.deepEqual(Object.keys(await acme.users()).includes('a@acme.test'), true);
});

test('the start and the end of a shortage are logged once', (t) => {
  const data = temporaryFolder(t);
  const { logger, lines } = keepingLogger('info');
  const settings = { data, minFreeBytes: 2 ** 60 };
  const hasSpace = watchFreeSpace(settings, logger, 'start runs');
  assert.deepEqual([hasSpace(), hasSpace()], [false, false]);
  settings.minFreeBytes = 1;
  assert.deepEqual([hasSpace(), hasSpace()], [true, true]);
  assert.equal(lines.length, 2);
  assert.match(lines[0]!, /will not start runs until space is free/);
});

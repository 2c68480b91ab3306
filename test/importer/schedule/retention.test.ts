/** Retention: what is past its time goes, name and bytes, and nothing else; also when it is killed at any step. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, utimesSync } from 'node:fs';
import { test } from 'node:test';
import { createSilentLogger } from '../../../config/logger.js';
import type { Settings } from '../../../config/settings.js';
import { listLiveBlobs } from '../../../db/control/blobs.js';
import { type FileState, listFiles } from '../../../db/control/filelist.js';
import { listAllPartials } from '../../../db/control/partials.js';
import { claimRun, openManualRun } from '../../../db/control/runs.js';
import { type Settlement, settleRun } from '../../../db/control/settle.js';
import { claimUploads } from '../../../db/control/uploads.js';
import {
  type RetentionDeps,
  type RetentionStep,
  removeExpired,
  removeExpiredPartials,
} from '../../../importer/schedule/retention.js';
import { blobPath, createBlob } from '../../../storage/blobs.js';
import { onBothInLongTests, type TestDatabases } from '../../support/databases.js';
import { openIntake, replacing, type TestIntake } from '../../support/intake.js';

const dayMs = 24 * 60 * 60 * 1000;
const days = { keepArchiveDays: 100, keepReportDays: 50, keepSupersededDays: 10, keepPartialHours: 24 };

function depsOf(databases: TestDatabases, place: TestIntake, change: Partial<Settings> = {}): RetentionDeps {
  const { control, directory } = databases;
  const settings = { ...days, ...change };
  return { control, directory, paths: place.paths, settings, logger: createSilentLogger(), now: () => place.clock.now };
}

async function treeOf(place: TestIntake): Promise<Record<string, FileState | null>> {
  const tree: Record<string, FileState | null> = {};
  for await (const { path, kind, state } of listFiles(place.control.read, 'acme', '/'))
    tree[kind === 'dir' ? `${path}/` : path] = state;
  return tree;
}

/** Settles what is queued, as an import does, with one report. */
async function settle(place: TestIntake, date: string): Promise<void> {
  const { control, clock, paths, org } = place;
  const id = await openManualRun(control.write, 'acme', clock.now);
  const run = (await claimRun(control.write, 'test', clock.now, 1000, id))!;
  const uploads = await claimUploads(control.write, 'acme', id);
  const blob = await (await createBlob(paths, org.recipient)).finish();
  const settlement: Settlement = {
    reports: [{ path: `/reports/${date}/users.report.csv`, blob }],
    uploads: uploads.map((upload) => ({
      id: upload.id,
      state: 'imported',
      archivedAs: `/archive/${date}/${upload.path.slice(1)}`,
    })),
    summary: null,
  };
  assert.ok(await settleRun(control, run, settlement, clock.now));
}

/** Files of the blob store, with their age made that of the test's clock. */
function blobIds({ paths, clock }: TestIntake): string[] {
  const ids = readdirSync(paths.blobs, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  for (const { name } of ids) utimesSync(blobPath(paths, name), clock.now / 1000, clock.now / 1000);
  return ids.map(({ name }) => name).sort();
}

async function liveIds({ control }: TestIntake): Promise<string[]> {
  return (await listLiveBlobs(control.read, null, 1000)).map(({ id }) => id).sort();
}

/** A superseded file, an imported one, a report, a drop, a cut-off upload and an orphan. */
async function fill(place: TestIntake): Promise<void> {
  await place.put('/users.csv', 'old');
  await place.put('/users.csv', 'new');
  await settle(place, '2026-02-01');
  await place.put('/waits.csv', 'waits');
  const upload = await place.intake.begin('/cut.csv', replacing);
  await upload.write(0, Buffer.from('cut off'));
  await upload.abort();
  await (await createBlob(place.paths, place.org.recipient)).finish();
}

onBothInLongTests('retention', (open) => {
  test('each kind goes after its own time, with its bytes and its empty folders', async (t) => {
    const databases = await open(t);
    const place = await openIntake(t, databases);
    const deps = depsOf(databases, place);
    await fill(place);
    blobIds(place);
    const all = {
      '/waits.csv': 'queued',
      '/cut.csv': 'partial',
      '/archive/': null,
      '/reports/': null,
      '/archive/2026-02-01/': null,
      '/archive/2026-02-01/users.csv': 'imported',
      '/archive/2026-02-01/superseded/': null,
      '/archive/2026-02-01/superseded/users.csv': 'superseded',
      '/reports/2026-02-01/': null,
      '/reports/2026-02-01/users.report.csv': null,
    };
    const { '/archive/': _, '/reports/': __, ...initial } = all;
    const named = async () => {
      const { '/archive/': a, '/reports/': r, ...rest } = await treeOf(place);
      return rest;
    };
    assert.deepEqual(await named(), initial);
    assert.equal(await removeExpiredPartials(deps), 0);
    assert.deepEqual(await removeExpired(deps), { files: 0, folders: 0, orphans: 0 });
    place.clock.now += dayMs + 1;
    assert.equal(await removeExpiredPartials(deps), 1);
    assert.deepEqual(readdirSync(place.paths.partials), []);
    assert.deepEqual(await listAllPartials(place.control.read, { org: 'acme' }), []);
    assert.equal((await removeExpired(deps)).orphans, 1);
    const steps: [number, string[]][] = [
      [10, ['/archive/2026-02-01/superseded/users.csv', '/archive/2026-02-01/superseded/']],
      [40, ['/reports/2026-02-01/users.report.csv', '/reports/2026-02-01/']],
      [50, ['/archive/2026-02-01/users.csv', '/archive/2026-02-01/']],
    ];
    const left: Record<string, unknown> = { ...initial };
    delete left['/cut.csv'];
    for (const [more, gone] of steps) {
      place.clock.now += more * dayMs;
      const { files } = await removeExpired(deps);
      assert.equal(files, 1);
      for (const path of gone) delete left[path];
      assert.deepEqual(await named(), left);
      assert.deepEqual(blobIds(place), await liveIds(place));
    }
    assert.deepEqual(left, { '/waits.csv': 'queued' });
    const uploads = await place.control.read('uploads').join('blobs', 'blobs.id', 'uploads.blob_id');
    assert.equal(uploads.length, 3, 'what is known of each upload stays');
  });

  test('0 keeps for ever', async (t) => {
    const databases = await open(t);
    const place = await openIntake(t, databases);
    await fill(place);
    place.clock.now += 10_000 * dayMs;
    const forEver = { keepArchiveDays: 0, keepReportDays: 0, keepSupersededDays: 0 };
    assert.equal((await removeExpired(depsOf(databases, place, forEver))).files, 0);
  });

  test('killed at each step and run again, it leaves nothing that is past its time, and takes nothing else', async (t) => {
    const steps: RetentionStep[] = [
      'partials forgotten',
      'partials removed',
      'names removed',
      'bytes removed',
      'swept',
    ];
    for (const killedAt of steps)
      for (const turn of [1, 2, 3]) {
        const databases = await open(t);
        const place = await openIntake(t, databases);
        await fill(place);
        place.clock.now += 200 * dayMs;
        let left = turn;
        const onStep = (step: RetentionStep) => {
          if (step === killedAt && --left === 0) throw new Error('killed');
        };
        const deps = { ...depsOf(databases, place), onStep };
        const all = async () => {
          await removeExpiredPartials(deps);
          await removeExpired(deps);
        };
        await all().catch((error: Error) => assert.equal(error.message, 'killed'));
        const live = await liveIds(place);
        assert.ok(
          live.every((id) => existsSync(blobPath(place.paths, id))),
          `${killedAt}: a name without its bytes`,
        );
        blobIds(place);
        place.clock.now += 2 * dayMs;
        left = -1;
        await all();
        assert.deepEqual(blobIds(place), await liveIds(place));
        assert.deepEqual(
          Object.keys(await treeOf(place)).filter((path) => !path.endsWith('/')),
          ['/waits.csv'],
        );
        assert.equal(await place.get('/waits.csv'), 'waits');
      }
  });

  test('the reports of a run that is applied and not settled stay', async (t) => {
    const databases = await open(t);
    const place = await openIntake(t, databases);
    const run = await openManualRun(place.control.write, 'acme', place.clock.now);
    const blob = await (await createBlob(place.paths, place.org.recipient)).finish();
    const outcome = JSON.stringify({ reports: [{ path: '/reports/x', blob }], uploads: [], summary: null });
    await databases.directory.write('applied_runs').insert({ run_id: run, org_id: 'acme', at: 0, outcome });
    blobIds(place);
    place.clock.now += 3 * dayMs;
    const deps = depsOf(databases, place);
    assert.equal((await removeExpired(deps)).orphans, 0);
    await place.control.write('runs').where({ id: run }).update({ state: 'done' });
    assert.equal((await removeExpired(deps)).orphans, 1);
  });
});

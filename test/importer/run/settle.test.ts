/** The end of a run, where something came between its plan and its archive; and which run goes first. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { freeName } from '../../../db/control/entries.js';
import { insertOrg } from '../../../db/control/orgs.js';
import { claimRun, findRun, openManualRun, openUndoRun, releaseRun } from '../../../db/control/runs.js';
import { listStages } from '../../../db/stage.js';
import { openRunStage } from '../../../importer/plan/tables.js';
import type { RunStep } from '../../../importer/run/deps.js';
import { listLeftStages, sweepStages, trialStageLabel } from '../../../importer/run/stages.js';
import { workNext } from '../../../importer/run/worker.js';
import type { RunSummary } from '../../../importer/types.js';
import { Company, csv, importMoment } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';
import { sampleOrg } from '../../support/samples.js';

const file = csv('User Email', 'ann@acme.test');
const leaseMs = 30_000;

onBothDatabases('settling', (open) => {
  test('a name that was given away since the plan does not hold up the run', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    await acme.drop('/users.csv', file);
    const id = await openManualRun(control.write, 'acme', acme.clock);
    const archive = '/archive/2026-03-10';
    const onStep = async (step: RunStep) => {
      if (step !== 'applied') return;
      // Another process archives a file under that name meanwhile.
      await acme.drop('/other.csv', 'other');
      await control.write('entries').where({ name: 'other.csv' }).update({ dir: archive, name: 'users.csv' });
    };
    assert.equal(await workNext({ ...acme.deps, onStep }), 'ended');
    const summary = (await findRun(control.read, id))!.summary as RunSummary;
    assert.equal(summary.files[0]!.archivedAs, `${archive}/users-2.csv`);
    assert.equal(await acme.read(`${archive}/users-2.csv`), file);
    assert.equal(await freeName(control.read, 'acme', archive, 'users.csv'), 'users-3.csv');
    const [upload] = await control.read('uploads').orderBy('id').select('state', 'archived_as');
    assert.deepEqual(upload, { state: 'imported', archived_as: `${archive}/users-2.csv` });
  });

  test('stages of runs that are over or removed, and of checks whose process is gone, are removed, and no others', async (t) => {
    const acme = await Company.open(open, t);
    const { settings, directory, control } = acme.deps;
    const [ended, running] = [
      await openManualRun(control.write, 'acme', acme.clock),
      await openUndoRun(control.write, 'acme', 1, acme.clock),
    ];
    await control.write('runs').where({ id: ended }).update({ state: 'rejected' });
    await control.write('runs').where({ id: running }).update({ state: 'running' });
    const gone = spawnSync(process.execPath, ['-e', '']).pid;
    const live = trialStageLabel(importMoment);
    const [dead, foreign] = [
      live.replace(`_${process.pid}_`, `_${gone}_`),
      live.replace(/_([0-9a-f]{6})_/, `_${'0'.repeat(6)}_`),
    ];
    const old = foreign.replace(`${importMoment}`, `${importMoment - 2 * 86_400_000}`);
    const older = `check_${importMoment - 2 * 86_400_000}_a`;
    const kept = [`run_${running}_1`, live, foreign];
    const left = [`run_${ended}_7`, 'run_999_1', dead, old, older];
    const stages = [];
    for (const label of [...kept, ...left]) stages.push(await openRunStage(settings, directory, label));
    assert.deepEqual((await listLeftStages(acme.deps)).sort(), left.sort());
    assert.deepEqual((await sweepStages(acme.deps)).sort(), left.sort());
    assert.deepEqual((await listStages(settings, directory)).sort(), kept.sort());
    for (const stage of stages) await stage.drop();
  });

  test('F11 a run that is given up puts no file beside the newer one that replaced it', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'old@acme.test'));
    await acme.drop('/teams.csv', csv('Team Name', 'Sales'));
    const id = await openManualRun(control.write, 'acme', acme.clock);
    const onStep = async (step: RunStep) => {
      if (step === 'planned') throw new Error('the disk is full');
    };
    for (let time = 0; time < 5; time++) assert.equal(await workNext({ ...acme.deps, onStep }), 'left');
    // As a client's newer version does it.
    await control.write('entries').where({ org_id: 'acme', name: 'users.csv' }).delete();
    await acme.drop('/users.csv', file);
    assert.equal(await workNext(acme.deps), 'ended');
    assert.equal((await findRun(control.read, id))!.state, 'failed');
    const uploads = await control.read('uploads').orderBy('id').select('path', 'state', 'archived_as');
    assert.deepEqual(
      uploads.map(({ path, state }) => `${path} ${state}`),
      ['/users.csv superseded', '/teams.csv queued', '/users.csv queued'],
    );
    assert.match(await acme.read(uploads[0].archived_as), /old@acme\.test/);
    const next = await acme.import();
    assert.deepEqual([next.users.created, next.files.length], [1, 2]);
  });

  test('a run that fails holds up its own organization only', async (t) => {
    const { control } = await open(t);
    for (const id of ['acme', 'beta']) await insertOrg(control.write, sampleOrg(id, {}));
    const first = await openManualRun(control.write, 'acme', importMoment);
    const claim = () => claimRun(control.write, 'test', importMoment, leaseMs);
    await releaseRun(control.write, (await claim())!, true);
    const later = await openManualRun(control.write, 'beta', importMoment);
    await openUndoRun(control.write, 'acme', first, importMoment);
    assert.equal((await claim())!.id, later);
    assert.equal((await claim())!.id, first);
    assert.equal(await claim(), null);
  });

  test('a lease taken under a clock that was ahead is no lease', async (t) => {
    const { control } = await open(t);
    await insertOrg(control.write, sampleOrg('acme', {}));
    const id = await openManualRun(control.write, 'acme', importMoment);
    const ahead = importMoment + 365 * 86_400_000;
    assert.equal((await claimRun(control.write, 'ahead', ahead, leaseMs))!.id, id);
    assert.equal((await claimRun(control.write, 'right', importMoment, leaseMs))!.id, id);
    assert.equal(await claimRun(control.write, 'third', importMoment + leaseMs - 1, leaseMs), null);
  });
});

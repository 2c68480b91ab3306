/** The importer is killed at each step that a crash can separate from the next; the next importer does the rest, once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findRun, openManualRun } from '../../db/control/runs.js';
import { bumpVersion } from '../../db/directory/directory.js';
import type { RunStep } from '../../importer/run/deps.js';
import { workNext } from '../../importer/run/worker.js';
import { Company, csv } from '../support/company.js';
import { onBothDatabases } from '../support/databases.js';
import { killAt } from './importing.js';

const steps: RunStep[] = ['claimed', 'planned', 'reported', 'applied', 'settled'];
const leaseMs = 31_000;

const users = csv(
  'User Email,User Name,Manager Email,Teams,Office',
  'ann@acme.test,Ann,boss@acme.test,Sales,Berlin',
  'bob@acme.test,Bob,ann@acme.test,"Sales, EMEA",Paris',
  'not an address,Nobody,,,',
);
const teams = csv('Team Name,Parent Team', 'Sales,Company', 'EMEA,Sales');

onBothDatabases('an importer that is killed', (open) => {
  for (const step of ['planned', 'applied'] as const) {
    test(`when it has ${step} many small files together`, async (t) => {
      const acme = await Company.open(open, t);
      const { control, directory, settings } = acme.deps;
      for (let file = 0; file < 20; file++)
        await acme.drop(`/users-${file}.csv`, csv('User Email,Manager Email', `u${file}@acme.test,boss@acme.test`));
      await acme.drop('/users-20.csv', csv('User Email', 'not an address'));
      const id = await openManualRun(control.write, 'acme', acme.clock);
      assert.equal(await killAt(step, settings, acme.clock), 'SIGKILL');

      acme.clock += leaseMs;
      assert.equal(await workNext(acme.deps), 'ended');
      const { state, summary } = (await findRun(control.read, id))!;
      const { users } = summary as Awaited<ReturnType<typeof acme.import>>;
      assert.deepEqual([state, users.created, users.stubs, users.faults], ['done', 20, 1, 1]);
      assert.equal(Object.keys(await acme.users()).length, 22);
      const created = await directory.read('changes').where({ field: '' }).pluck('entity_id');
      assert.deepEqual([created.length, new Set(created).size], [22, 22]);
      const applied = await directory.read('applied_uploads').where({ run_id: id }).pluck('upload_id');
      assert.equal(applied.length, 21);
      const settled = await control.read('uploads').where({ state: 'imported', run_id: id }).pluck('archived_as');
      assert.equal(new Set(settled).size, 21);
    });
  }

  for (const step of steps) {
    test(`when it has ${step}`, async (t) => {
      const acme = await Company.open(open, t);
      const { control, directory, settings } = acme.deps;
      await acme.drop('/users.csv', users);
      await acme.drop('/teams.csv', teams);
      const id = await openManualRun(control.write, 'acme', acme.clock);
      assert.equal(await killAt(step, settings, acme.clock), 'SIGKILL');

      acme.clock += leaseMs;
      assert.equal(await workNext(acme.deps), step === 'settled' ? 'idle' : 'ended');

      const run = await findRun(control.read, id);
      assert.equal(run!.state, 'done');
      const summary = run!.summary as Awaited<ReturnType<typeof acme.import>>;
      assert.deepEqual([summary.users.created, summary.users.stubs, summary.users.faults], [2, 1, 1]);
      assert.equal(Object.keys(await acme.users()).length, 4);
      assert.deepEqual((await acme.users())['bob@acme.test']!.teams, ['EMEA', 'Sales']);
      // One creation for each: the owner, two users, a stub; three teams; one field.
      const created = await directory.read('changes').where({ field: '' }).select('entity', 'entity_id');
      assert.equal(created.length, 8);
      assert.equal(new Set(created.map((change) => `${change.entity} ${change.entity_id}`)).size, 8);
      const entries = await control
        .read('entries')
        .where({ org_id: 'acme', kind: 'file' })
        .orderBy(['dir', 'name'])
        .select('dir', 'name');
      assert.deepEqual(
        entries.map(({ dir, name }) => `${dir}/${name}`),
        [
          '/archive/2026-03-10/teams.csv',
          '/archive/2026-03-10/teams.report.csv',
          '/archive/2026-03-10/users.csv',
          '/archive/2026-03-10/users.rejected.csv',
          '/archive/2026-03-10/users.report.csv',
          `/reports/2026-03-10/run-${id}.summary.json`,
          `/reports/2026-03-10/run-${id}.summary.txt`,
          '/reports/2026-03-10/teams.report.csv',
          '/reports/2026-03-10/users.rejected.csv',
          '/reports/2026-03-10/users.report.csv',
        ],
      );
      assert.equal(
        await acme.read('/reports/2026-03-10/users.rejected.csv'),
        [
          'User Email,User Name,Manager Email,Teams,Office,Dropslot Problem,Dropslot Line',
          'not an address,Nobody,,,,"""User Email"" is not a valid email address: it has no @. Correct it.",4',
          '',
        ].join('\r\n'),
      );
      const states = await control.read('uploads').select('state');
      assert.deepEqual(states, [{ state: 'imported' }, { state: 'imported' }]);
    });
  }

  for (const step of steps) {
    test(`when it has ${step} a daily file, whose other rows are known, knows afterwards what the directory says`, async (t) => {
      const acme = await Company.open(open, t);
      const { control, directory, settings } = acme.deps;
      const daily = (office: string) =>
        csv('User Email,Office', 'ann@acme.test,Berlin', `bob@acme.test,${office}`, 'cyd@acme.test,Rome');
      await acme.import({ 'users.csv': daily('Paris') });
      await acme.drop('/users.csv', daily('Oslo'));
      const id = await openManualRun(control.write, 'acme', acme.clock);
      assert.equal(await killAt(step, settings, acme.clock), 'SIGKILL');

      acme.clock += leaseMs;
      assert.equal(await workNext(acme.deps), step === 'settled' ? 'idle' : 'ended');
      const { users: counts } = (await findRun(control.read, id))!.summary as Awaited<ReturnType<typeof acme.import>>;
      assert.deepEqual([counts.updated, counts.unchanged], [1, 2]);
      const moves = () => directory.read('changes').where({ field: 'Office' }).orderBy('id').pluck('after');
      assert.deepEqual(await moves(), ['Oslo']);
      // The row that was known before the kill says something else than the directory now, and the new one nothing else.
      const again = await acme.import({ 'users.csv': daily('Oslo') });
      assert.deepEqual([again.users.updated, again.users.unchanged], [0, 3]);
      const back = await acme.import({ 'users.csv': daily('Paris') });
      assert.deepEqual([back.users.updated, back.users.unchanged], [1, 2]);
      assert.deepEqual(await moves(), ['Oslo', 'Paris']);
    });
  }

  test('a run that another importer holds is left to it, until its lease ends', async (t) => {
    const acme = await Company.open(open, t);
    await acme.drop('/users.csv', users);
    await openManualRun(acme.deps.control.write, 'acme', acme.clock);
    await killAt('planned', acme.deps.settings, acme.clock);
    assert.equal(await workNext(acme.deps), 'idle');
    acme.clock += leaseMs;
    assert.equal(await workNext(acme.deps), 'ended');
  });

  test('what is queued while a run is interrupted is imported too, or left for the next run', async (t) => {
    for (const [step, left] of [
      ['planned', 0],
      ['applied', 1],
    ] as const) {
      const acme = await Company.open(open, t);
      const { control, settings } = acme.deps;
      await acme.drop('/users.csv', users);
      await openManualRun(control.write, 'acme', acme.clock);
      await killAt(step, settings, acme.clock);
      await acme.drop('/late.csv', csv('User Email', 'late@acme.test'));
      acme.clock += leaseMs;
      assert.equal(await workNext(acme.deps), 'ended');
      assert.equal((await control.read('uploads').where({ state: 'queued', run_id: null })).length, left);
      await acme.import();
      assert.ok('late@acme.test' in (await acme.users()));
      assert.deepEqual(await control.read('uploads').distinct('state'), [{ state: 'imported' }]);
    }
  });

  test('a directory that changes under the plan is planned anew', async (t) => {
    const acme = await Company.open(open, t);
    const { directory } = acme.deps;
    await acme.drop('/users.csv', users);
    await openManualRun(acme.deps.control.write, 'acme', acme.clock);
    let plans = 0;
    const onStep = async (step: RunStep) => {
      if (step === 'planned' && ++plans === 1) await bumpVersion(directory.write, 'acme');
    };
    assert.equal(await workNext({ ...acme.deps, onStep }), 'ended');
    assert.equal(plans, 2);
    assert.equal(Object.keys(await acme.users()).length, 4);
  });

  test('an importer that is told to stop gives the run back at once', async (t) => {
    const acme = await Company.open(open, t);
    await acme.drop('/users.csv', users);
    const id = await openManualRun(acme.deps.control.write, 'acme', acme.clock);
    let isStopping = false;
    const onStep = () => {
      isStopping = true;
    };
    const stopping = { ...acme.deps, isStopping: () => isStopping, onStep };
    assert.equal(await workNext(stopping), 'left');
    assert.equal((await findRun(acme.deps.control.read, id))!.state, 'open');
    assert.equal((await findRun(acme.deps.control.read, id))!.attempts, 0);
    assert.equal(Object.keys(await acme.users()).length, 1);
    assert.equal(await workNext(acme.deps), 'ended');
    assert.equal(Object.keys(await acme.users()).length, 4);
  });

  test('a run that fails again and again is given up, and its files wait in the queue', async (t) => {
    const acme = await Company.open(open, t);
    await acme.drop('/users.csv', users);
    const id = await openManualRun(acme.deps.control.write, 'acme', acme.clock);
    const failing = { ...acme.deps, onStep: () => Promise.reject(new Error('out of luck')) };
    for (let attempt = 1; attempt <= 5; attempt++) assert.equal(await workNext(failing), 'left');
    assert.equal(await workNext(failing), 'ended');
    assert.equal((await findRun(acme.deps.control.read, id))!.state, 'failed');
    assert.deepEqual(await acme.deps.control.read('uploads').select('state'), [{ state: 'queued' }]);
    const summary = await acme.import();
    assert.equal(summary.users.created, 2);
  });
});

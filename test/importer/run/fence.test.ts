/** An importer that is paused, cut off or slow, and whose run another one takes over meanwhile: it applies nothing after that. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { insertOrg } from '../../../db/control/orgs.js';
import { findQuarantined } from '../../../db/control/quarantine.js';
import { claimRun, findRun, openManualRun, pauseRun, type Run, renewLease } from '../../../db/control/runs.js';
import { readFence } from '../../../db/directory/fence.js';
import { listStages } from '../../../db/stage.js';
import type { RunStep } from '../../../importer/run/deps.js';
import { judgeFileOfLost, takeOver } from '../../../importer/run/takeover.js';
import { workNext } from '../../../importer/run/worker.js';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases, openFresh } from '../../support/databases.js';
import { sampleOrg } from '../../support/samples.js';
import { until } from '../../support/session.js';

const leaseMs = 30_000;
const steps: readonly RunStep[] = ['claimed', 'planned', 'reported'];

/** Works on a run until a step, and waits there: as SIGSTOP stops a process. `resume` lets it go on, and resolves with its end. */
async function pauseAt(acme: Company, step: RunStep): Promise<() => Promise<string>> {
  const [reached, resumed] = [createSignal(), createSignal()];
  const onStep = async (at: RunStep) => {
    if (at !== step) return;
    reached.give();
    await resumed.given;
  };
  const ended = workNext({ ...acme.deps, owner: 'paused', onStep });
  await reached.given;
  return () => {
    resumed.give();
    return ended;
  };
}

function createSignal(): { given: Promise<void>; give(): void } {
  let give = () => {};
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give: () => give() };
}

const claim = async (acme: Company, owner: string) =>
  (await claimRun(acme.deps.control.write, owner, acme.clock, leaseMs)) as Run;

onBothDatabases('the fence', (open) => {
  for (const step of steps)
    test(`an importer that is paused when its run is ${step}, and wakes after another one took it over, applies nothing`, async (t) => {
      const acme = await Company.open(open, t);
      const { control, directory } = acme.deps;
      await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
      const id = await openManualRun(control.write, 'acme', acme.clock);
      const resume = await pauseAt(acme, step);
      acme.clock += leaseMs + 1;
      const taken = await claim(acme, 'second');
      assert.deepEqual([taken.id, taken.claim], [id, { epoch: 2, isTakeover: true }]);
      await takeOver(acme.deps, taken);
      assert.equal(await resume(), 'left');
      assert.ok(!('ann@acme.test' in (await acme.users())), 'the run is the second one’s');
      assert.equal((await directory.read('applied_runs')).length, 0);
      assert.equal((await findRun(control.read, id))!.leaseOwner, 'second', 'and remains so');
      await pauseRun(control.write, taken, 'a test', acme.clock);
      assert.equal(await workNext({ ...acme.deps, owner: 'third' }), 'ended');
      assert.ok('ann@acme.test' in (await acme.users()));
      assert.deepEqual(await listStages(acme.deps.settings, directory), []);
    });

  test('two at work on one run do not meet in one stage, and the run is applied once', async (t) => {
    const acme = await Company.open(open, t);
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test', 'ben@acme.test'));
    const id = await openManualRun(acme.deps.control.write, 'acme', acme.clock);
    const resume = await pauseAt(acme, 'planned');
    acme.clock += leaseMs + 1;
    const stagesOfBoth: string[] = [];
    const onStep = async (at: RunStep) => {
      if (at !== 'planned') return;
      stagesOfBoth.push(...(await listStages(acme.deps.settings, acme.deps.directory)));
      assert.equal(await resume(), 'left');
    };
    assert.equal(await workNext({ ...acme.deps, owner: 'second', onStep }), 'ended');
    assert.deepEqual(stagesOfBoth, [`run_${id}_2`], 'the first one’s was removed');
    const summary = (await findRun(acme.deps.control.read, id))!.summary as { users: { created: number } };
    assert.equal(summary.users.created, 2);
  });

  test('a run that was applied just before it was taken over is only settled', async (t) => {
    const acme = await Company.open(open, t);
    const { control, directory } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    const id = await openManualRun(control.write, 'acme', acme.clock);
    const resume = await pauseAt(acme, 'applied');
    acme.clock += leaseMs + 1;
    assert.equal(await workNext({ ...acme.deps, owner: 'second' }), 'ended');
    assert.equal(await resume(), 'ended');
    assert.equal((await directory.read('applied_runs')).length, 1);
    assert.equal((await findRun(control.read, id))!.state, 'done');
  });

  test('a control database that is older than the directory does not stop imports for good', async (t) => {
    const acme = await Company.open(open, t);
    const { control, directory } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    await directory
      .write('org_versions')
      .insert({ org_id: 'acme', version: 0, fence: 7 })
      .onConflict('org_id')
      .merge(['fence']);
    await openManualRun(control.write, 'acme', acme.clock);
    assert.equal(await workNext(acme.deps), 'left');
    assert.equal(await workNext(acme.deps), 'ended');
    assert.ok('ann@acme.test' in (await acme.users()));
    assert.equal(await readFence(directory.read, 'acme'), 7);
  });

  test('a file that three nodes in a row are lost with is refused, where there are several; other losses do not count', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    const [{ id: upload }] = await control.read('uploads').select('id');
    await openManualRun(control.write, 'acme', acme.clock);
    const refused: number[] = [];
    let before = await claim(acme, 'node0');
    for (let lost = 1; lost <= 4; lost++) {
      // The first loss was at a moment when no file was read.
      const progress = {
        phase: 'reading',
        file: 'users.csv',
        rows: 0,
        upload: lost === 1 ? null : upload,
        epoch: lost,
      };
      await renewLease(control.write, before, acme.clock + leaseMs, progress);
      acme.clock += leaseMs + 1;
      before = await claim(acme, `node${lost}`);
      await judgeFileOfLost(acme.deps, before);
      refused.push((await findQuarantined(control.read, [upload], 'import')).size);
    }
    assert.deepEqual(refused, [0, 0, 0, control.dialect === 'sqlite' ? 0 : 1]);
  });

  test('a node that was only paused takes the strike of its file back', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    const id = await openManualRun(control.write, 'acme', acme.clock);
    // An attempt before: from then on it is stored which file is read.
    await control.write('runs').where({ id }).update({ attempts: 1 });
    const strikes = async () => (await control.read('quarantine').first('strikes'))?.strikes ?? 0;
    const resume = await pauseAt(acme, 'planned');
    await until(async () => (await findRun(control.read, id))!.progress !== null, 'the file that is read is stored');
    acme.clock += leaseMs + 1;
    const taken = await claim(acme, 'second');
    await takeOver(acme.deps, taken);
    await judgeFileOfLost(acme.deps, taken);
    assert.equal(await strikes(), control.dialect === 'sqlite' ? 0 : 1);
    assert.equal(await resume(), 'left');
    assert.equal(await strikes(), 0);
  });
});

describe('claims on PostgreSQL', () => {
  test('a run that another node is just taking is skipped without a wait', async (t) => {
    const acme = await Company.open((scope) => openFresh(scope, 'postgres'), t);
    const { control } = acme.deps;
    await insertOrg(control.write, sampleOrg('beta'));
    const first = await openManualRun(control.write, 'acme', acme.clock);
    const second = await openManualRun(control.write, 'beta', acme.clock);
    await control.write.transaction(async (other) => {
      await other('runs').where({ id: first }).forUpdate().first('id');
      assert.equal((await claim(acme, 'free')).id, second);
      assert.equal(await claimRun(control.write, 'free', acme.clock, leaseMs), null);
    });
    assert.equal((await claim(acme, 'free')).id, first);
  });
});

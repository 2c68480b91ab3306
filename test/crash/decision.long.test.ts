/** The importer is killed while it holds a run, applies an approved one, or undoes one: each takes place once, or not at all. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findRun, openManualRun, openUndoRun } from '../../db/control/runs.js';
import { approveRun } from '../../importer/run/approval.js';
import type { RunStep } from '../../importer/run/deps.js';
import { workNext } from '../../importer/run/worker.js';
import { Company, csv } from '../support/company.js';
import { onBothDatabases } from '../support/databases.js';
import { killAt } from './importing.js';

const leaseMs = 31_000;
const steps: RunStep[] = ['planned', 'reported', 'applied', 'settled'];
const names = Array.from({ length: 6 }, (_, n) => `u${n}@acme.test`);
const arrivals = csv('User Email,Office', ...names.map((name) => `${name},Berlin`));
const leavers = csv('User Email,Deactivation Date', ...names.map((name) => `${name},2026-03-10`));

async function count(acme: Company, status: string): Promise<number> {
  return Object.values(await acme.users()).filter((user) => user.status === status).length;
}

/** Changes that the run recorded: twice as many where it was applied twice. */
async function changesOf({ deps }: Company, run: number): Promise<number> {
  return (await deps.directory.read('changes').where({ run_id: run })).length;
}

onBothDatabases('a decision whose importer is killed', (open) => {
  test('a run that is about to be held is held by the next importer, and then applied once, wherever it dies', async (t) => {
    for (const step of steps) {
      const acme = await Company.open(open, t);
      const { control, settings } = acme.deps;
      await acme.import({ 'users.csv': arrivals });
      await acme.drop('/leavers.csv', leavers);
      const id = await openManualRun(control.write, 'acme', acme.clock);
      assert.equal(await killAt('planned', settings, acme.clock), 'SIGKILL');
      acme.clock += leaseMs;
      await workNext(acme.deps);
      assert.equal((await findRun(control.read, id))!.state, 'held');
      assert.deepEqual([await count(acme, 'deactivated'), await changesOf(acme, id)], [0, 0]);

      const held = (await findRun(control.read, id))!;
      assert.ok(await approveRun(acme.deps, held, { by: 'operator:test', note: '' }));
      assert.equal(await killAt(step, settings, acme.clock), 'SIGKILL');
      acme.clock += leaseMs;
      assert.equal(await workNext(acme.deps), step === 'settled' ? 'idle' : 'ended', step);
      assert.equal((await findRun(control.read, id))!.state, 'done');
      // A date and a status of each.
      assert.deepEqual([await count(acme, 'deactivated'), await changesOf(acme, id)], [6, 12], step);
      assert.deepEqual(await control.read('uploads').distinct('state'), [{ state: 'imported' }]);
    }
  });

  test('an undo takes place once, wherever it dies', async (t) => {
    for (const step of steps) {
      const acme = await Company.open(open, t);
      const { control, settings } = acme.deps;
      await acme.import({ 'users.csv': arrivals });
      await acme.import({ 'moved.csv': csv('User Email,Office', ...names.map((name) => `${name},Paris`)) });
      const [last] = await control.read('runs').orderBy('id', 'desc').limit(1).select('id');
      const id = await openUndoRun(control.write, 'acme', last.id, acme.clock);
      assert.equal(await killAt(step, settings, acme.clock), 'SIGKILL');
      acme.clock += leaseMs;
      assert.equal(await workNext(acme.deps), step === 'settled' ? 'idle' : 'ended', step);
      assert.equal((await findRun(control.read, id))!.state, 'done');
      assert.equal(await changesOf(acme, id), 6, step);
      const users = await acme.users();
      assert.deepEqual(
        [...new Set(names.map((name) => Object.values(users[name]!.custom as object)[0]))],
        ['Berlin'],
        step,
      );
    }
  });
});

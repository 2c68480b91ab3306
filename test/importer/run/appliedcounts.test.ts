/** The numbers of a run for the metrics: counted when it is settled, once, and without any name or value. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openManualRun } from '../../../db/control/runs.js';
import type { AppliedCounts } from '../../../importer/run/appliedcounts.js';
import { workNext } from '../../../importer/run/worker.js';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';

onBothDatabases('counts of a run', (open) => {
  test('have its rows, its users and teams, and its issues by code, also of more kinds than a summary lists', async (t) => {
    const acme = await Company.open(open, t);
    const settings = { ...acme.deps.settings, monitor: '127.0.0.1:0' };
    const counted: AppliedCounts[] = [];
    const deps = { ...acme.deps, settings, onApplied: (counts: AppliedCounts) => counted.push(counts) };
    // A kind of problem is a code with a column and a message: each of these addresses is one of its own.
    const wrong = Array.from({ length: 30 }, (_, n) => `no address ${n},Bob`);
    const right = Array.from({ length: 300 }, (_, n) => `user${n}@acme.test,User ${n}`);
    await acme.drop('/users.csv', csv('User Email,User Name', ...right, ...wrong));
    await acme.drop('/other.csv', csv('Colour,Size', 'red,5'));
    const run = await openManualRun(deps.control.write, 'acme', acme.clock);
    assert.equal(await workNext(deps, run), 'ended');
    assert.equal(counted.length, 1);
    const [{ rows, users, issues }] = counted as [AppliedCounts];
    assert.equal(rows.users, 330);
    assert.deepEqual([users.created, users.faults, users.refused], [300, 30, 1]);
    assert.deepEqual(issues, { email_invalid: 30, no_key_column: 1 });
    assert.doesNotMatch(JSON.stringify(counted), /acme|Bob|csv/);
  });

  test('are of one importer: the one that settles it', async (t) => {
    const acme = await Company.open(open, t);
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    const run = await openManualRun(acme.deps.control.write, 'acme', acme.clock);
    const counted: string[] = [];
    const deps = (name: string) => ({ ...acme.deps, owner: name, onApplied: () => counted.push(name) });
    const dies = { ...deps('first'), isStopping: () => false };
    const onStep = (step: string) => {
      if (step === 'applied') throw new Error('killed');
    };
    assert.equal(await workNext({ ...dies, onStep }, run), 'left');
    assert.equal(await workNext(deps('second'), run), 'ended');
    assert.equal(await workNext(deps('third'), run), 'idle');
    assert.deepEqual(counted, ['second']);
  });
});

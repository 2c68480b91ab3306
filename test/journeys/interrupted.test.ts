/** `dropslot import` beside a run that was interrupted, without a server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claimRun, findRun, openManualRun } from '../../db/control/runs.js';
import { Company, csv } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { runDropslot } from '../support/program.js';

test('it first finishes the interrupted run, and says which run it waits for', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const { control, settings } = databases;
  const acme = await Company.join(databases);
  acme.clock = Date.now();
  await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
  const interrupted = await openManualRun(control.write, 'acme', Date.now());
  await claimRun(control.write, 'node7:4711:dead', Date.now(), 1_500);
  const data = settings.data;
  const ran = await runDropslot(['import', 'acme'], { data, env: { DROPSLOT_LEASE_SECONDS: '2' } });
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(
    ran.stderr,
    new RegExp(`waits for run ${interrupted}, which node7, process 4711 works on .* at most 2 s`),
  );
  assert.match(ran.stderr, new RegExp(`finishes run ${interrupted} first, which was interrupted`));
  assert.match(ran.stderr, new RegExp(`run ${interrupted} is done`));
  assert.equal((await findRun(control.read, interrupted))!.state, 'done');
  assert.ok('ann@acme.test' in (await acme.users()));
});

/** Erasures as jobs: a long one goes on behind its answer, tells its state and its end, and leaves places for other organizations. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createErasureJobs } from '../../operations/people/erasurejobs.js';
import { Company, csv } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { until } from '../support/session.js';
import { workplaceOn } from '../support/workplace.js';

async function open(t: Parameters<typeof openFresh>[0]) {
  const databases = await openFresh(t, 'sqlite');
  const rows = (org: string) => csv('User Email,User Name', `ann@${org}.test,Ann`, `bob@${org}.test,Bob`);
  for (const id of ['acme', 'other', 'third']) {
    const company = await Company.join(databases, { id, name: id, ownerEmail: `owner@${id}.test` });
    await company.import({ 'users.csv': rows(id) });
  }
  const place = await workplaceOn(t, databases.settings);
  const busy = new Set<string>();
  return { place, busy, jobs: createErasureJobs(busy) };
}

const options = { waitMs: 0, removesUnsearched: false };

/** Stops at the first step until it is let go on. */
function paused() {
  let goOn = () => {};
  const wait = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  return { goOn: () => goOn(), onStep: () => wait };
}

test('a short erasure answers with its result; a long one goes on, and its state can be asked for', async (t) => {
  const { place, busy, jobs } = await open(t);
  const short = await jobs.erase(place, 'acme', 'bob@acme.test', options, 60_000);
  assert.deepEqual([short.state, short.result?.wasUser], ['done', true]);
  const { goOn, onStep } = paused();
  const long = await jobs.erase(place, 'acme', 'ann@acme.test', { ...options, onStep }, 0);
  assert.deepEqual([long.state, long.result], ['running', null]);
  assert.equal((await jobs.find(place, 'acme', long.receipt)).state, 'running');
  await assert.rejects(jobs.find(place, 'other', long.receipt), { code: 'not_found' });
  // One of an organization, and two of all.
  await assert.rejects(jobs.erase(place, 'acme', 'x@acme.test', options, 0), { code: 'unavailable' });
  const other = paused();
  await jobs.erase(place, 'other', 'ann@other.test', { ...options, onStep: other.onStep }, 0);
  await assert.rejects(jobs.erase(place, 'third', 'ann@third.test', options, 0), { code: 'unavailable' });
  goOn();
  other.goOn();
  await until(() => busy.size === 0, 'both have ended');
  const done = await jobs.find(place, 'acme', long.receipt);
  assert.deepEqual([done.state, done.result?.wasUser, done.problem], ['done', true, null]);
  const { status } = (await place.directory.read('users').where({ email_key: 'ann@acme.test' }).first('status')) ?? {};
  assert.equal(status, undefined);
  // As another process of the server knows it.
  assert.equal((await createErasureJobs(new Set()).find(place, 'acme', long.receipt)).state, 'done');
});

test('one that fails behind its answer says why, and one that was cut off is interrupted until it is asked for again', async (t) => {
  const { place, busy, jobs } = await open(t);
  const { goOn, onStep } = paused();
  const fail = async (step: string) => {
    await onStep();
    if (step === 'deleted') throw new Error('the disk is broken');
  };
  const { receipt } = await jobs.erase(place, 'acme', 'ann@acme.test', { ...options, onStep: fail }, 0);
  goOn();
  await until(() => busy.size === 0, 'it has ended');
  const failed = await jobs.find(place, 'acme', receipt);
  assert.deepEqual([failed.state, failed.result], ['failed', null]);
  assert.match(failed.problem!, /disk is broken/);
  const restarted = createErasureJobs(new Set());
  assert.equal((await restarted.find(place, 'acme', receipt)).state, 'interrupted');
  const again = await restarted.erase(place, 'acme', 'ann@acme.test', options, 60_000);
  assert.deepEqual([again.state, again.receipt], ['done', receipt]);
  await assert.rejects(restarted.find(place, 'acme', '0123456789abcdef'), { code: 'not_found' });
  await assert.rejects(restarted.erase(place, 'acme', 'nobody@acme.test', options, 60_000), { code: 'not_found' });
});

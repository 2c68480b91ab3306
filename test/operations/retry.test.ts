/** `runs retry` and `files requeue`: nothing that failed, or was refused, needs its sender to be imported after all. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { listAudit } from '../../db/control/audit.js';
import { giveUpRun } from '../../db/control/requeue.js';
import { claimRun, findRun, listRuns, openManualRun } from '../../db/control/runs.js';
import { claimUploads, listQueue } from '../../db/control/uploads.js';
import { openUploadRuns } from '../../importer/schedule/slots.js';
import { requeueStoredFile, retryRunNow } from '../../operations/retry.js';
import type { Workplace } from '../../operations/workplace.js';
import { Company, csv } from '../support/company.js';
import { onBothDatabases, type TestDatabases } from '../support/databases.js';
import type { Scope } from '../support/temporary.js';
import { workplaceOn } from '../support/workplace.js';

type Open = (scope: Scope) => Promise<TestDatabases>;

async function begin(open: Open, t: TestContext, options = {}): Promise<{ acme: Company; place: Workplace }> {
  const acme = await Company.open(open, t, { options });
  const place = await workplaceOn(t, acme.databases.settings);
  return { acme, place: { ...place, now: () => acme.clock } };
}

/** A run of users.csv that failed. */
async function failRun({ deps, clock }: Company): Promise<number> {
  const { control } = deps;
  const id = await openManualRun(control.write, 'acme', clock);
  const run = (await claimRun(control.write, 'test', clock, 30_000, id))!;
  await claimUploads(control.write, 'acme', id);
  await giveUpRun(control, run, 'given up after 5 attempts; see the log', clock, '2026-03-10');
  return id;
}

const retry = (place: Workplace, id: number | string) =>
  retryRunNow(place, String(id), () => {}, new AbortController().signal);

onBothDatabases('trying again', (open) => {
  test('a failed run is worked on again, once', async (t) => {
    const { acme, place } = await begin(open, t, { cadence: 'on-upload' });
    const { control, logger, now } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    const failed = await failRun(acme);
    acme.clock += 60_000;
    assert.equal(await openUploadRuns({ control, logger, now, onOpen: () => {} }), 0, 'it waits for the slot');
    const run = await retry(place, failed);
    assert.deepEqual([run.state, run.id], ['done', failed + 1]);
    assert.ok('ann@acme.test' in (await acme.users()));
    const audit = await listAudit(control.read, 'acme');
    assert.deepEqual(audit.find(({ action }) => action === 'run.retried')?.detail, { run: failed + 1 });
    await assert.rejects(retry(place, failed), /files of run 1 are no longer in the queue.*runs list acme/);
    await assert.rejects(retry(place, run.id), /run 2 is done, there is nothing to try again.*files requeue acme PATH/);
    await assert.rejects(retry(place, '99'), { code: 'not_found' });
  });

  test('an interrupted run gets all its attempts again', async (t) => {
    const { acme, place } = await begin(open, t);
    const { control } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    const id = await openManualRun(control.write, 'acme', acme.clock);
    await control.write('runs').where({ id }).update({ attempts: 5 });
    assert.equal((await retry(place, id)).state, 'done');
    assert.deepEqual((await findRun(control.read, id))!.attempts, 1);
    assert.equal((await listRuns(control.read, 'acme')).length, 1);
  });

  test('a held run is decided, not tried again', async (t) => {
    const { acme, place } = await begin(open, t, { maxDeactivations: '0' });
    await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test') });
    const { run } = await acme.import({ 'users.csv': csv('User Email,Deactivation Date', 'ann@acme.test,2026-01-01') });
    await assert.rejects(retry(place, run!), /is held and must be decided first/);
    await assert.rejects(requeueStoredFile(place, 'acme', '/users.csv'), /it is held with its run/);
  });

  test('a refused, a superseded and an imported file are queued again, under their own names', async (t) => {
    const { acme, place } = await begin(open, t, { aliases: {} });
    const { control } = acme.deps;
    const refused = await acme.import({ 'users.csv': csv('Mail', 'ann@acme.test') });
    const [file] = refused.files;
    assert.equal(file!.state, 'refused');
    await assert.rejects(requeueStoredFile(place, 'acme', '/users.csv'), { code: 'not_found' });
    const requeued = await requeueStoredFile(place, 'acme', `${file!.archivedAs}/`);
    assert.deepEqual(requeued, { upload: 2, path: '/users.csv', repeats: 1 });
    assert.deepEqual(
      (await listQueue(control.read, 'acme')).map(({ id, path, sha256 }) => [id, path, sha256]),
      [[2, '/users.csv', file!.sha256]],
    );
    await assert.rejects(
      requeueStoredFile(place, 'acme', file!.archivedAs!),
      /another file has the path \/users.csv now/,
    );
    await control.write('orgs').update({ options: JSON.stringify({ aliases: { Mail: 'User Email' } }) });
    const summary = await acme.import();
    assert.deepEqual([summary.users.created, summary.files.length], [1, 1]);
    // The archive has both, and both can be read.
    assert.match(await acme.read(file!.archivedAs!), /ann@acme/);
    assert.match(await acme.read(summary.files[0]!.archivedAs!), /ann@acme/);
    const imported = await requeueStoredFile(place, 'acme', summary.files[0]!.archivedAs!);
    await acme.drop('/users.csv', csv('Mail', 'bob@acme.test'));
    const [superseded] = await control.read('uploads').where({ id: imported.upload });
    assert.equal(superseded.state, 'superseded');
    await acme.import();
    const last = await requeueStoredFile(place, 'acme', superseded.archived_as);
    assert.equal(last.repeats, imported.upload);
    assert.equal((await acme.import()).users.unchanged, 1);
    const audit = (await listAudit(control.read, 'acme')).filter(({ action }) => action === 'upload.requeued');
    assert.deepEqual(audit.map(({ detail }) => detail.repeats).sort(), [1, 2, 3]);
  });

  test('a file that waits since a failed run is imported at once where that is the cadence', async (t) => {
    const { acme, place } = await begin(open, t, { cadence: 'on-upload' });
    const { control, logger, now } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    await failRun(acme);
    acme.clock += 60_000;
    assert.deepEqual(await requeueStoredFile(place, 'acme', 'users.csv'), {
      upload: 1,
      path: '/users.csv',
      repeats: null,
    });
    assert.equal(await openUploadRuns({ control, logger, now, onOpen: () => {} }), 1);
  });

  test('temporary names, dry runs and files at work are not queued', async (t) => {
    const { acme, place } = await begin(open, t);
    const { control } = acme.deps;
    for (const [path, reason] of [
      ['/users.csv.part', /temporary/],
      ['/dry-run/users.csv', /dry run/],
    ] as const) {
      await acme.drop(path, csv('User Email', 'ann@acme.test'));
      await assert.rejects(requeueStoredFile(place, 'acme', path), reason);
    }
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    await claimUploads(control.write, 'acme', await openManualRun(control.write, 'acme', acme.clock));
    await assert.rejects(requeueStoredFile(place, 'acme', '/users.csv'), /an import is working on it/);
    await assert.rejects(requeueStoredFile(place, 'acme', '/reports'), { code: 'not_found' });
  });
});

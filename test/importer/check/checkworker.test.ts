/** Dry runs and early checks: planned at once, told in `/reports`, nothing applied, each file once, runs first. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { listAudit } from '../../../db/control/audit.js';
import { takeCheckLease } from '../../../db/control/checks.js';
import { listEntries } from '../../../db/control/entries.js';
import { updateOrg } from '../../../db/control/orgs.js';
import { openManualRun } from '../../../db/control/runs.js';
import { listQueue } from '../../../db/control/uploads.js';
import { checkNext } from '../../../importer/check/checkworker.js';
import { removeCheckedDryRuns } from '../../../importer/check/dryrunfiles.js';
import { blobPath } from '../../../storage/blobs.js';
import { Company, csv } from '../../support/company.js';
import { onBothInLongTests } from '../../support/databases.js';
import { beforeTransaction } from '../../support/interleave.js';

const quietMs = 2_000;
const day = '2026-03-10';

function workerOf(acme: Company, change: { mustYield?: () => boolean; owner?: string } = {}) {
  return { ...acme.deps, mustYield: () => false, ...change };
}

async function namesIn(acme: Company, dir: string): Promise<string[]> {
  return (await listEntries(acme.deps.control.read, acme.org.id, dir, null, 100)).map(({ name }) => name);
}

onBothInLongTests('checks', (open) => {
  test('files dropped for a dry run are planned together, teams first, and change nothing', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    await acme.drop(
      '/dry-run/users.csv',
      csv('User Email,Teams,Is Org Admin', 'ann@acme.test,Sales,perhaps', 'no one,,'),
    );
    await acme.drop('/dry-run/teams.csv', csv('Team Name', 'Sales'));
    assert.equal(await checkNext(workerOf(acme)), 'idle', 'more may come');
    acme.clock += quietMs;
    assert.equal(await checkNext(workerOf(acme)), 'checked');
    assert.equal(await checkNext(workerOf(acme)), 'idle');

    const names = ['changes.csv', 'json', 'txt'].map((kind) => `teams.dry-run.${kind}`);
    const more = ['changes.csv', 'csv', 'json', 'rejected.csv', 'txt'].map((kind) => `users.dry-run.${kind}`);
    assert.deepEqual(await namesIn(acme, `/reports/${day}`), [...names, ...more]);
    const text = await acme.read(`/reports/${day}/users.dry-run.txt`);
    assert.match(
      text,
      /^Dry run of \/dry-run\/users\.csv: nothing of it is applied\.\n\nThis file would be imported: 2 rows of users/,
    );
    assert.match(text, /Users: 1 created, 1 row rejected, 1 warning\n {2}Teams: nothing\n/);
    assert.match(text, /Planned together with \/dry-run\/teams\.csv\.\nChecked 2026-03-10 12:00:02 \(Europe\/Berlin\)/);
    assert.match(await acme.read(`/reports/${day}/users.dry-run.csv`), /^2,Is Org Admin,warning,admin_invalid/m);
    assert.equal(
      await acme.read(`/reports/${day}/users.dry-run.rejected.csv`),
      'User Email,Teams,Is Org Admin,Dropslot Problem,Dropslot Line\r\nno one,,,"""User Email"" is not a valid email address: it has no @. Correct it.",3\r\n',
    );
    const json = JSON.parse(await acme.read(`/reports/${day}/users.dry-run.json`));
    assert.deepEqual([json.kind, json.files[0].type, json.users.created], ['dry_run', 'users', 1]);
    assert.deepEqual([json.schema, json.state, json.files[0].state], [1, 'would_import', 'would_import']);
    assert.equal(
      await acme.read(`/reports/${day}/users.dry-run.changes.csv`),
      csv(
        'who,column,before,after,kind,file,line\r',
        'ann@acme.test,Teams,,Sales,user,/dry-run/users.csv,2\r',
        'ann@acme.test,(created),,,user,/dry-run/users.csv,2\r',
      ),
    );
    assert.match(
      text,
      /\nProblems:\n {2}rejected, line 3: "User Email" is not a valid email address: it has no @\.\n {4}Correct it\.\n/,
    );

    assert.deepEqual(Object.keys(await acme.users()), [acme.org.ownerEmail]);
    assert.deepEqual(await listQueue(control.read, 'acme'), []);
    const summary = await acme.import();
    assert.equal(summary.files.length, 0, 'no run takes it');
    const actions = (await listAudit(control.read, 'acme')).map(({ action }) => action);
    assert.equal(actions.filter((action) => action === 'upload.rehearsed').length, 2);
  });

  test('the file of a dry run is there while clients look again, and then goes with its bytes', async (t) => {
    const acme = await Company.open(open, t);
    await acme.drop('/dry-run/users.csv', csv('User Email', 'ann@acme.test'));
    acme.clock += quietMs;
    await checkNext(workerOf(acme));
    assert.equal(await removeCheckedDryRuns(acme.deps), 0);
    assert.deepEqual(await namesIn(acme, '/dry-run'), ['users.csv']);
    const [upload] = await acme.deps.control.read('uploads');
    assert.equal(upload.state, 'checked');
    acme.clock += 11 * 60_000;
    assert.equal(await removeCheckedDryRuns(acme.deps), 1);
    assert.deepEqual(await namesIn(acme, '/dry-run'), []);
    assert.ok(!existsSync(blobPath(acme.deps.paths, upload.blob_id)));
    assert.equal((await acme.deps.control.read('uploads')).length, 1, 'the record stays');
  });

  test('a check whose report has the name of one of an import leaves the archive its copy', async (t) => {
    const acme = await Company.open(open, t);
    await acme.drop('/users.check.csv', csv('User Email', 'no one'));
    const { files } = await acme.import();
    const { archivedAs } = files[0]!;
    const copy = `${archivedAs!.slice(0, -4)}.rejected.csv`;
    const rejected = await acme.read(`/reports/${day}/users.check.rejected.csv`);
    assert.equal(await acme.read(copy), rejected);
    await acme.drop('/users.csv', csv('User Email', 'nobody'));
    acme.clock += quietMs;
    assert.equal(await checkNext(workerOf(acme)), 'checked');
    assert.match(await acme.read(`/reports/${day}/users.check.rejected.csv`), /nobody/);
    assert.equal(await acme.read(copy), rejected);
  });

  test('a file of a dry run that its sender renames to be imported keeps its name', async (t) => {
    const acme = await Company.open(open, t);
    await acme.drop('/dry-run/users.csv', csv('User Email', 'ann@acme.test'));
    acme.clock += quietMs;
    assert.equal(await checkNext(workerOf(acme)), 'checked');
    acme.clock += 11 * 60_000;
    const rename = () => acme.rename('/dry-run/users.csv', '/users.csv');
    await removeCheckedDryRuns({ ...acme.deps, control: beforeTransaction(acme.deps.control, rename) });
    assert.equal((await listQueue(acme.deps.control.read, 'acme')).length, 1);
    assert.ok((await namesIn(acme, '/')).includes('users.csv'));
  });

  test('what is queued is checked at once and stays queued; a newer version takes the place of the report too', async (t) => {
    const acme = await Company.open(open, t);
    await acme.drop('/teams.csv', csv('Team Name', 'Sales'));
    await acme.drop('/hr/users.csv', csv('Users Email,Teams', 'ann@acme.test,Sales'));
    acme.clock += quietMs;
    await checkNext(workerOf(acme));
    const place = `/reports/${day}/hr--users.check`;
    const refused = await acme.read(`${place}.txt`);
    assert.match(
      refused,
      /^Early check of \/hr\/users\.csv, which waits for the import of 2026-03-11 02:00 \(Europe\/Berlin\)\./,
    );
    assert.match(
      refused,
      /This file would be refused: nothing of it would be applied\. Line 1: The header\n {2}has neither/,
    );
    assert.match(await acme.read(`${place}.csv`), /no_key_column/);
    const [first] = (await acme.deps.control.read('uploads')).filter(({ path }) => path === '/hr/users.csv');
    assert.deepEqual([first.state, first.type, first.checked_at], ['queued', null, acme.clock]);

    // The client mends it; the name is the same.
    await acme.drop('/hr/users.csv', csv('User Email,Teams', 'ann@acme.test,Sales'));
    acme.clock += quietMs;
    assert.equal(await checkNext(workerOf(acme)), 'checked');
    assert.match(
      await acme.read(`${place}.txt`),
      /This file would be imported: 1 row of users\.\n {2}Users: 1 created/,
    );
    assert.deepEqual(await namesIn(acme, `/reports/${day}`), [
      'hr--users.check.changes.csv',
      'hr--users.check.json',
      'hr--users.check.txt',
      'teams.check.changes.csv',
      'teams.check.json',
      'teams.check.txt',
    ]);
    const blobs = await acme.deps.control.read('blobs').pluck('id');
    assert.ok(
      blobs.every((id) => existsSync(blobPath(acme.deps.paths, id))),
      'no row without its bytes',
    );
    const [, second] = await listQueue(acme.deps.control.read, 'acme');
    assert.deepEqual([second!.type, second!.rows], ['users', 1]);
    const { users, run } = await acme.import();
    assert.equal(users.created, 1, 'the slot takes it as before');
    const summaries = ['json', 'txt'].map((kind) => `run-${run}.summary.${kind}`);
    assert.deepEqual(await namesIn(acme, `/reports/${day}`), summaries, 'the checks go when the import is reported');
    assert.deepEqual(await acme.deps.control.read('check_reports'), []);
  });

  test('two nodes make one check; a dead one’s is made by another', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    acme.clock += quietMs;
    assert.ok(await takeCheckLease(control.write, 'acme', 'dead', acme.clock, 30_000));
    assert.equal(await checkNext(workerOf(acme)), 'idle');
    acme.clock += 30_001;
    const results = await Promise.all(['one', 'two', 'three'].map((owner) => checkNext(workerOf(acme, { owner }))));
    assert.equal(results.filter((result) => result === 'checked').length, 1);
    assert.equal((await namesIn(acme, `/reports/${day}`)).length, 3);
  });

  test('a check gives way to a run, and is made after it; one that fails thrice is left to the import', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    acme.clock += quietMs;
    for (let time = 0; time < 5; time++)
      assert.equal(await checkNext(workerOf(acme, { mustYield: () => true })), 'left');
    const run = await openManualRun(control.write, 'acme', acme.clock);
    assert.equal(await checkNext(workerOf(acme)), 'idle', 'another process imports it');
    await control.write('runs').where({ id: run }).delete();
    assert.equal((await control.read('uploads').first()).check_attempts, 0);
    const broken = { ...workerOf(acme), identity: () => Promise.reject(new Error('no key')) };
    for (const result of ['left', 'left', 'left', 'idle']) assert.equal(await checkNext(broken), result);
    assert.equal((await acme.import()).users.created, 1);
  });

  test('an organization whose run waits holds up nobody else’s checks', async (t) => {
    const acme = await Company.open(open, t);
    const other = await Company.join(acme.databases, { id: 'other', ownerEmail: 'owner@other.test' });
    await acme.drop('/dry-run/users.csv', csv('User Email', 'ann@acme.test'));
    acme.clock += quietMs;
    await other.drop('/users.csv', csv('User Email', 'bea@other.test'));
    other.clock = acme.clock + quietMs;
    await openManualRun(acme.deps.control.write, 'acme', acme.clock);
    assert.equal(await checkNext(workerOf(other)), 'checked');
    assert.deepEqual(
      await namesIn(other, `/reports/${day}`),
      ['changes.csv', 'json', 'txt'].map((kind) => `users.check.${kind}`),
    );
    assert.equal(await checkNext(workerOf(other)), 'idle');
  });

  test('G1 the early check of a file that waits behind a held run says so', async (t) => {
    const acme = await Company.open(open, t, { options: { maxDeactivations: '0' } });
    await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test', 'bob@acme.test') });
    const held = await acme.import({ 'users.csv': csv('User Email,Deactivation Date', 'ann@acme.test,2026-01-31') });
    assert.equal(held.state, 'held');
    await acme.drop('/more.csv', csv('User Email', 'cyd@acme.test'));
    acme.clock += quietMs;
    assert.equal(await checkNext(workerOf(acme)), 'checked');
    assert.match(
      await acme.read(`/reports/${day}/more.check.txt`),
      new RegExp(`\\nRun ${held.run} is held: this file waits until your operator approves or rejects that run\\.\\n`),
    );
  });

  test('files that come one by one share a check: when the queue has grown by a third, or after a pause that grows with it', async (t) => {
    const acme = await Company.open(open, t);
    const drop = async (...names: string[]) => {
      for (const name of names) await acme.drop(`/${name}.csv`, csv('User Email', `${name}@acme.test`));
      acme.clock += quietMs;
      return checkNext(workerOf(acme));
    };
    assert.equal(await drop('a', 'b', 'c', 'd', 'e'), 'checked');
    assert.equal(await drop('f'), 'idle');
    assert.equal(await drop('g'), 'checked', 'two beside five');
    assert.equal(await drop('h'), 'idle');
    acme.clock += 7 * 4_000 - 2 * quietMs + 100;
    assert.equal(await checkNext(workerOf(acme)), 'idle');
    acme.clock += quietMs;
    assert.equal(await checkNext(workerOf(acme)), 'checked');
  });

  test('no early check where the organization does not want it', async (t) => {
    const acme = await Company.open(open, t);
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    acme.clock += quietMs;
    await updateOrg(acme.deps.control.write, 'acme', { options: { earlyCheck: false } });
    assert.equal(await checkNext(workerOf(acme)), 'idle');
  });
});

/** Files that are not imported because of their names: stored, told once, and queued when their name or the settings allow it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Db } from '../../../db/connection.js';
import { listAudit } from '../../../db/control/audit.js';
import {
  listUnchecked,
  removeCheckReports,
  settleCheck,
  takeCheckLease,
  takeUnchecked,
} from '../../../db/control/checks.js';
import { listEntries } from '../../../db/control/entries.js';
import { updateOrg } from '../../../db/control/orgs.js';
import { listQueue } from '../../../db/control/uploads.js';
import { checkNext } from '../../../importer/check/checkworker.js';
import { removeStaleReports, tellStored } from '../../../importer/check/storednames.js';
import { applyNameOptions } from '../../../intake/redirect.js';
import { eraseUser } from '../../../operations/people/erase.js';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';
import { beforeTransaction, holdOpen, untilBlocked } from '../../support/interleave.js';
import { workplaceOn } from '../../support/workplace.js';

const day = '2026-03-10';
const dayMs = 86_400_000;
const users = csv('User Email', 'ann@acme.test');

async function queueOf(acme: Company): Promise<string[]> {
  return (await listQueue(acme.deps.control.read, 'acme')).map(({ path }) => path);
}

async function reportsOf(acme: Company, dir = `/reports/${day}`): Promise<string[]> {
  return (await listEntries(acme.deps.control.read, 'acme', dir, null, 100)).map(({ name }) => name);
}

async function setNames(acme: Company, options: Company['org']['options']): Promise<unknown> {
  const { control } = acme.deps;
  return control.transact(async (tx) => {
    await updateOrg(tx, 'acme', { options });
    return applyNameOptions(tx, acme.org, options, { actor: 'operator', at: acme.clock });
  });
}

/** The files that a text lists. */
function namedIn(text: string): string[] {
  return [...text.matchAll(/^ {2}(\/\S+) \(/gm)].map(([, name]) => name!);
}

/** The company, and a list of the warnings and errors that it logs. */
function noting(acme: Company) {
  const logged: string[] = [];
  const note = (message: string) => void logged.push(message);
  const logger = { ...acme.deps.logger, warn: note, error: note, info() {} } as never;
  return { logged, deps: { ...acme.deps, logger, mustYield: () => false } };
}

onBothDatabases('stored names', (open) => {
  test('a name that is not data is told once, a temporary one after a day, and both are queued by their rename', async (t) => {
    const acme = await Company.open(open, t);
    const { logged, deps } = noting(acme);
    for (const name of ['users.dat', 'users.csv.writing', 'users.csv.md5', 'tmp/a.csv', 'teams.csv'])
      await acme.drop(`/${name}`, users);
    assert.deepEqual(await queueOf(acme), ['/teams.csv']);
    await tellStored(deps);
    assert.deepEqual(await reportsOf(acme), [], 'a client may be about to rename it');
    acme.clock += 10_000;
    await tellStored(deps);
    const text = await acme.read(`/reports/${day}/not-imported.txt`);
    assert.match(text, /do not look like the names of data files\./);
    assert.deepEqual(namedIn(text), ['/users.dat', '/users.csv.md5']);
    await acme.drop('/users.dat', users);
    await acme.drop('/b.dat', users);
    acme.clock += 10_000;
    await tellStored(deps);
    assert.deepEqual(namedIn(await acme.read(`/reports/${day}/not-imported.txt`)), ['/users.csv.md5', '/b.dat']);
    assert.deepEqual(logged, []);

    acme.clock += dayMs;
    await tellStored(deps);
    const later = await acme.read('/reports/2026-03-11/not-imported.txt');
    assert.match(later, /say that their upload is not finished, and have done so\nfor a day\./);
    assert.deepEqual(namedIn(later), ['/users.csv.writing', '/tmp/a.csv']);
    assert.deepEqual(logged, ['files have waited for their rename for a day: they are not imported before']);
    await tellStored(deps);
    assert.equal(logged.length, 1);

    await acme.rename('/users.csv.writing', '/users.csv');
    await acme.rename('/tmp', '/hr');
    assert.deepEqual(await queueOf(acme), ['/teams.csv', '/users.csv', '/hr/a.csv']);
    await acme.rename('/hr', '/incomplete');
    assert.deepEqual(await queueOf(acme), ['/teams.csv', '/users.csv']);
  });

  test('changed settings queue stored files, and take out those that are temporary now', async (t) => {
    const acme = await Company.open(open, t);
    for (const name of ['users.dat', 'wip-users.csv', 'users', 'users.md5', 'teams.csv'])
      await acme.drop(`/${name}`, users);
    const counts = await setNames(acme, {
      importPatterns: ['*.dat'],
      temporaryNames: ['wip-*'],
      importWithoutExtension: true,
    });
    assert.deepEqual(counts, { queued: 2, unqueued: 1 });
    assert.deepEqual((await queueOf(acme)).sort(), ['/teams.csv', '/users', '/users.dat']);
    await acme.drop('/more.dat', users);
    await acme.drop('/wip-more.csv', users);
    assert.deepEqual(
      (await queueOf(acme)).sort(),
      ['/more.dat', '/teams.csv', '/users', '/users.dat'],
      'open sessions follow',
    );
    const audited = (await listAudit(acme.deps.control.read, 'acme')).filter(({ actor }) => actor === 'operator');
    assert.deepEqual(audited.map(({ action, subject }) => `${action} ${subject}`).sort(), [
      'upload.queued /users',
      'upload.queued /users.dat',
      'upload.unqueued /wip-users.csv',
    ]);
  });

  test('the early check follows a rename, and goes with a file that is removed', async (t) => {
    const acme = await Company.open(open, t);
    const { deps } = noting(acme);
    await acme.drop('/users.csv', users);
    await acme.drop('/hr/teams.csv', csv('Team Name', 'Sales'));
    acme.clock += 2_000;
    await checkNext(deps);
    assert.deepEqual(
      (await reportsOf(acme)).filter((name) => name.endsWith('.txt')),
      ['hr--teams.check.txt', 'users.check.txt'],
    );
    await acme.rename('/users.csv', '/people.csv');
    await acme.rename('/hr', '/new');
    await checkNext(deps);
    assert.deepEqual(
      (await reportsOf(acme)).filter((name) => name.endsWith('.txt')),
      ['new--teams.check.txt', 'people.check.txt'],
    );
    await acme.rename('/people.csv', '/people.csv.part');
    await acme.remove('/new/teams.csv');
    await removeStaleReports(deps);
    assert.deepEqual(await reportsOf(acme), []);
  });

  test('a file that is given its name back, and checked again, keeps the new report', async (t) => {
    const acme = await Company.open(open, t);
    const { deps } = noting(acme);
    await acme.drop('/users.csv', users);
    acme.clock += 2_000;
    await checkNext(deps);
    const names = await reportsOf(acme);
    await acme.rename('/users.csv', '/users.csv.part');
    const control = beforeTransaction(deps.control, async () => {
      await acme.rename('/users.csv.part', '/users.csv');
      assert.equal(await checkNext(deps), 'checked');
    });
    await removeStaleReports({ ...deps, control });
    assert.deepEqual(await reportsOf(acme), names);
    assert.match(await acme.read(`/reports/${day}/users.check.txt`), /users\.csv/);
  });

  test('a report that replaces that of an older version, while the older one is removed, is known', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    await acme.drop('/users.csv', users);
    acme.clock += 2_000;
    await checkNext(noting(acme).deps);
    const [older] = await listQueue(control.read, 'acme');
    await acme.drop('/users.csv', users);
    const [newer] = await listQueue(control.read, 'acme');
    assert.equal(await takeCheckLease(control.write, 'acme', 'node', acme.clock, 30_000), true);
    const path = `/reports/${day}/users.check.txt`;
    const newerCheck = await holdOpen(control, (tx) => {
      const blob = { id: 'f'.repeat(32), size: 1, sealedSize: 201, sha256: 'aa' };
      const { id: uploadId, path: uploadPath, blobId } = newer!;
      const file = { uploadId, uploadPath, blobId, type: 'users', rows: 1, refused: false } as const;
      const settled = { ...file, verdict: 'would_import', reports: [{ path, blob }] } as const;
      return settleCheck(tx, { org: 'acme', kind: 'queued', owner: 'node', at: acme.clock }, settled);
    });
    const removing = control.transact((tx) => removeCheckReports(tx, 'acme', [older!.id]));
    await untilBlocked(control);
    await newerCheck.commit();
    await removing;
    assert.deepEqual(await control.read('check_reports').where({ path }).pluck('upload_id'), [newer!.id]);
  });

  test('the header of a file is read once; files of another kind are planned apart from the others', async (t) => {
    const acme = await Company.open(open, t);
    let opened = 0;
    const identity: typeof acme.deps.identity = (org) => {
      opened++;
      return acme.deps.identity(org);
    };
    const { logged, deps } = noting(acme);
    const check = async () => {
      acme.clock += 2_000;
      opened = 0;
      assert.equal(await checkNext({ ...deps, identity }), 'checked');
      return opened;
    };
    await acme.drop('/notes.txt', 'Some text\nand more\n');
    const forTextAlone = await check();
    await acme.drop('/users.csv', users);
    await check();
    const types = () => acme.deps.control.read('uploads').orderBy('id').pluck('header_type');
    assert.deepEqual(await types(), ['none', 'users']);
    const names = (await reportsOf(acme)).filter((name) => /^notes\.txt-[0-9a-f]{8}\.check\.txt$/.test(name));
    assert.match(await acme.read(`/reports/${day}/${names[0]}`), /This file would be refused/);
    assert.doesNotMatch(await acme.read(`/reports/${day}/users.check.txt`), /Planned together/);
    await acme.drop('/more.txt', 'Some text\n');
    assert.equal(await check(), forTextAlone, 'users.csv is not opened for a text');
    await acme.drop('/teams.csv', csv('Team Name', 'Sales'));
    await check();
    assert.match(await acme.read(`/reports/${day}/teams.check.txt`), /Planned together with \/users\.csv\./);
    await setNames(acme, { aliases: { 'Some text': 'User Email' } });
    assert.deepEqual(await types(), [null, null, null, null], 'it depends on the options');
    assert.deepEqual(logged, []);
  });

  test('a file that its owner removes while it is checked is no error', async (t) => {
    const acme = await Company.open(open, t);
    const { logged, deps } = noting(acme);
    for (const name of ['a', 'b', 'c']) await acme.drop(`/${name}.csv`, users);
    acme.clock += 2_000;
    let opened = 0;
    const identity: typeof acme.deps.identity = async (org) => {
      opened++;
      if (opened === 2) await acme.remove('/b.csv');
      // After the header of c.csv was read.
      if (opened === 5) await acme.remove('/c.csv');
      return acme.deps.identity(org);
    };
    assert.equal(await checkNext({ ...deps, identity }), 'checked');
    assert.deepEqual(
      (await reportsOf(acme)).filter((name) => name.endsWith('.txt')),
      ['a.check.txt'],
    );
    assert.deepEqual(logged, []);
    assert.equal(await checkNext(deps), 'idle');
  });

  for (const when of ['before it is read', 'after that'])
    test(`a file from which a person is erased ${when} is checked again, and no report has the person`, async (t) => {
      const acme = await Company.open(open, t);
      const place = { ...(await workplaceOn(t, acme.databases.settings)), now: () => acme.clock };
      const { logged, deps } = noting(acme);
      await acme.drop('/a.csv', csv('User Email,Manager Email', 'bob@acme.test,bob@acme.test', 'ann@acme.test,nobody'));
      acme.clock += 2_000;
      let isDone = false;
      let isRead = false;
      const erase = async () => {
        isDone = true;
        await eraseUser(place, 'acme', 'ann@acme.test', { waitMs: 0, removesUnsearched: false });
      };
      const identity: typeof acme.deps.identity = async (org) => {
        isRead = true;
        if (!isDone && when === 'before it is read') await erase();
        return acme.deps.identity(org);
      };
      const transact: Db['transact'] = async (work, given) => {
        if (isRead && !isDone) await erase();
        return deps.control.transact(work, given);
      };
      await checkNext({ ...deps, identity, control: { ...deps.control, transact } });
      assert.equal(isDone, true);
      assert.deepEqual(await reportsOf(acme), []);
      acme.clock += 3_600_000;
      assert.equal(await checkNext(deps), 'checked');
      assert.deepEqual(logged, []);
      const reports = await reportsOf(acme);
      assert.ok(reports.length > 0);
      for (const name of reports) assert.doesNotMatch(await acme.read(`/reports/${day}/${name}`), /ann@/);
    });

  test('a queue of any size is planned once; a file that comes later waits before the queue is planned again', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    const { deps } = noting(acme);
    const resize = (path: string, size: number) =>
      control.write('blobs').whereIn('id', control.write('uploads').where({ path }).select('blob_id')).update({ size });
    const names = ['a', 'b', 'c'];
    for (const folder of ['', '/dry-run'])
      for (const name of names) {
        await acme.drop(`${folder}/${name}.csv`, users);
        await resize(`${folder}/${name}.csv`, 9 * 1024 ** 2);
      }
    assert.equal((await takeUnchecked(control.write, 'acme', 'queued')).length, 3);
    assert.equal((await takeUnchecked(control.write, 'acme', 'dry_run')).length, 1, 'each is planned by itself');
    for (const name of names) await acme.remove(`/dry-run/${name}.csv`);
    for (const name of names) await resize(`/${name}.csv`, users.length);
    acme.clock += 2_000;
    assert.equal(await checkNext(deps), 'checked');

    // As if it were large: planning it again takes time.
    await resize('/a.csv', 6_000_000);
    await acme.drop('/d.csv', users);
    acme.clock += 59_000;
    assert.equal(await checkNext(deps), 'idle');
    acme.clock += 3_000;
    await resize('/a.csv', users.length);
    await resize('/b.csv', 6_000_000);
    assert.deepEqual(
      (await listUnchecked(control.read)).map(({ beside }) => beside),
      [{ files: 3, bytes: 6_000_000 + 2 * users.length }],
    );
    assert.equal(await checkNext({ ...deps, mostBytes: 4_000_000 }), 'idle', 'the whole queue counts');
    await resize('/b.csv', users.length);
    assert.equal(await checkNext({ ...deps, mostBytes: 4_000_000 }), 'checked');
    assert.ok((await reportsOf(acme)).includes('d.check.txt'));
  });

  test('above a number of queued files the early check says that it skips them', async (t) => {
    const acme = await Company.open(open, t);
    const { logged, deps } = noting(acme);
    const few = { ...deps, settings: { ...deps.settings, earlyCheckFiles: 2 } };
    for (const name of ['a', 'b', 'c']) await acme.drop(`/${name}.csv`, users);
    acme.clock += 2_000;
    assert.equal(await checkNext(few), 'checked');
    assert.deepEqual(await reportsOf(acme), ['early-check.skipped.txt']);
    const text = await acme.read(`/reports/${day}/early-check.skipped.txt`);
    assert.match(
      text,
      /^3 files wait for the import of 2026-03-11 02:00 \(Europe\/Berlin\)\. Files are\nchecked before/m,
    );
    assert.equal(logged.length, 1);
    assert.equal(await checkNext(few), 'idle');
    await acme.remove('/b.csv');
    await acme.drop('/a.csv', users);
    acme.clock += 2_000;
    assert.equal(await checkNext(few), 'checked');
    assert.ok((await reportsOf(acme)).includes('a.check.txt'));
  });
});

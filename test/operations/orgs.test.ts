/** Organizations across both databases: what a crash between the two leaves is completed by the next attempt. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { Knex } from 'knex';
import type { Db } from '../../db/connection.js';
import { listAudit } from '../../db/control/audit.js';
import { insertBlob } from '../../db/control/blobs.js';
import { insertOrg, listOrgs, updateOrg } from '../../db/control/orgs.js';
import { claimRun, openManualRun, type Run } from '../../db/control/runs.js';
import { deleteDirectory, readVersion } from '../../db/directory/directory.js';
import { findUser, listUsers } from '../../db/directory/users.js';
import { workNext } from '../../importer/run/worker.js';
import { createOrgIdentity } from '../../keys/master/orgidentity.js';
import { saveAliases } from '../../operations/columnmapping.js';
import { addOrganization, enableOrganization, removeOrganization, setOrganization } from '../../operations/orgs.js';
import { requestSftp } from '../../operations/sftpaccess.js';
import type { Workplace } from '../../operations/workplace.js';
import { blobPath, createBlob } from '../../storage/blobs.js';
import { Company } from '../support/company.js';
import { onBothDatabases } from '../support/databases.js';
import { sampleOrg } from '../support/samples.js';
import { changedBefore, workplaceOn } from '../support/workplace.js';

const owner = { ownerEmail: 'Jane@acme.test' };

onBothDatabases('organizations', (open) => {
  test('adding makes an identity that opens, an owner and an audit event', async (t) => {
    const place = await workplaceOn(t, (await open(t)).settings);
    const { org, created, madeMasterKey } = await addOrganization(place, 'acme', owner, true);
    assert.deepEqual([created, madeMasterKey, org.enabled], [true, place.paths.masterKey, true]);
    assert.match(await place.identity(org), /^AGE-SECRET-KEY-1/);
    assert.equal((await findUser(place.directory.read, 'acme', 'jane@acme.test'))!.isAdmin, true);
    const events = await listAudit(place.control.read, 'acme');
    assert.deepEqual(
      events.map((event) => event.action),
      ['org.added', 'org.sftp_requested', 'org.enabled'],
    );
    assert.ok(!JSON.stringify(events).toLowerCase().includes('jane@'), 'no address in the audit trail');
    await assert.rejects(addOrganization(place, 'acme', owner, false), { code: 'refused' });
  });

  test('an attempt that was cut off before the owner is completed by the next one', async (t) => {
    const place = await workplaceOn(t, (await open(t)).settings);
    const { master } = await place.makeMaster();
    const cutOff = sampleOrg('acme', { ...(await createOrgIdentity(master.recipient)), enabled: false, ...owner });
    await insertOrg(place.control.write, cutOff);
    const { org, created } = await addOrganization(place, 'acme', { ownerEmail: 'other@acme.test' }, true);
    assert.deepEqual([created, org.ownerEmail, org.enabled], [false, 'Jane@acme.test', true]);
    const users = await listUsers(place.directory.read, 'acme', { after: null, limit: 9 });
    assert.deepEqual(
      users.map((user) => user.email),
      ['Jane@acme.test'],
    );
  });

  test('two attempts at once end with one organization and one owner', async (t) => {
    const place = await workplaceOn(t, (await open(t)).settings);
    const attempts = [owner, { ownerEmail: 'joe@acme.test' }].map((one) => addOrganization(place, 'acme', one, false));
    const results = await Promise.allSettled(attempts);
    assert.ok(results.some((result) => result.status === 'fulfilled'));
    const users = await listUsers(place.directory.read, 'acme', { after: null, limit: 9 });
    const [org] = await listOrgs(place.control.read);
    assert.deepEqual(
      users.map((user) => user.email),
      [org!.ownerEmail],
    );
  });

  test('enabling gives a cut-off organization its owner first, and slots from now on', async (t) => {
    const place = await workplaceOn(t, (await open(t)).settings);
    await insertOrg(place.control.write, sampleOrg('acme', { enabled: false, sealedIdentity: 'sealed', slotsFrom: 0 }));
    const org = await enableOrganization(place, 'acme');
    assert.ok(org.enabled && org.slotsFrom > 0);
    assert.ok((await findUser(place.directory.read, 'acme', 'owner@acme.test')) !== null);
    await updateOrg(place.control.write, 'acme', { enabled: false, sealedIdentity: null });
    await assert.rejects(enableOrganization(place, 'acme'), { code: 'refused' });
  });

  test('only another slot, time zone or cadence moves the beginning of slots', async (t) => {
    const place = await workplaceOn(t, (await open(t)).settings);
    await insertOrg(place.control.write, sampleOrg('acme', { slotsFrom: 5 }));
    const same = { slot: '02:00', timeZone: 'Europe/Berlin', options: { cadence: null } };
    for (const fields of [{ name: 'Acme Corp', dateFormat: 'dmy' as const }, same, { options: { maxSessions: 3 } }]) {
      const { slotsFrom, expectFrom } = await setOrganization(place, 'acme', fields);
      assert.deepEqual([slotsFrom, expectFrom], [5, 0]);
    }
    for (const options of [
      { expectFiles: 'users' },
      { expectBy: '06:00' },
      { expectDays: 'weekdays' },
      { expectBy: null },
    ]) {
      await updateOrg(place.control.write, 'acme', { expectFrom: 7 });
      const { slotsFrom, expectFrom } = await setOrganization(place, 'acme', { options });
      assert.ok(slotsFrom === 5 && expectFrom > 7, 'a missed slot is still caught up');
    }
    for (const fields of [{ slot: '05:00' }, { timeZone: 'UTC' }, { options: { cadence: 'weekdays' } }]) {
      await updateOrg(place.control.write, 'acme', { slotsFrom: 5, expectFrom: 7 });
      const { slotsFrom, expectFrom } = await setOrganization(place, 'acme', fields);
      assert.ok(slotsFrom > 5 && expectFrom === 7);
    }
    await assert.rejects(setOrganization(place, 'nobody', { slot: '05:00' }), { code: 'not_found' });
  });

  test('of two changes at once of different options, limits and aliases both remain', async (t) => {
    const place = await workplaceOn(t, (await open(t)).settings);
    const options = { protected: ['ann@acme.test', 'bob@acme.test'], maxHandles: 9 };
    await insertOrg(place.control.write, sampleOrg('acme', { options, limits: { maxFiles: 7 } }));
    const other = () =>
      setOrganization(place, 'acme', {
        ...{ limits: { maxFiles: null, maxFolderDepth: 3 } },
        options: { protected: ['bob@acme.test'], maxSessions: 2, maxHandles: null },
      });
    const change = { limits: { maxNameBytes: 80 }, options: { maxConnections: 5 } };
    const { options: after, limits } = await setOrganization(changedBefore(place, 'control', other), 'acme', change);
    assert.deepEqual(after, { protected: ['bob@acme.test'], maxSessions: 2, maxConnections: 5 });
    assert.deepEqual(limits, { maxFolderDepth: 3, maxNameBytes: 80 });

    const columns = (label: string) => saveAliases(place, 'acme', { [label]: 'User Name' });
    const late = changedBefore(place, 'control', () => columns('Worker'));
    await saveAliases(late, 'acme', { Boss: 'Manager Email' });
    assert.deepEqual((await place.org('acme')).options.aliases, { Worker: 'User Name', Boss: 'Manager Email' });
  });

  test('a plan without SFTP access that comes first is neither requested for nor enabled', async (t) => {
    const acme = await Company.open(open, t, { plan: 'enterprise', enabled: false });
    const place = await workplaceOn(t, acme.databases.settings);
    const leave = changedBefore(place, 'control', () => setOrganization(place, 'acme', { plan: 'basic' }));
    await requestSftp(place, 'acme', acme.org.ownerEmail);
    await assert.rejects(enableOrganization(leave, 'acme'), /the plan "basic" does not include SFTP access/);
    await setOrganization(place, 'acme', { plan: 'enterprise' });
    const again = changedBefore(place, 'control', () => setOrganization(place, 'acme', { plan: 'basic' }));
    await assert.rejects(requestSftp(again, 'acme', acme.org.ownerEmail), /the plan "basic" does not include/);
    const { enabled, sftpRequest } = await place.org('acme');
    assert.deepEqual([enabled, sftpRequest], [false, null]);
  });

  test('a new owner is a user already, and the trail says that they became an admin', async (t) => {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    await acme.import({ 'users.csv': 'User Email,Is Org Admin\nann@acme.test,No\nbob@acme.test,Yes\n' });
    const set = async (ownerEmail: string, createOwner = false) => {
      const told: string[] = [];
      await setOrganization(place, 'acme', { ownerEmail }, { createOwner, note: (line) => told.push(line) });
      const { detail } = (await listAudit(place.control.read, 'acme')).at(-1)!;
      return { told: told.join(), detail: detail as Record<string, unknown> };
    };
    const count = (await listAudit(place.control.read, 'acme')).length;
    await assert.rejects(set('an@acme.test'), { code: 'refused', message: /no user of acme has the address an@acme/ });
    assert.equal((await listAudit(place.control.read, 'acme')).length, count);
    assert.equal(await findUser(place.directory.read, 'acme', 'an@acme.test'), null);
    assert.deepEqual(await set('bob@acme.test'), { told: '', detail: { ownerEmail: 'changed' } });
    const promoted = await set('Ann@acme.test');
    const ann = (await findUser(place.directory.read, 'acme', 'ann@acme.test'))!;
    assert.ok(ann.isAdmin);
    assert.equal(promoted.told, 'ann@acme.test is an active admin now (was: no admin).');
    assert.deepEqual(promoted.detail, {
      ...{ ownerEmail: 'changed', owner: 'made an active admin', user: ann.id, was: 'no admin' },
    });
    assert.equal((await set('cyd@acme.test', true)).detail.owner, 'created as an admin');
    assert.ok((await findUser(place.directory.read, 'acme', 'cyd@acme.test'))!.isAdmin);
  });

  test('removing leaves no row and no file, also after an import; the audit trail stays', async (t) => {
    const acme = await Company.open(open, t);
    await acme.import({ 'users.csv': 'User Email,Teams\nann@acme.test,Sales\n' });
    await acme.drop('/more.csv', 'User Email\nbob@acme.test\n');
    const place = await workplaceOn(t, acme.databases.settings);
    const blobs = await place.control.read('blobs').select('id');
    const removed = await removeOrganization(place, 'acme');
    assert.deepEqual([removed.users, removed.teams, removed.files], [2, 1, blobs.length]);
    for (const { id } of blobs) assert.ok(!existsSync(blobPath(place.paths, id)), id);
    for (const table of ['orgs', 'login_keys', 'entries', 'uploads', 'blobs', 'runs'])
      assert.deepEqual(await place.control.read(table), [], table);
    for (const table of ['users', 'teams', 'fields', 'changes', 'memberships', 'applied_runs', 'applied_uploads'])
      assert.deepEqual(await place.directory.read(table), [], table);
    assert.equal((await listAudit(place.control.read, 'acme')).at(-1)!.action, 'org.removed');
    assert.equal(
      readdirSync(place.paths.blobs, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).length,
      0,
    );
  });

  test('a file that the server writes during the removal is removed too', async (t) => {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    const { recipient } = (await listOrgs(place.control.read))[0]!;
    let late = '';
    const transact: Db['transact'] = async (work) => {
      // The transaction after the removal of the directory deletes the rows.
      if (late === '' && (await readVersion(place.directory.read, 'acme')) === 0) {
        const blob = await (await createBlob(place.paths, recipient)).finish();
        late = blob.id;
        await insertBlob(place.control.write, { ...blob, org: 'acme', createdAt: place.now() });
      }
      return place.control.transact(work);
    };
    const { files } = await removeOrganization({ ...place, control: { ...place.control, transact } }, 'acme');
    assert.notEqual(late, '');
    assert.equal(files, 1);
    const record = (await listAudit(place.control.read, 'acme')).find(({ action }) => action === 'org.removed');
    assert.equal((record!.detail as { files: number }).files, 1, 'the audit trail counts it too');
    assert.ok(!existsSync(blobPath(place.paths, late)));
    assert.deepEqual(await place.control.read('blobs'), []);
  });

  test('no importer takes a run of an organization whose directory is being removed', async (t) => {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    await openManualRun(place.control.write, 'acme', acme.clock);
    let claimed: Run | null | undefined;
    const transaction = async (work: (tx: Knex.Transaction) => Promise<unknown>) => {
      claimed = await claimRun(place.control.write, 'other', acme.clock, 60_000);
      return place.directory.write.transaction(work);
    };
    const write = new Proxy(place.directory.write, {
      get: (db, name) => (name === 'transaction' ? transaction : Reflect.get(db, name)),
    });
    await removeOrganization({ ...place, directory: { ...place.directory, write } }, 'acme');
    assert.equal(claimed, null);
  });

  test('an organization whose import runs is not removed', async (t) => {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    const id = await openManualRun(place.control.write, 'acme', place.now());
    await place.control.write('runs').where({ id }).update({ state: 'running' });
    await assert.rejects(removeOrganization(place, 'acme'), { code: 'refused' });
    assert.equal((await listOrgs(place.control.read)).length, 1);
  });

  /** As the place of the test; `work` is done before the directory is removed. */
  function beforeRemoval(place: Workplace, work: () => Promise<unknown>): Workplace {
    const write = new Proxy(place.directory.write, {
      get: (target, name) =>
        name === 'transaction'
          ? (remove: never) => work().then(() => target.transaction(remove))
          : Reflect.get(target, name),
    });
    return { ...place, directory: { ...place.directory, write } };
  }

  const nothingLeft = async ({ directory }: Workplace) => {
    for (const table of ['org_versions', 'users', 'teams', 'changes', 'applied_runs', 'applied_uploads'])
      assert.deepEqual(await directory.read(table), [], table);
  };

  test('a run that waits is over before the directory is removed, so that no importer makes the people again', async (t) => {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    await acme.drop('/users.csv', 'User Email\nann@acme.test\n');
    const id = await openManualRun(place.control.write, 'acme', place.now());
    const { reached, goOn, pause } = paused();
    let importing: Promise<unknown> = Promise.resolve();
    const begin = () => {
      importing = workNext({ ...acme.deps, onStep: (step) => (step === 'planned' ? pause() : undefined) }, id);
      return Promise.race([reached, importing]);
    };
    const control = { ...place.control };
    control.transact = async (work, options) => {
      if ((await readVersion(place.directory.read, 'acme')) === 0) {
        goOn();
        await importing;
      }
      return place.control.transact(work, options);
    };
    await removeOrganization({ ...beforeRemoval(place, begin), control }, 'acme');
    assert.equal(await importing, 'idle');
    await nothingLeft(place);
    assert.equal(await addOrganization(place, 'acme', owner, false).then(({ created }) => created), true);
    assert.equal((await findUser(place.directory.read, 'acme', 'jane@acme.test'))!.isAdmin, true);
  });

  test('a run that is claimed while the directory is removed keeps the organization, until it has ended', async (t) => {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    let id = 0;
    const claim = async () => {
      id = await openManualRun(place.control.write, 'acme', place.now());
      await place.control.write('runs').where({ id }).update({ state: 'running' });
    };
    await assert.rejects(removeOrganization(beforeRemoval(place, claim), 'acme'), {
      code: 'refused',
      message: /an import of acme is running: wait/,
    });
    assert.equal((await listOrgs(place.control.read)).length, 1);
    await place.control.write('runs').where({ id }).update({ state: 'open' });
    await removeOrganization(place, 'acme');
    assert.deepEqual(await place.control.read('runs'), []);
    await nothingLeft(place);
  });

  for (const step of ['planned', 'reported'] as const)
    test(`an importer that has lost its run adds nothing to a removed organization, whose plan is ${step}`, async (t) => {
      const acme = await Company.open(open, t);
      const place = await workplaceOn(t, acme.databases.settings);
      // A directory in which nothing was ever written.
      if (step === 'reported') await deleteDirectory(place.directory.write, 'acme');
      await acme.drop('/users.csv', 'User Email\nann@acme.test\n');
      const id = await openManualRun(place.control.write, 'acme', place.now());
      const { reached, goOn, pause } = paused();
      const onStep = (at: string) => (at === step ? pause() : undefined);
      const importing = workNext({ ...acme.deps, onStep }, id);
      await reached;
      await place.control.write('runs').where({ id }).update({ state: 'failed', lease_owner: null });
      await removeOrganization(place, 'acme');
      goOn();
      assert.equal(await importing, 'left');
      await nothingLeft(place);
    });
});

/** Stops an importer once at a step until it is let go on. */
function paused() {
  let goOn = () => {};
  let tell = () => {};
  const wait = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const pause = () => {
    tell();
    return wait;
  };
  return { reached, goOn: () => goOn(), pause };
}

/** The doctor finds what is broken, lost or about to expire, and nothing else. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { touchLoginKey, updateLoginKey } from '../../db/control/keys.js';
import { updateOrg } from '../../db/control/orgs.js';
import { openManualRun } from '../../db/control/runs.js';
import { openRunStage } from '../../importer/plan/tables.js';
import { workNext } from '../../importer/run/worker.js';
import { loadOrCreateHostKeys } from '../../keys/host/hostkeys.js';
import type { ExamineOptions } from '../../operations/doctor/examine.js';
import type { Finding } from '../../operations/doctor/finding.js';
import { findWriters } from '../../operations/doctor/loginkeys.js';
import { examineMachine } from '../../operations/doctor/machine.js';
import { examinePrivateFiles } from '../../operations/doctor/permissions.js';
import { activateAnnounced, addHostKey, removeInactive } from '../../operations/hostkeys.js';
import { listUnsettledReports } from '../../operations/unsettled.js';
import type { Workplace } from '../../operations/workplace.js';
import { blobPath } from '../../storage/blobs.js';
import { Company } from '../support/company.js';
import { onBothInLongTests } from '../support/databases.js';
import { allowKey, newKeyPair } from '../support/keys.js';
import { until } from '../support/session.js';
import { temporaryFolder } from '../support/temporary.js';
import { examine, workplaceOn } from '../support/workplace.js';

const dayMs = 24 * 60 * 60 * 1000;

/** What is not well, without the warning that every machine with one disk gets. */
async function complaints(place: Workplace, options: ExamineOptions = {}): Promise<Finding[]> {
  const findings = await examine(place.settings, options);
  return findings.filter(
    (finding) =>
      finding.level !== 'ok' && !/same volume|belongs to root|in it in the clear|not seal/.test(finding.message),
  );
}

onBothInLongTests('doctor', (open) => {
  /** An organization with a key, an imported file, and a server that has been there. */
  async function openWhole(t: TestContext) {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    await loadOrCreateHostKeys(place.paths.hostKeys);
    await allowKey(place.control, 'acme', newKeyPair(), { createdAt: place.now() });
    await acme.import({ 'users.csv': 'User Email\nann@acme.test\n' });
    return { acme, place };
  }

  test('nothing to complain about', async (t) => {
    const { place } = await openWhole(t);
    assert.deepEqual(await complaints(place), []);
  });

  test('the machine: an open data folder, root, few inodes, stages that were left', async (t) => {
    const { place } = await openWhole(t);
    const whole = { uid: 1000, mode: 0o40700 };
    const many = { files: 0, ffree: 0 };
    const examineWith = async (stat: object, inodes: object) =>
      (
        await examineMachine(
          place,
          () => ({ ...whole, ...stat }),
          async () => ({ ...many, ...inodes }),
          1000,
        )
      ).map(({ level, check, message }) => `${level} ${check}: ${message.split(/[:;]/)[0]}`);
    assert.deepEqual(await examineWith({}, {}), []);
    assert.deepEqual(await examineWith({ uid: 0, mode: 0o40755 }, { files: 1e6, ffree: 5000 }), [
      'warning machine: it belongs to root',
      'warning machine: other users may list it (mode 755)',
      'warning machine: its disk has room for only 5000 more files (inodes)',
    ]);
    assert.deepEqual(await examineWith({ mode: 0o40770 }, { files: 1e6, ffree: 10 }), [
      'wrong machine: other users may write to it (mode 770)',
      'wrong machine: its disk has room for only 10 more files (inodes)',
    ]);
    const stage = await openRunStage(place.settings, place.directory, 'run_999_1');
    assert.deepEqual(await examineWith({}, {}), [
      'warning stages: interrupted runs or checks left 1 stage with rows of users',
    ]);
    await examine(place.settings, { mayMend: async () => true });
    assert.deepEqual(await examineWith({}, {}), []);
    await stage.drop();
  });

  test('files that others may read or change, or that belong to another user; a command that root runs', async (t) => {
    const { place } = await openWhole(t);
    const settingsFile = join(temporaryFolder(t), 'settings.json');
    writeFileSync(settingsFile, '{}', { mode: 0o640 });
    chmodSync(settingsFile, 0o646);
    const isFile = place.settings.database === 'sqlite';
    if (isFile) chmodSync(place.paths.control, 0o644);
    const found = (await complaints(place, { settingsFile })).filter(({ check }) => check === 'private_files');
    assert.deepEqual(
      found.map(({ level, subject, message }) => [level, subject, message.split(/[:]/)[0]]),
      [
        ...(isFile ? [['mended', place.paths.control, 'others could read it until now (mode 644)']] : []),
        ['wrong', settingsFile, 'others may change it (mode 646)'],
      ],
    );
    assert.deepEqual(
      examinePrivateFiles(place, new Map(), null, (path) => ({
        uid: path === place.paths.nodeKey ? 0 : 1000,
        gid: 1000,
        mode: path === place.paths.nodeKey ? 0o600 : 0o700,
      }))
        .map(({ message }) => message)
        .filter((message) => message.startsWith('it belongs')),
      [
        `it belongs to user 0, and the data folder to user 1000, which may be unable to open it: chown 1000 ${place.paths.nodeKey}`,
      ],
    );
    // As the Debian package installs them: root's, and readable for the group of the server.
    const file = '/etc/dropslot/dropslot.json';
    const toldOf = (given: object) =>
      examinePrivateFiles(place, new Map(), file, (path) =>
        path === file ? { uid: 0, gid: 1000, mode: 0o100640, ...given } : { uid: 1000, gid: 1000, mode: 0o40700 },
      ).filter(({ subject }) => subject === file).length;
    assert.deepEqual(
      [{}, { gid: 7 }, { uid: 1000 }, { mode: 0o100660 }, { mode: 0o100644 }].map(toldOf),
      [0, 1, 1, 1, 1],
    );
    const [root] = await examineMachine(place, () => ({ uid: 1000, mode: 0o40700 }), undefined, 0);
    assert.match(root!.message, /belongs to user 1000, and this command runs as root: run all commands as that user/);
  });

  test('who can add keys to the folder of keys', () => {
    const told = (path: object) =>
      findWriters('/data/keys.d', '/data', (one) => ({
        ...{ uid: 1000, gid: 1000, mode: 0o40755 },
        ...(one === '/data' ? {} : path),
      }))?.split(':')[0] ?? null;
    assert.deepEqual([{}, { uid: 0 }, { mode: 0o40757 }, { mode: 0o40775 }, { uid: 1001 }].map(told), [
      null,
      null,
      'any user of this machine can add a login key there',
      'every member of the group 1000 can add a login key there',
      'it belongs to user 1001, who can add a login key there',
    ]);
  });

  test('a run that was interrupted a moment ago', async (t) => {
    const { acme, place } = await openWhole(t);
    const id = await openManualRun(place.control.write, 'acme', acme.clock);
    const now = place.now();
    await place.control.write('runs').where({ id }).update({ opened_at: now, attempts: 1 });
    const messages = async () => (await complaints(place)).map(({ level, message }) => [level, message.split(':')[0]]);
    assert.deepEqual(await messages(), [['warning', `run ${id} was interrupted (attempts`]]);
    await place.control
      .write('runs')
      .where({ id })
      .update({ state: 'running', lease_owner: 'x', lease_until: now - 1000 });
    assert.match((await messages())[0]!.join(' '), /^warning run \d+ was cut off at/);
  });

  test('a sealed file that is missing, one that was cut, one that nobody knows', async (t) => {
    const { place } = await openWhole(t);
    const [first, second] = await place.control.read('blobs').orderBy('id').select('id');
    rmSync(blobPath(place.paths, first.id));
    truncateSync(blobPath(place.paths, second.id), 10);
    mkdirSync(join(place.paths.blobs, 'ff'), { recursive: true });
    const [old, young, strange] = ['f'.repeat(32), 'ff'.padEnd(32, '0'), 'notes.txt'];
    const before = (place.now() - dayMs) / 1000;
    for (const name of [old!, young!, strange!]) {
      const file = join(place.paths.blobs, 'ff', name);
      writeFileSync(file, 'x');
      if (name !== young) utimesSync(file, before, before);
    }
    const found = await complaints(place);
    assert.deepEqual(
      found.map(({ level, check, message }) => [level, check, message.split(':')[0]!.replace(` of acme`, '')]),
      [
        ['wrong', 'blobs', first.id],
        ['wrong', 'blobs', second.id],
        ['warning', 'blobs', old],
        ['warning', 'blobs', join(place.paths.blobs, 'ff', strange!)],
      ],
    );
  });

  test('in depth: a bit that turned, content that is not what was uploaded', async (t) => {
    const { acme, place } = await openWhole(t);
    assert.deepEqual(await complaints(place, { deep: true }), []);
    const [first, second] = await place.control.read('blobs').orderBy('id').select('id');
    await acme.damage(first.id);
    await place.control
      .write('blobs')
      .where({ id: second.id })
      .update({ sha256: '0'.repeat(64) });
    assert.deepEqual(await complaints(place), []);
    const found = await complaints(place, { deep: true });
    assert.deepEqual(
      found.map(({ level, check, message }) => [level, check, message.split(';')[0]]),
      [
        ['wrong', 'blobs', `${first.id} of acme: it can't be read: chunk 0 was changed, or is sealed to another key`],
        ['wrong', 'blobs', `${second.id} of acme: it holds something else than was uploaded`],
      ],
    );
  });

  test('in depth: databases that have different imported uploads', async (t) => {
    const { place } = await openWhole(t);
    await place.directory.write('applied_uploads').delete();
    const [finding, ...more] = await complaints(place, { deep: true });
    assert.deepEqual([finding!.level, finding!.check, more], ['wrong', 'databases', []]);
    assert.match(finding!.message, /^upload 1: imported, and not in the directory/);
    await place.control.write('uploads').update({ state: 'queued' });
    const run = await place.directory.read('applied_runs').first();
    await place.directory.write('applied_uploads').insert({ upload_id: 1, run_id: run.run_id });
    const [other] = await complaints(place, { deep: true });
    assert.match(other!.message, /^upload 1: in the directory, and not imported/);
  });

  test('mends what can be mended, and says it in the audit trail', async (t) => {
    const { place } = await openWhole(t);
    const before = (place.now() - 2 * dayMs) / 1000;
    const orphan = blobPath(place.paths, 'f'.repeat(32));
    mkdirSync(join(place.paths.blobs, 'ff'), { recursive: true, mode: 0o700 });
    mkdirSync(place.paths.partials, { recursive: true, mode: 0o700 });
    const partial = join(place.paths.partials, 'e'.repeat(32));
    for (const file of [orphan, partial]) {
      writeFileSync(file, 'x', { mode: 0o600 });
      utimesSync(file, before, before);
    }
    chmodSync(place.paths.blobs, 0o755);
    chmodSync(place.paths.masterKey, 0o644);
    const found = await complaints(place);
    assert.deepEqual(
      found.map(({ check, mend }) => [check, mend !== undefined]),
      [
        ['master_key', true],
        ['private_files', true],
        ['blobs', true],
        ['partials', true],
      ],
    );
    await complaints(place, { mayMend: async () => false });
    assert.ok(existsSync(orphan));
    const mended = await complaints(place, { mayMend: async (mendable) => mendable.length === 4 });
    assert.ok(mended.every(({ level }) => level === 'mended'));
    assert.deepEqual([existsSync(orphan), existsSync(partial)], [false, false]);
    assert.equal(statSync(place.paths.masterKey).mode & 0o777, 0o600);
    assert.deepEqual(await complaints(place), []);
    const audit = await place.control.read('audit').where({ action: 'doctor.mended' });
    assert.equal(audit.length, 4);
  });

  test('a report of a run that is applied and not settled is nobody’s orphan, and is examined', async (t) => {
    const { acme, place } = await openWhole(t);
    const stopped = new Error('stopped here');
    const onStep = async (step: string) => {
      if (step === 'applied') throw stopped;
    };
    await acme.drop('/more.csv', 'User Email\nbob@acme.test\nnobody\n');
    await openManualRun(place.control.write, 'acme', place.now());
    assert.equal(await workNext({ ...acme.deps, onStep }), 'left');
    const reports = await listUnsettledReports(place);
    assert.equal(reports.length, 4); // a report, its rejected row, two summaries
    const later = { deep: true, now: () => place.now() + dayMs };
    assert.deepEqual(
      (await complaints(place, later)).filter(({ check }) => check !== 'organization'),
      [],
    );
    await acme.damage(reports[0]!.id);
    assert.match((await complaints(place, later))[0]!.message, new RegExp(`^${reports[0]!.id} of acme: it can't be`));
  });

  test('a master key that others may read, that is another one, that is gone', async (t) => {
    const { place } = await openWhole(t);
    const { masterKey } = place.paths;
    chmodSync(masterKey, 0o640);
    assert.match((await complaints(place))[0]!.message, /chmod 600/);
    rmSync(masterKey);
    const [lost, ...more] = await complaints(place);
    assert.match(lost!.message, /no master key at/);
    assert.deepEqual(more, []);
    writeFileSync(masterKey, 'AGE-SECRET-KEY-1QQQ\n', { mode: 0o600 });
    assert.equal((await complaints(place))[0]!.level, 'wrong');
  });

  test('a lost host key, which clients would miss', async (t) => {
    const { place } = await openWhole(t);
    rmSync(join(place.paths.hostKeys, 'ssh_host_ecdsa_key'));
    const [finding] = await complaints(place);
    assert.deepEqual([finding!.level, finding!.check], ['wrong', 'host_keys']);
    assert.match(finding!.message, /ssh_host_ecdsa_key missing/);
  });

  test('a rotation of host keys that was left half done', async (t) => {
    const { place } = await openWhole(t);
    const next = await addHostKey(place, { type: 'ssh-ed25519' });
    assert.deepEqual(await complaints(place), []);
    const later = { now: () => place.now() + 91 * dayMs };
    const ofHostKeys = async () => (await complaints(place, later)).filter(({ check }) => check === 'host_keys');
    assert.match((await ofHostKeys())[0]!.message, /^announced for 91 days: .*activate SHA256/);
    await activateAnnounced(place, next.fingerprint);
    await assert.rejects(activateAnnounced(place, next.fingerprint), { code: 'refused', message: /active already/ });
    const [retired, ...more] = await ofHostKeys();
    assert.deepEqual([retired!.level, more], ['warning', []]);
    const old = /remove (SHA256:[^"]+)/.exec(retired!.message)![1]!;
    const third = await addHostKey(place, { type: 'ssh-ed25519' });
    await assert.rejects(activateAnnounced(place, third.fingerprint), {
      code: 'refused',
      message: /remove the retired key of this type first/,
    });
    await removeInactive(place, old);
    await removeInactive(place, third.fingerprint);
    await assert.rejects(removeInactive(place, next.fingerprint), { code: 'refused', message: /is active/ });
    const moved = await addHostKey(place, { text: newKeyPair('rsa').private });
    await activateAnnounced(place, moved.fingerprint);
    await removeInactive(place, moved.fingerprint);
    assert.deepEqual(await ofHostKeys(), []);
    const told = await place.control.read('audit').where('action', 'like', 'hostkey.%').orderBy('id');
    assert.deepEqual(
      told.map(({ action }) => action.slice(8)),
      ['added', 'activated', 'added', 'removed', 'removed', 'added', 'activated', 'removed'],
    );
  });

  test('no usable key, a key that expires soon, an owner who is gone', async (t) => {
    const { place } = await openWhole(t);
    await place.control.write('login_keys').update({ expires_at: place.now() + 5 * dayMs });
    assert.match((await complaints(place))[0]!.message, /expires at/);
    await place.control.write('login_keys').update({ expires_at: place.now() - 1 });
    assert.match((await complaints(place))[0]!.message, /no key can log in: dropslot keys add acme/);
    await updateOrg(place.control.write, 'acme', { ownerEmail: 'gone@acme.test', enabled: false });
    const [finding, ...more] = await complaints(place);
    assert.deepEqual([finding!.level, more], ['wrong', []]);
    assert.match(finding!.message, /owner is not in the directory/);
  });

  test('an old key that is still used, one that nobody ever used, and a folder of keys that is not applied', async (t) => {
    const { place } = await openWhole(t);
    const old = place.now() - 40 * dayMs;
    const [unused, replaced] = [newKeyPair(), newKeyPair()];
    await allowKey(place.control, 'acme', unused, { createdAt: old });
    await allowKey(place.control, 'acme', replaced, { createdAt: old, expiresAt: place.now() + dayMs });
    const use = { at: place.now(), address: '192.0.2.7', client: 'WinSCP_6' };
    await touchLoginKey(place.control.write, 'acme', replaced.public.fingerprint, use);
    const end = { replacedBy: unused.public.fingerprint, replacedAt: place.now() - dayMs };
    await updateLoginKey(place.control.write, 'acme', replaced.public.fingerprint, end);
    mkdirSync(join(place.paths.loginKeys, 'acme'), { recursive: true });
    mkdirSync(join(place.paths.loginKeys, 'nobody'));
    const { algorithm, publicKey } = newKeyPair().public;
    writeFileSync(join(place.paths.loginKeys, 'acme', 'hr.pub'), `${algorithm} ${publicKey}\n`);
    writeFileSync(join(place.paths.loginKeys, 'acme', 'cut.pub'), `${algorithm} ${publicKey.slice(0, 20)}\n`);
    chmodSync(join(place.paths.loginKeys, 'acme'), 0o777);
    await until(
      async () => (await complaints(place)).some(({ message }) => /not applied: 1;/.test(message)),
      'a settled file',
      30_000,
    );
    const said = (await complaints(place))
      .map(({ check, level, message }) => `${check} ${level} ${message}`)
      .join('\n');
    assert.match(
      said,
      /organization warning SHA256:\S+ was replaced and is still used: last at .* from 192\.0\.2\.7 by WinSCP_6/,
    );
    assert.match(said, /organization warning the key SHA256:\S+ was never used since/);
    assert.match(said, /login_keys wrong line 1: the key is cut short/);
    assert.match(said, /login_keys wrong there is no organization "nobody"/);
    assert.equal(
      said.match(/login_keys warning any user of this machine can add a login key there: chmod o-w \S*keys\.d\/acme$/gm)
        ?.length,
      1,
    );
    assert.match(said, /login_keys warning changes that are not applied: 1; is "dropslot serve" running\?/);
  });

  test('files that wait too long, runs that nobody works on, a run that failed', async (t) => {
    const { acme, place } = await openWhole(t);
    acme.clock = place.now() - 2 * dayMs;
    await acme.drop('/late.csv', 'User Email\n');
    const id = await openManualRun(place.control.write, 'acme', place.now() - dayMs);
    const messages = (await complaints(place)).map((finding) => finding.message);
    assert.equal(messages.length, 2);
    assert.match(messages[0]!, /files have waited since/);
    assert.match(messages[1]!, new RegExp(`run ${id} waits since`));
    await place.control.write('runs').where({ id }).update({ state: 'failed', failure: 'the disk was full' });
    assert.ok((await complaints(place)).some((finding) => finding.message === `run ${id} failed: the disk was full`));
  });

  test('a directory without its organization: one database was restored without the other', async (t) => {
    const { place } = await openWhole(t);
    await place.directory.write('org_versions').insert({ org_id: 'ghost', version: 3 });
    const [finding] = await complaints(place);
    assert.deepEqual([finding!.level, finding!.subject], ['warning', 'ghost']);
  });
});

/** Rotating and destroying identities, and the master key, beside uploads and imports that go on. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Encrypter, generateX25519Identity } from 'age-encryption';
import { createSilentLogger } from '../../config/logger.js';
import type { Settings } from '../../config/settings.js';
import type { Db, Queryable } from '../../db/connection.js';
import { listAudit } from '../../db/control/audit.js';
import { claimRun, findRun, openManualRun, type Run } from '../../db/control/runs.js';
import { workNext } from '../../importer/run/worker.js';
import { createIntake } from '../../intake/intake.js';
import { loadMaster, splitMaster } from '../../keys/master/master.js';
import { openOrgIdentity } from '../../keys/master/orgidentity.js';
import type { ExamineOptions } from '../../operations/doctor/examine.js';
import { destroyIdentity, viewIdentities } from '../../operations/identity.js';
import { type RotationStep, rotateIdentity } from '../../operations/identityrotation.js';
import { rotateMaster } from '../../operations/masterkey.js';
import type { Workplace } from '../../operations/workplace.js';
import { blobPath, openBlob } from '../../storage/blobs.js';
import { type Disk, systemDisk } from '../../storage/disk.js';
import { recoverUnsynced } from '../../storage/unsynced.js';
import { Company, csv } from '../support/company.js';
import { onBothInLongTests, openFresh } from '../support/databases.js';
import { replacing, sender } from '../support/intake.js';
import { beforeStatement } from '../support/interleave.js';
import { temporaryFolder } from '../support/temporary.js';
import { examine, workplaceOn } from '../support/workplace.js';

const users = csv('User Email', 'ann@acme.test');

onBothInLongTests('keys', (open) => {
  async function openFiles(t: TestContext, change: Partial<Settings> = {}) {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, { ...acme.databases.settings, ...change });
    for (const name of ['a', 'b', 'c']) await acme.drop(`/${name}.csv`, `${name}${users}`);
    const intake = createIntake({ ...place, logger: createSilentLogger() }).forSender(acme.org, sender);
    return { acme, place, intake };
  }

  /** Every blob opens with the organization's newest identity alone, and its row has its size and its key. */
  async function assertSealedTo(place: Workplace): Promise<void> {
    const [identity] = (await place.identity(await place.org('acme'))).split('\n');
    for (const row of await place.control.read('blobs').select('id', 'sealed_size', 'sealed_to')) {
      const reader = await openBlob(place.paths, row.id, identity!);
      await reader.close();
      assert.equal(readFileSync(blobPath(place.paths, row.id)).length, row.sealed_size);
    }
    assert.equal((await place.control.read('blobs').distinct('sealed_to')).length, 1);
  }

  async function wrongs(place: Workplace, options: ExamineOptions = {}): Promise<string[]> {
    const findings = await examine(place.settings, options); // the samples' clock stands still: their queue looks old
    return findings
      .filter(
        ({ level, check, message }) => level === 'wrong' && check !== 'host_keys' && !/files have waited/.test(message),
      )
      .map(({ message }) => message);
  }

  for (const recipientType of ['x25519', 'hybrid'] as const)
    test(`rotated to ${recipientType}: every file opens with the new identity, and with no other`, async (t) => {
      const { acme, place } = await openFiles(t, { recipientType });
      const before = await place.org('acme');
      const rotation = await rotateIdentity(place, 'acme', { waitMs: 0, batchFiles: 2 });
      assert.deepEqual([rotation.isFinished, rotation.rewrapped], [true, 3]);
      const after = await place.org('acme');
      assert.notEqual(after.recipient, before.recipient);
      assert.equal(after.recipient.startsWith('age1pq1'), recipientType === 'hybrid');
      assert.deepEqual(after.oldIdentities, []);
      await assertSealedTo(place);
      assert.equal(await acme.read('/a.csv'), `a${users}`);
      assert.deepEqual(await wrongs(place), []);
      const [view] = await viewIdentities(place, 'acme');
      assert.deepEqual([view!.type, view!.state, view!.filesToRewrap], [recipientType, 'whole', 0]);
      const actions = (await listAudit(place.control.read, 'acme')).map(({ action }) => action);
      assert.deepEqual(actions, [...Array(3).fill('upload.closed'), 'identity.rotation_begun', 'identity.rotated']);
      assert.equal((await acme.import()).files.length, 3);
    });

  test('with several servers one at a time changes keys', async (t) => {
    const { place } = await openFiles(t);
    if (place.control.dialect !== 'postgres') return; // one folder, one lock
    const { masterKey } = place.secrets;
    const other = await workplaceOn(t, { ...place.settings, data: temporaryFolder(t), masterKey });
    const rotation = await rotateIdentity(place, 'acme', {
      waitMs: 0,
      onStep: async (step) => {
        if (step !== 'begun') return;
        const refused = { code: 'refused', message: /a command on another server changes keys/ };
        await assert.rejects(rotateIdentity(other, 'acme', { waitMs: 0 }), refused);
        await assert.rejects(rotateMaster(other), refused);
        await assert.rejects(destroyIdentity(other, 'acme'), refused);
      },
    });
    assert.equal(rotation.isFinished, true);
    await assertSealedTo(place);
    await destroyIdentity(other, 'acme');
  });

  test('a rotation ends where its claim was lost with its connection, and is repeated', async (t) => {
    const { place } = await openFiles(t);
    if (place.control.dialect !== 'postgres') return;
    const lose = () =>
      place.control.read.raw(
        `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
    const losing = { waitMs: 0, onStep: async (step: RotationStep) => void (step === 'begun' && (await lose())) };
    await assert.rejects(rotateIdentity(place, 'acme', losing), { code: 'conflict' });
    assert.equal((await rotateIdentity(place, 'acme', { waitMs: 0 })).isFinished, true);
    await assertSealedTo(place);
  });

  test('a server that starts amid a rotation, and writes a small file anew, never takes its new header away', async (t) => {
    const { acme, place } = await openFiles(t);
    const { control, paths } = place;
    const rotating = await workplaceOn(t, acme.databases.settings);
    const ids: string[] = await control.read('blobs').pluck('id');
    for (const id of ids)
      await control.write('unsynced_blobs').insert({ id, bytes: readFileSync(blobPath(paths, id)), boot: 'this-boot' });
    // It has read the first file, and is about to write it anew, when the rotation begins.
    let rotation: ReturnType<typeof rotateIdentity> | null = null;
    const disk: Disk = {
      ...systemDisk,
      create: async (path) => {
        rotation ??= rotateIdentity(rotating, 'acme', { waitMs: 0 });
        await Promise.race([rotation, new Promise((resolve) => setTimeout(resolve, 2_000))]);
        return systemDisk.create(path);
      },
    };
    const commit = (work: (tx: Queryable) => Promise<void>) => control.transact(work);
    assert.equal(await recoverUnsynced({ control, paths, disk, commit }, true), 0);
    assert.equal((await rotation!).isFinished, true);
    await assertSealedTo(place);
    assert.deepEqual(await control.read('unsynced_blobs').pluck('id'), []);
  });

  test('an upload that goes on keeps the old identity until it is closed, and is rewrapped then', async (t) => {
    const { acme, place, intake } = await openFiles(t);
    const upload = await intake.begin('/late.csv', replacing);
    await upload.write(0, Buffer.from(`late${users}`));
    await upload.sync();
    const first = await rotateIdentity(place, 'acme', { waitMs: 0 });
    assert.deepEqual([first.isFinished, first.left.uploads, first.rewrapped], [false, 1, 3]);
    assert.deepEqual((await viewIdentities(place, 'acme'))[0]!.state, 'rotating');
    await intake.begin('/new.csv', replacing).then((other) => other.finish());
    await upload.finish();
    assert.equal(await acme.read('/late.csv'), `late${users}`);
    const second = await rotateIdentity(place, 'acme', { waitMs: 0 });
    assert.deepEqual([second.isFinished, second.rewrapped, second.recipient], [true, 1, first.recipient]);
    await assertSealedTo(place);
    assert.equal(await acme.read('/late.csv'), `late${users}`);
  });

  test('a small upload that goes on, and is in memory alone, keeps the old identity too', async (t) => {
    const { acme, place } = await openFiles(t);
    const service = createIntake({ ...place, logger: createSilentLogger(), boot: 'this-boot' });
    const upload = await service.forSender(acme.org, sender).begin('/late.csv', replacing);
    await upload.write(0, Buffer.from(`late${users}`));
    const first = await rotateIdentity(place, 'acme', { waitMs: 1_500 });
    assert.deepEqual([first.isFinished, first.left.uploads], [false, 1]);
    await upload.finish();
    const second = await rotateIdentity(place, 'acme', { waitMs: 0 });
    assert.deepEqual([second.isFinished, second.rewrapped], [true, 1]);
    await assertSealedTo(place);
    assert.equal(await acme.read('/late.csv'), `late${users}`);
    await service.abortAll();
  });

  test('no row of a small file that is not synced yet has the old header at the end', async (t) => {
    const { place } = await openFiles(t);
    const ids: string[] = await place.control.read('blobs').pluck('id');
    for (const id of ids)
      await place.control
        .write('unsynced_blobs')
        .insert({ id, bytes: readFileSync(blobPath(place.paths, id)), boot: 'this-boot' });
    const rotation = await rotateIdentity(place, 'acme', { waitMs: 0 });
    assert.deepEqual([rotation.isFinished, rotation.rewrapped], [true, 3]);
    assert.deepEqual(await place.control.read('unsynced_blobs').pluck('id'), []);
    await assertSealedTo(place);
  });

  test('a small file with the new header, of which a sync of the server may have failed, is written anew', async (t) => {
    const { acme, place, intake } = await openFiles(t);
    const upload = await intake.begin('/late.csv', replacing);
    await upload.write(0, Buffer.from(`late${users}`));
    await upload.sync();
    assert.equal((await rotateIdentity(place, 'acme', { waitMs: 0 })).isFinished, false);
    await upload.finish();
    await acme.drop('/new.csv', `new${users}`);
    const entry = await place.control.read('entries').where({ name: 'new.csv' }).first('blob_id');
    const path = blobPath(place.paths, entry.blob_id);
    const [before, bytes] = [statSync(path).ino, readFileSync(path)];
    await place.control.write('unsynced_blobs').insert({ id: entry.blob_id, bytes, boot: 'this-boot' });
    const second = await rotateIdentity(place, 'acme', { waitMs: 0 });
    assert.deepEqual([second.isFinished, second.rewrapped], [true, 1]);
    assert.notEqual(statSync(path).ino, before);
    assert.deepEqual(readFileSync(path), bytes);
    await assertSealedTo(place);
  });

  test('an upload that is closed when its identity is gone is refused, and nothing of it is queued', async (t) => {
    const { place, intake } = await openFiles(t);
    const upload = await intake.begin('/late.csv', replacing);
    await upload.write(0, Buffer.from('late'));
    for (const name of readdirSync(place.paths.partials)) {
      // As an upload on a machine whose folder of partials is not ours.
      rmSync(join(place.paths.partials, name));
    }
    assert.equal((await rotateIdentity(place, 'acme', { waitMs: 0 })).isFinished, true);
    await assert.rejects(upload.finish(), { name: 'SpaceError', code: 'failed' });
    assert.equal((await place.control.read('uploads').where({ path: '/late.csv' })).length, 0);
    assert.deepEqual(await wrongs(place), []);
  });

  test('a run that goes on keeps the old identity until it is over', async (t) => {
    const { acme, place } = await openFiles(t);
    const id = await openManualRun(acme.deps.control.write, 'acme', acme.clock);
    let rotation: Awaited<ReturnType<typeof rotateIdentity>> | undefined;
    const onStep = async (step: string) => {
      if (step === 'claimed') rotation = await rotateIdentity(place, 'acme', { waitMs: 0 });
    };
    assert.equal(await workNext({ ...acme.deps, onStep }), 'ended');
    assert.deepEqual([rotation!.isFinished, rotation!.left.runs], [false, 1]);
    assert.equal((await findRun(place.control.read, id))!.state, 'done');
    assert.equal((await rotateIdentity(place, 'acme', { waitMs: 0 })).isFinished, true);
    await assertSealedTo(place);
    assert.deepEqual(await wrongs(place), []);
  });

  test('files that come and go meanwhile', async (t) => {
    const { acme, place, intake } = await openFiles(t);
    const steps: RotationStep[] = [];
    const rotation = await rotateIdentity(place, 'acme', {
      waitMs: 5000,
      batchFiles: 1,
      onStep: async (step) => {
        steps.push(step);
        // The file is removed between the copy of its bytes and their new name, which brings it back.
        if (step === 'written' && steps.filter((one) => one === 'written').length === 1) await intake.remove('/a.csv');
        if (step === 'proven' && steps.filter((one) => one === 'proven').length === 1)
          await acme.drop('/old.csv', 'closed in the last moment, sealed to the old recipient');
      },
    });
    assert.equal(rotation.isFinished, true);
    assert.equal(await acme.read('/old.csv'), 'closed in the last moment, sealed to the old recipient');
    const live = await place.control.read('entries').whereNotNull('blob_id').select('blob_id');
    const files = readdirSync(place.paths.blobs).flatMap((folder) => readdirSync(join(place.paths.blobs, folder)));
    assert.deepEqual(files.sort(), live.map((row) => row.blob_id).sort());
  });

  test('a file that is missing keeps the old identity, for the day it is restored', async (t) => {
    const { acme, place } = await openFiles(t);
    const [row] = await place.control.read('blobs').select('id').limit(1);
    const path = blobPath(place.paths, row.id);
    const backup = readFileSync(path);
    rmSync(path);
    const first = await rotateIdentity(place, 'acme', { waitMs: 0 });
    assert.deepEqual([first.isFinished, first.rewrapped, first.left.missing], [false, 2, [row.id]]);
    writeFileSync(path, backup);
    assert.equal((await rotateIdentity(place, 'acme', { waitMs: 0 })).isFinished, true);
    for (const name of ['a', 'b', 'c']) assert.equal(await acme.read(`/${name}.csv`), `${name}${users}`);
  });

  test('destroyed: reads and uploads are refused, the queue is empty, no trace is left; a new identity begins anew', async (t) => {
    const { acme, place, intake } = await openFiles(t);
    const { sealedIdentity } = await place.org('acme');
    const upload = await intake.begin('/late.csv', replacing);
    await intake.begin('/stored.csv.part', replacing).then((other) => other.finish());
    const destroyed = await destroyIdentity(place, 'acme');
    assert.deepEqual([destroyed.filesLost, destroyed.withdrawn, destroyed.isErased], [4, 4, true]);
    await intake.rename('/stored.csv.part', '/stored.csv', false);
    const space = await place.space(acme.org);
    await assert.rejects(space.openRead('/a.csv'), { name: 'SpaceError', code: 'destroyed' });
    await assert.rejects(upload.finish(), { name: 'SpaceError', code: 'destroyed' });
    await assert.rejects(intake.begin('/x.csv', replacing), { name: 'SpaceError', code: 'destroyed' });
    await assert.rejects(destroyIdentity(place, 'acme'), { code: 'refused' });
    assert.equal((await acme.import()).files.length, 0);
    const warnings = (await examine(place.settings)).filter(({ subject }) => subject === 'acme');
    assert.match(
      warnings.map(({ message }) => message).join(),
      /was destroyed: 4 of its files can no longer be opened/,
    );
    const secret = sealedIdentity!.split('\n')[5]!;
    for (const name of readdirSync(place.paths.data).filter((one) => one.startsWith('control.db')))
      assert.equal(readFileSync(join(place.paths.data, name)).includes(secret), false, name);

    assert.equal((await rotateIdentity(place, 'acme', { waitMs: 0 })).isFinished, true);
    await intake.begin('/x.csv', replacing).then((other) => other.finish());
    assert.equal(await acme.read('/x.csv'), '');
    await assert.rejects(space.openRead('/a.csv'), { name: 'SpaceError', code: 'destroyed' });
    assert.equal((await viewIdentities(place, 'acme'))[0]!.filesLost, 4);
    assert.deepEqual(await wrongs(place, { deep: true }), [], 'lost is not damaged');
    assert.equal((await rotateIdentity(place, 'acme', { waitMs: 0 })).rewrapped, 1);
  });

  test('the master key: every identity is sealed anew, beside a server that read the old one', async (t) => {
    const { acme, place } = await openFiles(t);
    await acme.read('/a.csv');
    const old = await place.master();
    const rotation = await rotateMaster(place);
    assert.deepEqual([rotation.resealed, rotation.isOldKeyPresent, rotation.isErased], [1, false, true]);
    const latest = await loadMaster(place.paths);
    assert.equal(latest.recipient, rotation.recipient);
    const org = await place.org('acme');
    await openOrgIdentity(latest, org);
    await assert.rejects(openOrgIdentity(old, org), { code: 'refused' });
    assert.equal(await acme.read('/a.csv'), `a${users}`);
    const [kept] = rotation.oldKeyFiles;
    assert.equal((await loadMaster({ masterKey: kept! })).identity, old.identity);
    assert.deepEqual(await wrongs(place), []);
    assert.notEqual((await rotateMaster(place)).recipient, rotation.recipient);
  });

  test('a master key that comes from elsewhere: the operator puts the new one before the old one', async (t) => {
    const { place } = await openFiles(t);
    const credentials = join(place.paths.data, 'credentials.d');
    const settings = { ...place.settings, masterKey: 'credential:master', credentials };
    mkdirSync(credentials);
    const text = readFileSync(place.paths.masterKey, 'utf8');
    writeFileSync(join(credentials, 'master'), text);
    const other = await workplaceOn(t, settings);
    await assert.rejects(rotateMaster(other), { code: 'refused', message: /put a new identity .* before the old one/ });
    writeFileSync(join(credentials, 'master'), `${await generateX25519Identity()}\n${text}`);
    const rotation = await rotateMaster(other);
    assert.deepEqual([rotation.resealed, rotation.oldKeyFiles, rotation.isOldKeyPresent], [1, [], true]);
    assert.equal(existsSync(`${join(credentials, 'master')}.old`), false);
    const [newest] = await splitMaster(await loadMaster(other.paths));
    await openOrgIdentity(newest!, await other.org('acme'));
    assert.equal((await rotateMaster(other)).resealed, 0);
  });

  test('the doctor tells a master key that lies beside what it opens, and one that a passphrase protects', async (t) => {
    const { place } = await openFiles(t);
    const about = async (change: Partial<Settings>) => {
      const findings = await examine({ ...place.settings, ...change });
      return findings.filter(({ check }) => check === 'master_key').map(({ level, message }) => `${level}: ${message}`);
    };
    const master = await place.master();
    assert.deepEqual(await about({}), [
      `ok: opens ${master.recipient}`,
      'warning: is on the same volume as the sealed files: a copy of that volume can be opened; move the key to another volume',
    ]);
    const encrypter = new Encrypter();
    encrypter.setScryptWorkFactor(4);
    encrypter.setPassphrase('secret');
    const masterKey = join(place.paths.data, 'protected');
    writeFileSync(masterKey, await encrypter.encrypt(master.identity), { mode: 0o600 });
    const passphrase = join(place.paths.data, 'passphrase');
    writeFileSync(passphrase, 'secret', { mode: 0o644 });
    assert.deepEqual(await about({ masterKey, masterKeyPassphraseFile: passphrase }), [
      `ok: opens ${master.recipient}`,
      `wrong: others may read it (mode 644): chmod 600 ${passphrase}`,
      'warning: is on the same volume as its passphrase and the sealed files: a copy of that volume can be opened; move the passphrase to another volume',
    ]);
    const source = openSync(place.paths.masterKey, 'r');
    const told = openSync(passphrase, 'r');
    assert.deepEqual(await about({ masterKey: `fd:${source}` }), [`ok: opens ${master.recipient}`]);
    assert.deepEqual(await about({ masterKey, masterKeyPassphraseFile: `fd:${told}` }), [
      `ok: opens ${master.recipient}`,
    ]);
    assert.match((await about({ masterKey: 'credential:master' })).join(), /^wrong: .*LoadCredential=/);
  });
});

test('an identity is not destroyed while an importer takes a run, and none takes one meanwhile (postgres)', async (t) => {
  const acme = await Company.open((scope) => openFresh(scope, 'postgres'), t);
  await acme.import({ 'users.csv': users });
  await acme.drop('/more.csv', users);
  const { control } = acme.databases;
  const id = await openManualRun(control.write, 'acme', acme.clock);
  const place = await workplaceOn(t, acme.databases.settings);
  // As a claim that is not committed yet.
  const destroying = control.transact(async (tx) => {
    await tx('runs').where({ id }).forUpdate();
    await destroyIdentity(place, 'acme');
  });
  await assert.rejects(destroying, /an import of acme is in progress/);

  let claimed: Run | null | undefined;
  const claim = async () => {
    claimed = await claimRun(control.write, 'other', acme.clock, 60_000);
  };
  const transact: Db['transact'] = (work) =>
    place.control.transact((tx) => work(beforeStatement(tx, 3, claim) as typeof tx));
  const destroyed = await destroyIdentity({ ...place, control: { ...place.control, transact } }, 'acme');
  assert.deepEqual([destroyed.withdrawn, claimed], [1, null]);
  assert.deepEqual(await control.read('uploads').whereIn('state', ['queued', 'running']), []);
});

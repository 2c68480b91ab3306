/** Scheduled backups on an SFTP server: an OpenSSH sshd, which is cut at each step, and one without extensions. */
import assert from 'node:assert/strict';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readBackupSchedule } from '../../db/control/backupschedule.js';
import { listQueue } from '../../db/control/uploads.js';
import { makeBackupNow } from '../../operations/backup/schedule.js';
import { noteMade } from '../support/backupclaim.js';
import { openBackupServer } from '../support/backupserver.js';
import { csv } from '../support/company.js';
import { kill, missingSshd, newKey } from '../support/sshd.js';
import { examine } from '../support/workplace.js';

const skip = missingSshd();
/** Paths of sealed files below the folder, with the inode of each. */
function inodes(folder: string): Map<string, number> {
  const names = readdirSync(join(folder, 'blobs'), { recursive: true, encoding: 'utf8' });
  return new Map(
    names.filter((name) => name.includes('/')).map((name) => [name, statSync(join(folder, 'blobs', name)).ino]),
  );
}

test('backups on a server share files, each can be restored, and the oldest are removed', { skip }, async (t) => {
  const { acme, settings, place, root, back, requireWhole } = await openBackupServer(t, { backupKeep: 2 });
  const first = await back();
  assert.equal(first.folder, `${settings.backupTo}/2026-01-31T03-00-00Z`);
  assert.equal(first.newFiles, first.files);
  const manifest = JSON.parse(readFileSync(join(root, '2026-01-31T03-00-00Z', 'backup.json'), 'utf8'));
  assert.deepEqual([manifest.folder, manifest.files, manifest.masterKey], [first.folder, first.files, 'left out']);
  assert.equal(await requireWhole('2026-01-31T03-00-00Z'), first.files);
  await acme.drop('/more.csv', csv('User Email', 'bob@acme.test'));
  const second = await back();
  assert.deepEqual([second.newFiles, second.files], [1, first.files + 1]);
  const after = inodes(join(root, '2026-01-31T04-00-00Z'));
  for (const [name, inode] of inodes(join(root, '2026-01-31T03-00-00Z'))) assert.equal(after.get(name), inode, name);
  // A folder of another installation, and one of a person.
  mkdirSync(join(root, '2020-01-01T00-00-00Z'));
  writeFileSync(join(root, '2020-01-01T00-00-00Z', 'backup.json'), '{"installation":"another"}');
  mkdirSync(join(root, 'notes'));
  assert.deepEqual((await back()).removedBackups, [first.folder]);
  assert.deepEqual(readdirSync(root).sort(), [
    '2020-01-01T00-00-00Z',
    '2026-01-31T04-00-00Z',
    '2026-01-31T05-00-00Z',
    'notes',
  ]);
  assert.deepEqual(readdirSync(place.paths.data).includes('outgoing'), false);
  // Without its volume nothing is written.
  await noteMade(place.control, 1, second.folder);
  renameSync(root, `${root}.away`);
  await assert.rejects(back(), /\(backupTo\) is gone: is the volume of that server mounted\?/);
});

test('a backup that is cut at any step is no backup, and the next one continues', { skip }, async (t) => {
  const { acme, root, back, requireWhole } = await openBackupServer(t, { backupKeep: 1 });
  let changes = 0;
  await back({ onChange: () => changes++ });
  for (let file = 0; file < 3; file++) await acme.drop(`/more${file}.csv`, csv('User Email', `u${file}@acme.test`));
  const step = Number(process.env.CUT_STEP ?? 9);
  let cuts = 0;
  for (let cut = 1; ; cut += step) {
    let left = cut;
    const isComplete = await back({
      onChange: () => {
        if (--left === 0) throw new Error('cut');
      },
    }).then(
      () => true,
      () => false,
    );
    if (isComplete) break;
    cuts++;
    const complete = readdirSync(root).filter((name) => name.startsWith('2026'));
    // The cut may be in the removal of the older one, when the new one is complete.
    assert.ok(complete.length > 0 && complete.length <= 2, complete.join());
    for (const name of complete) assert.ok(readdirSync(join(root, name)).includes('backup.json'), name);
  }
  assert.ok(cuts > 3, `${cuts} cuts`);
  const { files, newFiles, folder } = await back();
  assert.equal(newFiles, 0);
  assert.equal(await requireWhole(folder.split('/').at(-1)!), files);
  assert.deepEqual(readdirSync(root), [folder.split('/').at(-1)]);
});

test('a connection that ends, a changed host key and a refused key are told; the next backup is whole', {
  skip,
}, async (t) => {
  const { place, settings, sshd, root, back } = await openBackupServer(t);
  let left = 12;
  const ending = back({
    onChange: () => {
      if (--left === 0) for (const pid of sshd.sessions()) kill(pid);
    },
  });
  await assert.rejects(ending, /backupTo: can't .* \(the server 127.0.0.1 ended the connection\)|the connection to/);
  const backupHostKey = `SHA256:${'A'.repeat(43)}`;
  await assert.rejects(
    back({}, { backupHostKey }),
    /shows the host key SHA256:.* which is not the confirmed one: ask who runs that server; .* set backupHostKey/,
  );
  const other = join(root, '..', 'other');
  newKey(other);
  await assert.rejects(back({}, { backupKey: other }), /does not accept the user name with this key/);
  await assert.rejects(back({}, { backupKey: `${other}.pub` }), /is not a private key without a passphrase/);
  await assert.rejects(back({}, { backupKey: `${other}.none` }), /backupKey: .* there is no such file/);
  const at = { ...place, settings: { ...settings, backupKey: other } };
  await assert.rejects(
    makeBackupNow(at, () => {}),
    /does not accept/,
  );
  assert.match((await readBackupSchedule(place.control.read)).failure!, /does not accept/);
  const found = (await examine(settings)).filter(({ check }) => check === 'backups').map(({ message }) => message);
  assert.match(found.join('\n'), /the last scheduled backup failed at .*: backupTo: .*\n.*on the same volume/);
  const { folder } = await makeBackupNow(place, () => {});
  const state = await readBackupSchedule(place.control.read);
  assert.deepEqual([state.folder, state.failure], [folder, null]);
});

test('bytes that the server does not return as they were sent are no backup', { skip }, async (t) => {
  const { root, back } = await openBackupServer(t);
  const { folder } = await back();
  const { installation } = JSON.parse(readFileSync(join(root, folder.split('/').at(-1)!, 'backup.json'), 'utf8'));
  const begun = join(root, `in-progress-${installation.slice(0, 8)}`);
  mkdirSync(begun);
  symlinkSync('/dev/null', join(begun, 'control.db.new'));
  await assert.rejects(back(), /did not return the bytes of .*control\.db as it got them: examine its disk/);
  assert.equal(readdirSync(root).length, 2);
});

test('a damaged file is reported by each later backup', { skip }, async (t) => {
  const { acme, place, root, back } = await openBackupServer(t, { backupKeep: 1 });
  const whole = await back();
  await acme.drop('/late.csv', csv('User Email', 'late@acme.test'));
  const [late] = await listQueue(place.control.read, 'acme');
  await acme.damage(late!.blobId);
  for (const _round of [1, 2]) assert.match((await back()).wrong.join(), new RegExp(`${late!.blobId} of acme`));
  assert.ok(readdirSync(root).includes(whole.folder.split('/').at(-1)!));
});

test('a server without extensions, links and times gets all files each time', { skip }, async (t) => {
  const { root, back, requireWhole } = await openBackupServer(t, {
    backupKeep: 1,
    subsystem: 'internal-sftp -P hardlink,fsync,posix-rename,setstat,fsetstat',
  });
  await back();
  const { files, newFiles, folder } = await back();
  assert.equal(newFiles, files);
  assert.equal(await requireWhole(folder.split('/').at(-1)!), files);
  assert.equal(readdirSync(root).length, 1);
  rmSync(root, { recursive: true });
});

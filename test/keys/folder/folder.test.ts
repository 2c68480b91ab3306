/** The folder of login keys that other programs fill, followed on both databases. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { listAudit } from '../../../db/control/audit.js';
import { findLoginKey, listLoginKeys, revokeLoginKey, updateLoginKey } from '../../../db/control/keys.js';
import { insertOrg } from '../../../db/control/orgs.js';
import { type FolderWatch, watchKeyFolder } from '../../../keys/folder/watch.js';
import { onBothDatabases, type TestDatabases } from '../../support/databases.js';
import { allowKey, type KeyPair, newKeyPair } from '../../support/keys.js';
import { sampleOrg } from '../../support/samples.js';
import { keepingLogger, until } from '../../support/session.js';
import { temporaryFolder } from '../../support/temporary.js';

const [one, two, three] = [newKeyPair(), newKeyPair(), newKeyPair()];
const lineOf = ({ public: { algorithm, publicKey } }: KeyPair, comment = 'hr') =>
  `${algorithm} ${publicKey} ${comment}\n`;

async function layTable(t: TestContext, open: (t: TestContext) => Promise<TestDatabases>) {
  const watches: FolderWatch[] = [];
  // Registered first, so that it runs before the database is closed.
  t.after(() => Promise.all(watches.map((watch) => watch.stop())));
  const { control } = await open(t);
  await insertOrg(control.write, sampleOrg('acme'));
  const root = join(temporaryFolder(t), 'keys.d');
  const { logger, lines } = keepingLogger();
  const begin = async (everyMs = 1000) => {
    const watch = await watchKeyFolder({ root, control, logger, now: Date.now, everyMs, restMs: 200 });
    watches.push(watch);
    return watch;
  };
  const usable = async (org = 'acme') =>
    (await listLoginKeys(control.read, org)).filter((key) => key.revokedAt === null).map((key) => key.fingerprint);
  const becomes = (pairs: KeyPair[], what: string, org = 'acme') =>
    until(
      async () =>
        (await usable(org)).sort().join() ===
        pairs
          .map((pair) => pair.public.fingerprint)
          .sort()
          .join(),
      what,
      30_000,
    );
  const says = (text: RegExp) => until(() => lines.some((line) => text.test(line)), String(text), 30_000);
  return { control, root, begin, becomes, says, usable, lines, at: (...names: string[]) => join(root, ...names) };
}

onBothDatabases('the folder of login keys', (open) => {
  test('a file that appears adds, one that changes replaces, one that goes revokes', async (t) => {
    const { control, at, begin, becomes } = await layTable(t, open);
    await allowKey(control, 'acme', three);
    mkdirSync(at('acme'), { recursive: true });
    writeFileSync(at('acme/hr.pub'), `from="192.0.2.0/24",expiry-time="29991231Z" ${lineOf(one)}`);
    const watch = await begin();
    await becomes([three, one], 'the key that was there at the start');
    const key = await findLoginKey(control.read, 'acme', one.public.fingerprint);
    assert.deepEqual(
      [key?.managedBy, key?.label, key?.sources, key?.expiresAt],
      ['acme/hr.pub', 'hr', ['192.0.2.0/24'], Date.UTC(2999, 11, 31)],
    );
    await updateLoginKey(control.write, 'acme', one.public.fingerprint, { permission: 'upload', notBefore: 7 });
    writeFileSync(at('acme/.new'), lineOf(two));
    renameSync(at('acme/.new'), at('acme/hr.pub'));
    await becomes([three, two], 'the renamed file');
    assert.equal((await findLoginKey(control.read, 'acme', one.public.fingerprint))?.revokedBy, 'folder');
    writeFileSync(at('acme/hr.pub'), `permission="upload-only" ${lineOf(two, 'other')}`);
    const changed = async () =>
      (await findLoginKey(control.read, 'acme', two.public.fingerprint))?.permission === 'upload';
    await until(changed, 'the terms', 30_000);
    // Back again, while nobody watches; and what a command has given is none of its business.
    await watch.stop();
    unlinkSync(at('acme/hr.pub'));
    writeFileSync(at('acme/again.pub'), lineOf(one) + lineOf(three));
    await begin();
    await becomes([three, one], 'the changes of the meantime');
    const returned = await findLoginKey(control.read, 'acme', one.public.fingerprint);
    assert.deepEqual([returned?.permission, returned?.notBefore, returned?.sources], ['upload', 7, []]);
    assert.equal((await findLoginKey(control.read, 'acme', three.public.fingerprint))?.managedBy, null);
    rmSync(at('acme'), { recursive: true });
    writeFileSync(at('README'), 'so that it does not look like a folder without its volume');
    await becomes([three], 'the folder of the organization removed');
    const trail = (await listAudit(control.read, 'acme')).map(({ action, subject }) => [action, subject]);
    assert.ok(trail.some(([action, subject]) => action === 'key.revoked' && subject === one.public.fingerprint));
  });

  test('what is broken or unknown is reported, and changes nothing', async (t) => {
    const { control, at, begin, becomes, says, usable, lines } = await layTable(t, open);
    mkdirSync(at('acme'), { recursive: true });
    mkdirSync(at('nobody'));
    writeFileSync(at('acme/hr.pub'), lineOf(one));
    writeFileSync(at('nobody/hr.pub'), lineOf(two));
    await begin();
    await becomes([one], 'the start');
    await says(/no organization \\"nobody\\"/);
    writeFileSync(at('acme/hr.pub'), 'ssh-ed25519 AAAA');
    await says(/acme\/hr\.pub.*cut short/);
    writeFileSync(at('acme/private.pub'), one.private);
    await says(/acme\/private\.pub.*consider it exposed/);
    execFileSync('mkfifo', [at('acme/pipe.pub')]);
    symlinkSync('/dev/zero', at('acme/endless.pub'));
    await says(/acme\/pipe\.pub.*is no file/);
    await says(/acme\/endless\.pub.*is no file/);
    assert.deepEqual(await usable(), [one.public.fingerprint]);
    writeFileSync(at('acme/hr.pub'), lineOf(two));
    await becomes([two], 'the mended file');
    assert.ok(!lines.some((line) => line.includes('PRIVATE KEY')), 'no key material in the log');
    // Its organization comes later.
    await insertOrg(control.write, sampleOrg('nobody'));
    await becomes([two], 'the organization that came later', 'nobody');
  });

  test('a folder without its volume, or gone, takes nobody away', async (t) => {
    const { root, at, begin, becomes, says, usable } = await layTable(t, open);
    mkdirSync(at('acme'), { recursive: true });
    writeFileSync(at('acme/hr.pub'), lineOf(one));
    await begin(100);
    await becomes([one], 'the start');
    renameSync(root, `${root}.away`);
    await says(/is absent: the 1 keys that came from it are kept/);
    mkdirSync(root);
    await says(/is empty: the 1 keys that came from it are kept/);
    assert.deepEqual(await usable(), [one.public.fingerprint]);
    // Mounted again, with another key.
    rmSync(root, { recursive: true });
    renameSync(`${root}.away`, root);
    writeFileSync(at('acme/hr.pub'), lineOf(two));
    await becomes([two], 'the volume that is back');
  });

  test('a key that a command revoked remains revoked, and one that is rotated out keeps its end', async (t) => {
    const { control, at, begin, becomes, says } = await layTable(t, open);
    mkdirSync(at('acme'), { recursive: true });
    writeFileSync(at('acme/hr.pub'), lineOf(one) + lineOf(two));
    await begin(100);
    await becomes([one, two], 'the start');
    await revokeLoginKey(control.write, 'acme', one.public.fingerprint, Date.now());
    await updateLoginKey(control.write, 'acme', two.public.fingerprint, {
      expiresAt: 5,
      replacedBy: 'x',
      replacedAt: 4,
    });
    await says(/revoked by a command, and remains revoked/);
    writeFileSync(at('acme/more.pub'), lineOf(three));
    await becomes([two, three], 'the next key');
    assert.equal((await findLoginKey(control.read, 'acme', two.public.fingerprint))?.expiresAt, 5);
  });

  test('secrets as Kubernetes mounts them: links to a folder that is swapped', async (t) => {
    const { at, begin, becomes } = await layTable(t, open);
    const put = (version: string, files: Record<string, string>) => {
      mkdirSync(at('acme', version), { recursive: true });
      for (const [name, content] of Object.entries(files)) {
        writeFileSync(at('acme', version, name), content);
        utimesSync(at('acme', version, name), 1e9, 1e9); // the same time and size as before
      }
      symlinkSync(version, at('acme', '..data_tmp'));
      renameSync(at('acme', '..data_tmp'), at('acme', '..data'));
    };
    put('..v1', { 'hr.pub': lineOf(one) });
    symlinkSync('..data/hr.pub', at('acme/hr.pub'));
    await begin(60_000);
    await becomes([one], 'the mount');
    put('..v2', { 'hr.pub': lineOf(two) });
    rmSync(at('acme/..v1'), { recursive: true });
    await becomes([two], 'the swap');
    put('..v3', {});
    unlinkSync(at('acme/hr.pub'));
    await becomes([], 'the removal');
  });
});

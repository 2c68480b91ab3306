/** An organization's tree as its sessions see it, on both databases. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { ensureFolders, findEntry, insertEntry } from '../../db/control/entries.js';
import { insertOrg, updateOrg } from '../../db/control/orgs.js';
import { KeyError } from '../../keys/error.js';
import { blobPath } from '../../storage/blobs.js';
import { openSpace } from '../../storage/space.js';
import { onBothDatabases } from '../support/databases.js';
import { openIntake, type TestIntake } from '../support/intake.js';
import { sampleOrg } from '../support/samples.js';

/** A file as the server puts it into a read-only folder. */
async function placeReport({ control, org, clock }: TestIntake, dir: string, name: string): Promise<void> {
  const row = { kind: 'file' as const, blobId: null, uploadId: null, size: 3, mode: 0o644 };
  const times = { mtimeMs: clock.now, atimeMs: clock.now, createdAt: clock.now };
  await control.transact(async (tx) => {
    assert.equal(await ensureFolders(tx, org.id, dir, clock.now), true);
    await insertEntry(tx, { org: org.id, dir, name, ...row, ...times });
  });
}

onBothDatabases('space', (open) => {
  test('a new tree has its root, its read-only folders and the one for dry runs', async (t) => {
    const { space, org } = await openIntake(t, await open(t));
    const root = await space.stat('/');
    assert.deepEqual([root.kind, root.path, root.writable, root.mtimeMs], ['dir', '/', true, org.createdAt]);
    const entries = await space.list('/', null, 100);
    assert.deepEqual(
      entries.map(({ name, kind, mode, writable }) => [name, kind, mode, writable]),
      [
        ['archive', 'dir', 0o555, false],
        ['dry-run', 'dir', 0o755, true],
        ['exports', 'dir', 0o555, false],
        ['reports', 'dir', 0o555, false],
        ['templates', 'dir', 0o555, false],
      ],
    );
    assert.deepEqual(await space.list('/templates', null, 100), []);
    await assert.rejects(space.stat('/none'), { name: 'SpaceError', code: 'not_found' });
    await assert.rejects(space.list('/none', null, 1), { code: 'not_found' });
    await assert.rejects(space.stat('/a//b'), { code: 'bad_name' });
  });

  test('a listing continues after a name, in the order of bytes, and shows each name once', async (t) => {
    const place = await openIntake(t, await open(t));
    const { space } = place;
    for (const name of ['b.csv', 'A.csv', 'a.csv', 'é.csv', 'zz.csv', 'report.csv', '\u{1F600}.csv'])
      await place.put(`/${name}`, 'x');
    await placeReport(place, '/archive/2026-01-31', 'users.csv');
    const all = (await space.list('/', null, 100)).map(({ name }) => name);
    const names = [
      'A.csv',
      'a.csv',
      'archive',
      'b.csv',
      'dry-run',
      'exports',
      'report.csv',
      'reports',
      'templates',
      'zz.csv',
      'é.csv',
      '\u{1F600}.csv',
    ];
    assert.deepEqual(all, names);
    for (const limit of [1, 2, 3]) {
      const paged: string[] = [];
      for (let after: string | null = null; ; after = paged.at(-1)!) {
        const page: string[] = (await space.list('/', after, limit)).map(({ name }) => name);
        if (page.length === 0) break;
        paged.push(...page);
      }
      assert.deepEqual(paged, names, `pages of ${limit}`);
    }
    await assert.rejects(space.list('/a.csv', null, 10), { code: 'not_a_folder' });
  });

  test('what the server put into a read-only folder is read, and never written', async (t) => {
    const place = await openIntake(t, await open(t));
    const { space } = place;
    await placeReport(place, '/reports/2026-01-31', 'users.report.csv');
    const file = await space.stat('/reports/2026-01-31/users.report.csv');
    assert.deepEqual([file.mode, file.writable, file.size], [0o444, false, 3]);
    const folder = await space.stat('/reports/2026-01-31');
    assert.deepEqual([folder.mode, folder.writable], [0o555, false]);
    assert.equal((await space.list('/reports', null, 10)).length, 1);
    for (const path of ['/reports', '/reports/2026-01-31', '/reports/2026-01-31/users.report.csv', '/archive']) {
      await assert.rejects(space.setAttributes(path, { mtimeMs: 1 }), { code: 'read_only' }, path);
      await assert.rejects(space.rmdir(path), { code: 'read_only' }, path);
    }
    await assert.rejects(space.mkdir('/archive/x', {}), { code: 'read_only' });
    await assert.rejects(space.mkdir('/archive', {}), { code: 'exists' });
    await assert.rejects(space.mkdir('/', {}), { code: 'exists' });
    await assert.rejects(space.rmdir('/'), { code: 'read_only' });
  });

  test('folders come and go', async (t) => {
    const place = await openIntake(t, await open(t));
    const { space, clock } = place;
    await space.mkdir('/in', { mode: 0o40700, mtimeMs: 5 });
    const folder = await space.stat('/in');
    assert.deepEqual([folder.mode, folder.mtimeMs, folder.atimeMs, folder.size], [0o700, 5, clock.now, 0]);
    await assert.rejects(space.mkdir('/in', {}), { code: 'exists' });
    await assert.rejects(space.mkdir('/none/in', {}), { code: 'not_found' });
    await space.mkdir('/in/deep', {});
    await place.put('/in/deep/users.csv', 'x');
    await assert.rejects(space.mkdir('/in/deep/users.csv/x', {}), { code: 'not_a_folder' });
    await assert.rejects(space.stat('/in/deep/users.csv/x'), { code: 'not_a_folder' });
    await assert.rejects(space.rmdir('/in'), { code: 'not_empty' });
    await assert.rejects(space.rmdir('/in/deep/users.csv'), { code: 'not_a_folder' });
    await assert.rejects(space.rmdir('/none'), { code: 'not_found' });
    await place.intake.remove('/in/deep/users.csv');
    await space.rmdir('/in/deep');
    await space.rmdir('/in');
    await assert.rejects(space.stat('/in'), { code: 'not_found' });
  });

  test('attributes are set by path, those that are given', async (t) => {
    const place = await openIntake(t, await open(t));
    const { space } = place;
    await place.put('/users.csv', 'x');
    await space.setAttributes('/users.csv', { mtimeMs: 1000 });
    await space.setAttributes('/users.csv', { mode: 0o100640 });
    await space.setAttributes('/users.csv', {});
    const { mode, mtimeMs, atimeMs } = await space.stat('/users.csv');
    assert.deepEqual([mode, mtimeMs, atimeMs], [0o640, 1000, place.clock.now]);
    await space.setAttributes('/', { mode: 0o700 });
    assert.equal((await space.stat('/')).mode, 0o755);
    await assert.rejects(space.setAttributes('/none', { mtimeMs: 1 }), { code: 'not_found' });
  });

  test('a file open for reading keeps its version', async (t) => {
    const place = await openIntake(t, await open(t));
    await place.put('/users.csv', 'first version');
    const reader = await place.space.openRead('/users.csv');
    await place.intake.remove('/users.csv');
    await place.put('/users.csv', 'second');
    assert.equal(reader.entry.size, 13);
    assert.equal((await reader.read(6, 100)).toString(), 'version');
    await reader.close();
    assert.equal(await place.get('/users.csv'), 'second');
    await assert.rejects(place.space.openRead('/none'), { code: 'not_found' });
    await assert.rejects(place.space.openRead('/archive'), { code: 'is_a_folder' });
    await assert.rejects(place.space.openRead('/'), { code: 'is_a_folder' });
  });

  test('checksums need no key, and what is taken of the quota is counted', async (t) => {
    const place = await openIntake(t, await open(t));
    const { control, paths, org, settings } = place;
    const { sha256 } = await place.put('/users.csv', 'content');
    await place.space.mkdir('/old', {});
    const reader = await place.space.openRead('/users.csv');
    await place.put('/users.csv', 'newer');
    assert.equal(await reader.checksum(), sha256);
    await reader.close();
    const identity = () => Promise.reject(new KeyError('missing', 'no master key'));
    const keyless = openSpace({ control, paths, settings, org, identity, now: () => 0 });
    assert.equal(await keyless.checksum('/users.csv'), createHash('sha256').update('newer').digest('hex'));
    await assert.rejects(keyless.checksum('/none'), { code: 'not_found' });
    await assert.rejects(keyless.checksum('/old'), { code: 'is_a_folder' });
    await updateOrg(control.write, org.id, { limits: { maxStoredBytes: 1000, maxFiles: 10 } });
    const superseded = 'content'.length;
    const files = ['/users.csv', '/old', '/archive', '/archive/2026-01-31', 'superseded', 'users.csv'].length;
    assert.deepEqual(await keyless.measure(), {
      maxStoredBytes: 1000,
      storedBytes: 5 + superseded,
      maxFiles: 10,
      files,
      maxNameBytes: settings.maxNameBytes,
    });
  });

  test('damage, and a key that is not there, are told apart', async (t) => {
    const place = await openIntake(t, await open(t));
    const { control, paths, org, settings } = place;
    await place.put('/users.csv', 'content');
    const { blobId } = (await findEntry(control.read, org.id, '/users.csv'))!;
    const identity = () => Promise.reject(new KeyError('missing', 'no master key'));
    const keyless = openSpace({ control, paths, settings, org, identity, now: () => 0 });
    await assert.rejects(keyless.openRead('/users.csv'), { code: 'failed', message: 'no master key' });
    writeFileSync(blobPath(paths, blobId!), 'not age');
    await assert.rejects(place.space.openRead('/users.csv'), { code: 'damaged' });
    rmSync(blobPath(paths, blobId!));
    await assert.rejects(place.space.openRead('/users.csv'), { code: 'damaged' });
  });

  test('organizations do not see each other', async (t) => {
    const place = await openIntake(t, await open(t));
    const { control, paths, settings } = place;
    const other = sampleOrg('globex');
    await insertOrg(control.write, other);
    await place.put('/users.csv', 'x');
    const space = openSpace({
      control,
      paths,
      settings,
      org: other,
      identity: async () => place.identity,
      now: () => 0,
    });
    await assert.rejects(space.stat('/users.csv'), { code: 'not_found' });
    assert.equal((await space.list('/', null, 10)).length, 5);
  });
});

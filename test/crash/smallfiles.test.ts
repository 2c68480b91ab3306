/**
 * Power cuts while small files are durable in the database alone: at each commit, also of those that end this, each published file
 * is whole on the disk or has a row that gives it back. With any one sync left out it is not so.
 */
import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { pathsOf } from '../../config/paths.js';
import type { Db, Queryable } from '../../db/connection.js';
import { blobPath, openBlob } from '../../storage/blobs.js';
import type { BlobStore } from '../../storage/blobstore.js';
import type { Disk, DiskFile } from '../../storage/disk.js';
import { shareSyncs } from '../../storage/foldersync.js';
import { SmallFiles } from '../../storage/smallfiles.js';
import { mostUnsyncedBytes, recoverUnsynced } from '../../storage/unsynced.js';
import { openFresh } from '../support/databases.js';
import { openIntake, replacing, type TestIntake } from '../support/intake.js';
import { randomContent } from '../support/sealing.js';
import { until } from '../support/session.js';
import type { Scope } from '../support/temporary.js';
import { bind, startThreadOn, VolatileDisk, withoutSync } from '../support/volatile.js';
import { type WatchedCommits, watchCommits } from './commits.js';
import { sequence } from './matrix.js';

const root = '/volatile';

function survivals(): (() => number)[] {
  const random = sequence(7);
  return [() => 0, () => 0.999, random, random, random];
}

interface Place extends TestIntake {
  volatile: VolatileDisk;
  disk: Disk;
  lost: string[];
  counts: WatchedCommits['counts'];
  /** The server has ended: it syncs nothing, and deletes no row. */
  die(): void;
}

async function openVolatile(scope: Scope, weaken: (disk: Disk) => Disk = (disk) => disk): Promise<Place> {
  const databases = await openFresh(scope, 'sqlite');
  const volatile = new VolatileDisk(root);
  const paths = { ...pathsOf(databases.settings), blobs: `${root}/blobs`, partials: `${root}/partials` };
  const lost: string[] = [];
  const { control, counts } = watch(databases.control, volatile, (id) => blobPath(paths, id), lost);
  const weak = weaken(volatile);
  let isDead = false;
  const calls: Disk = { ...bind(weak), open: (path) => (isDead ? new Promise(() => {}) : weak.open(path)) };
  const files = new SmallFiles(() => startThreadOn(calls));
  scope.after(() => files.close());
  const disk = files.extend(calls);
  const place = await openIntake(scope, databases, { control, disk, paths, boot: 'this-boot' });
  const die = () => {
    isDead = true;
  };
  return { ...place, volatile, disk, lost, counts, die };
}

/** Notes in `lost` each blob that a power cut during a commit takes from the disk, and that no row of that moment gives back. */
function watch(control: Db, volatile: VolatileDisk, pathOf: (id: string) => string, lost: string[]): WatchedCommits {
  const sealed = new Map<string, Buffer>();
  const begin = () => survivals().map((survives) => volatile.afterPowerCut(root, survives));
  return watchCommits(control, begin, async (snapshots) => {
    const rows: { id: string; bytes: Buffer }[] = await control.read('unsynced_blobs').select('id', 'bytes');
    for (const { id, bytes } of rows) sealed.set(id, bytes);
    const inRows = new Set(rows.map(({ id }) => id));
    for (const id of await control.read('blobs').pluck('id'))
      for (const snapshot of inRows.has(id) ? [] : snapshots) {
        const found = snapshot.get(pathOf(id));
        const bytes = sealed.get(id);
        if (found === undefined || (bytes !== undefined && !found.equals(bytes))) lost.push(id);
      }
  });
}

async function putAll({ intake }: Place): Promise<void> {
  const put = async (path: string, bytes: number) => {
    const upload = await intake.begin(path, replacing);
    await upload.write(0, randomContent(bytes));
    await upload.finish();
  };
  for (const bytes of [0, 10, mostUnsyncedBytes, 70_000]) await put(`/one-${bytes}.csv`, bytes);
  for (let round = 0; round < 3; round++)
    await Promise.all(Array.from({ length: 6 }, (_, n) => put(`/many-${round}-${n % 5}.csv`, n * 3_000)));
}

const countRows = async ({ control }: Place) => (await control.read('unsynced_blobs').select('id')).length;

test('with every sync in its place nothing is lost, and no row is left', async (t) => {
  const place = await openVolatile(t);
  await putAll(place);
  assert.ok((await countRows(place)) > 0);
  await place.service.abortAll();
  assert.equal(await countRows(place), 0);
  assert.deepEqual(place.lost, []);
  const { all, long } = place.counts;
  assert.ok(all - long > 3, `${long} of ${all} commits were long transactions`);
});

const weaknesses: [missing: string, weaken: (disk: Disk) => Disk][] = [
  [
    "the sync of the files' bytes",
    (disk) => ({ ...bind(disk), open: async (path) => unsynced(await disk.open(path)) }),
  ],
  ['the sync of the folder that gets the names', (disk) => withoutSync(disk, /\/blobs\/..$/)],
  ['the sync of the folder that gets a new folder', (disk) => withoutSync(disk, /\/blobs$/)],
  ['the sync of the data folder', (disk) => withoutSync(disk, /^\/volatile$/)],
];

for (const [missing, weaken] of weaknesses)
  test(`without ${missing} something is lost`, async (t) => {
    const place = await openVolatile(t, weaken);
    await putAll(place);
    await place.service.abortAll();
    assert.notDeepEqual(place.lost, []);
  });

for (const [index, survives] of survivals().entries())
  test(`after a power cut the rows give the files back, and are deleted once those last (${index})`, async (t) => {
    const place = await openVolatile(t);
    await putAll(place);
    const rows: { id: string }[] = await place.control.read('unsynced_blobs').select('id');
    place.die();
    const disk = place.volatile.restart(root, survives);
    const { control, paths, identity } = place;
    const commit = (work: (tx: Queryable) => Promise<void>) => control.transact(work);
    await recoverUnsynced({ control, paths, disk: shareSyncs(disk), commit });
    assert.equal(await countRows(place), 0);
    const after = disk.restart(root, () => 0);
    const live = await control.read('entries').whereNotNull('blob_id').pluck('blob_id');
    for (const { id } of rows.filter((row) => live.includes(row.id))) {
      const reader = await openBlob(paths, id, identity, after);
      for await (const piece of reader.stream()) assert.ok(piece.length > 0);
    }
  });

test('a sync that fails is not repeated: the file is written anew from its row', async (t) => {
  let failures = 0;
  const place = await openVolatile(t, (disk) => ({
    ...bind(disk),
    open: async (path) => ({
      ...(await disk.open(path)),
      sync: async () => {
        failures++;
        throw new Error('EIO');
      },
    }),
  }));
  await place.put('/users.csv', 'User Email\n');
  await place.service.abortAll();
  assert.ok(failures > 0);
  assert.equal(await countRows(place), 0);
  assert.deepEqual(place.lost, []);
  const after = place.volatile.restart(root, () => 0);
  const [id] = await place.control.read('blobs').pluck('id');
  await (await openBlob(place.paths, id, place.identity, after)).close();
});

/** Each fails once, and its next sync succeeds without effect, as systems have it: until a new file, or a new name, is there. */
function forgetting(disk: Disk, folders: RegExp | null): { disk: Disk; failures: string[] } {
  const failures: string[] = [];
  const forgotten = new Set<string>();
  const once = async (path: string, sync: () => Promise<void>) => {
    if (forgotten.has(path)) return;
    if (failures.includes(path)) return sync();
    failures.push(path);
    forgotten.add(path);
    throw Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  const open = async (path: string) => {
    const file = await disk.open(path);
    return folders === null ? { ...file, sync: () => once(path, () => file.sync()) } : file;
  };
  const rename = async (from: string, to: string) => {
    await disk.rename(from, to);
    for (const path of [to, dirname(to)]) forgotten.delete(path);
  };
  const syncFolder = (path: string) =>
    folders?.test(path) === true ? once(path, () => disk.syncFolder(path)) : disk.syncFolder(path);
  return { disk: { ...bind(disk), open, rename, syncFolder }, failures };
}

for (const [what, folders] of [
  ['bytes of a file', null],
  ['names of a folder', /\/blobs\/..$/],
] as const)
  test(`a sync of the ${what} that succeeds after it has failed proves nothing, also after an error`, async (t) => {
    let [failures, fullDisks] = [[] as string[], 0];
    const place = await openVolatile(t, (volatile) => {
      const weak = forgetting(volatile, folders);
      failures = weak.failures;
      const create = async (path: string) => {
        if (folders !== null || !path.includes('/partials/') || fullDisks > 0) return weak.disk.create(path);
        fullDisks++;
        throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
      };
      return { ...weak.disk, create };
    });
    await place.put('/users.csv', 'User Email\n');
    await until(() => failures.length > 0 && (folders !== null || fullDisks > 0), 'a failure');
    assert.equal(await countRows(place), 1);
    await place.service.abortAll();
    assert.equal(await countRows(place), 0);
    assert.deepEqual(place.lost, []);
    const after = place.volatile.restart(root, () => 0);
    const [id] = await place.control.read('blobs').pluck('id');
    await (await openBlob(place.paths, id, place.identity, after)).close();
  });

test('a server that is killed after a failed sync leaves a file that the next one writes anew', async (t) => {
  let failures: string[] = [];
  const place = await openVolatile(t, (volatile) => {
    const weak = forgetting(volatile, null);
    failures = weak.failures;
    // It is killed before it can write the file anew.
    const create = (path: string) =>
      path.includes('/partials/') && failures.length > 0 ? Promise.reject(new Error('killed')) : weak.disk.create(path);
    return { ...weak.disk, create };
  });
  await place.put('/users.csv', 'User Email\n');
  await until(() => failures.length > 0, 'a failure');
  const { control, paths, identity, volatile } = place;
  const [path] = failures;
  const commit = (work: (tx: Queryable) => Promise<void>) => control.transact(work);
  // The same start of the machine: the file is read whole, and its next syncs succeed without effect.
  const sync = async () => {};
  const next: Disk = {
    ...bind(volatile),
    open: async (name) => (name === path ? { ...(await volatile.open(name)), sync } : volatile.open(name)),
  };
  assert.equal(await recoverUnsynced({ control, paths, disk: shareSyncs(next), commit }, true), 0);
  assert.equal(await countRows(place), 0);
  const after = volatile.restart(root, () => 0);
  const [id] = await control.read('blobs').pluck('id');
  await (await openBlob(paths, id, identity, after)).close();
});

test('a row gives back a file that the disk can not read any more', async (t) => {
  const place = await openVolatile(t);
  await place.put('/users.csv', 'User Email\n');
  const { control, paths, identity } = place;
  place.die();
  const disk = place.volatile.restart(root, () => 0.999);
  const torn: Disk = {
    ...bind(disk),
    open: async (path) => ({
      ...(await disk.open(path)),
      read: () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })),
    }),
  };
  const commit = (work: (tx: Queryable) => Promise<void>) => control.transact(work);
  assert.equal(await recoverUnsynced({ control, paths, disk: shareSyncs(torn), commit }), 1);
  const [id] = await control.read('blobs').pluck('id');
  await (
    await openBlob(
      paths,
      id,
      identity,
      disk.restart(root, () => 0),
    )
  ).close();
});

for (const [how, bytes, end, published] of [
  ['published', 10, 'finish', 1],
  ['grown', 70_000, 'finish', 1],
  ['aborted', 0, 'abort', 0],
] as const)
  test(`an upload that takes long has a file among the partials, until it is ${how}`, async (t) => {
    const place = await openVolatile(t);
    const { volatile, paths, intake } = place;
    const upload = await intake.begin('/users.csv', replacing);
    await until(async () => (await volatile.list(paths.partials)).length === 1, 'the file');
    const content = randomContent(bytes);
    if (bytes > 0) await upload.write(0, content);
    await upload[end]();
    assert.deepEqual(await volatile.list(paths.partials), []);
    const ids: string[] = await place.control.read('blobs').pluck('id');
    assert.equal(ids.length, published);
    assert.equal(await countRows(place), how === 'published' ? 1 : 0);
    for (const id of ids) {
      const reader = await openBlob(paths, id, place.identity, volatile);
      assert.deepEqual(await reader.read(0, bytes + 1), content);
      await reader.close();
    }
    await place.service.abortAll();
    assert.deepEqual(place.lost, []);
  });

test('a small upload that finds the disk full leaves nothing', async (t) => {
  let isFull = false;
  const place = await openVolatile(t, (volatile) => ({
    ...bind(volatile),
    create: async (path) => {
      const file = await volatile.create(path);
      const writev = async (pieces: readonly Buffer[]) => {
        if (isFull) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
        return file.writev(pieces);
      };
      return { ...file, writev };
    },
  }));
  for (const bytes of [10, 70_000]) {
    const upload = await place.intake.begin('/users.csv', replacing);
    isFull = true;
    await assert.rejects(upload.write(0, randomContent(bytes)).then(() => upload.finish()));
    await upload.abort();
    isFull = false;
    assert.deepEqual([...place.volatile.afterPowerCut(root, () => 0.999).keys()], []);
  }
});

test('a row gives a store the file that it lacks', async (t) => {
  const place = await openVolatile(t);
  await place.put('/lacked.csv', 'lacked');
  await place.put('/there.csv', 'there');
  await place.put('/gone.csv', 'gone');
  await place.intake.remove('/gone.csv');
  const { control, volatile } = place;
  const idOf = async (name: string) => (await control.read('entries').where({ name }).first('blob_id')).blob_id;
  const [lacked, there] = [await idOf('lacked.csv'), await idOf('there.csv')];
  const { bytes } = await control.read('unsynced_blobs').where({ id: lacked }).first('bytes');
  const added = new Map<string, Buffer | undefined>();
  const store = {
    name: 's3://acme/x',
    stat: async (id: string) => (id === there ? { size: 1, mtimeMs: 0 } : null),
    add: async (id: string, path: string) => void added.set(id, volatile.afterPowerCut(root, () => 0.999).get(path)),
  } as unknown as BlobStore;
  const commit = (work: (tx: Queryable) => Promise<void>) => control.transact(work);
  const paths = { ...place.paths, store };
  assert.equal(await recoverUnsynced({ control, paths, disk: shareSyncs(volatile), commit }), 1);
  assert.deepEqual(added, new Map([[lacked, Buffer.from(bytes as Buffer)]]));
  assert.deepEqual(await volatile.list(paths.partials), []);
  assert.equal(await countRows(place), 0);
});

test('a command may give files back beside a server that starts', async (t) => {
  const place = await openVolatile(t);
  await putAll(place);
  const { control, paths, identity } = place;
  place.die();
  const disk = place.volatile.restart(root, () => 0);
  const commit = (work: (tx: Queryable) => Promise<void>) => control.transact(work);
  await Promise.all([1, 2].map(() => recoverUnsynced({ control, paths, disk: shareSyncs(disk), commit })));
  const after = disk.restart(root, () => 0);
  for (const id of await control.read('entries').whereNotNull('blob_id').pluck('blob_id'))
    await (await openBlob(paths, id, identity, after)).close();
  assert.deepEqual(await disk.list(paths.partials), []);
});

test('a file that was removed meanwhile is not written again, and one with a new header is left as it is', async (t) => {
  const place = await openVolatile(t);
  const { control, paths, volatile, intake } = place;
  await place.put('/gone.csv', 'gone');
  await place.put('/rewrapped.csv', 'rewrapped');
  const [gone, rewrapped] = await control.read('blobs').orderBy('created_at').orderBy('id').pluck('id');
  const idOf = async (name: string) => (await control.read('entries').where({ name }).first('blob_id')).blob_id;
  const ids = { gone: await idOf('gone.csv'), rewrapped: await idOf('rewrapped.csv') };
  assert.deepEqual(new Set([gone, rewrapped]), new Set(Object.values(ids)));
  await intake.remove('/gone.csv');
  await volatile.remove(blobPath(paths, ids.rewrapped));
  const { bytes } = await control.read('unsynced_blobs').where({ id: ids.rewrapped }).first('bytes');
  const header = Buffer.from(bytes as Buffer);
  header[header.indexOf('X25519 ') + 9]! ^= 1;
  const file = await volatile.create(blobPath(paths, ids.rewrapped));
  await file.writev([header]);
  const commit = (work: (tx: Queryable) => Promise<void>) => control.transact(work);
  assert.equal(await recoverUnsynced({ control, paths, disk: shareSyncs(volatile), commit }), 0);
  const left = volatile.afterPowerCut(root, () => 0);
  assert.equal(left.has(blobPath(paths, ids.gone)), false);
  assert.deepEqual(left.get(blobPath(paths, ids.rewrapped)), header);
  assert.equal(await countRows(place), 0);
});

function unsynced(file: DiskFile): DiskFile {
  return { ...file, sync: async () => {} };
}

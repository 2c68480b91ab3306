/** Syncs that are shared: nobody's name is called safe before a sync that began after it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Disk, systemDisk } from '../../storage/disk.js';
import { shareSyncs, subfolderPicker } from '../../storage/foldersync.js';

/** A disk whose syncs end when they are told to. */
function slowDisk() {
  const begun: string[] = [];
  const ends: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const disk: Disk = {
    ...systemDisk,
    makeFolder: async () => true,
    syncFolder: (path) => {
      begun.push(path);
      return new Promise<void>((resolve, reject) => void ends.push({ resolve, reject }));
    },
  };
  return { disk: shareSyncs(disk), begun, ends };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('who comes while a folder is synced waits for the next sync, and shares it', async () => {
  const { disk, begun, ends } = slowDisk();
  const done: number[] = [];
  const ask = (number: number) => disk.syncFolder('/blobs/aa').then(() => void done.push(number));
  const first = ask(1);
  const rest = [ask(2), ask(3), ask(4)];
  const other = disk.syncFolder('/blobs/bb');
  assert.deepEqual(begun, ['/blobs/aa', '/blobs/bb']);
  ends[0]!.resolve();
  await first;
  await settle();
  assert.deepEqual(done, [1]);
  assert.deepEqual(begun, ['/blobs/aa', '/blobs/bb', '/blobs/aa']);
  ends[2]!.resolve();
  ends[1]!.resolve();
  await Promise.all([...rest, other]);
  assert.deepEqual(done, [1, 2, 3, 4]);
});

test('a sync that fails fails for all whose names were there by then, and for nobody after', async () => {
  const { disk, ends } = slowDisk();
  const first = disk.syncFolder('/blobs/aa');
  const second = disk.syncFolder('/blobs/aa');
  ends[0]!.reject(new Error('EIO'));
  await assert.rejects(first, /EIO/);
  // The system may have dropped its name with those of the first, and would report success now.
  await assert.rejects(second, /EIO/);
  const third = disk.syncFolder('/blobs/aa');
  await settle();
  ends[1]!.resolve();
  await third;
});

test("a folder's name is sure once the two above it were synced, one after the other, since it was there", async () => {
  const { disk, ends } = slowDisk();
  const sync = async (path: string) => {
    const synced = disk.syncFolder(path);
    ends.at(-1)!.resolve();
    await synced;
  };
  assert.equal(await disk.makeFolder('/data/blobs/aa'), true);
  await sync('/data');
  await sync('/data/blobs');
  assert.equal(await disk.makeFolder('/data/blobs/aa'), true, 'the sync of /data came first');
  const late = disk.syncFolder('/data');
  assert.equal(await disk.makeFolder('/data/blobs/bb'), true);
  ends.at(-1)!.resolve();
  await late;
  assert.equal(await disk.makeFolder('/data/blobs/aa'), false);
  assert.equal(await disk.makeFolder('/data/blobs/bb'), true);
});

test('many blobs in a row share a folder, and then comes another', () => {
  const next = subfolderPicker();
  const subfolders = Array.from({ length: 128 * 40 }, next);
  assert.ok(subfolders.every((subfolder) => /^[0-9a-f]{2}$/.test(subfolder)));
  assert.equal(new Set(subfolders.slice(0, 128)).size, 1);
  assert.ok(new Set(subfolders).size > 10);
});

/** Small files by their thread: written once and whole, their failures told one by one, and none waits for a thread that has died. */
import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { systemDisk } from '../../storage/disk.js';
import { SmallFiles } from '../../storage/smallfiles.js';
import { openFresh } from '../support/databases.js';
import { openIntake } from '../support/intake.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';
import { startThreadFromSource } from '../support/thread.js';

function open(scope: Scope, first = '') {
  const threads: Worker[] = [];
  const files = new SmallFiles(() => {
    const thread = startThreadFromSource('filethread', first);
    threads.push(thread);
    return thread;
  });
  scope.after(() => files.close());
  return { disk: files.extend(systemDisk), threads };
}

test('a file is written whole, for its owner alone, and never over another one', async (t) => {
  const { disk, threads } = open(t);
  const path = join(temporaryFolder(t), 'a');
  await disk.writeWhole!(path, Buffer.from('sealed'));
  assert.deepEqual([readFileSync(path, 'utf8'), statSync(path).mode & 0o777], ['sealed', 0o600]);
  await assert.rejects(disk.writeWhole!(path, Buffer.from('other')), { code: 'EEXIST' });
  assert.equal(readFileSync(path, 'utf8'), 'sealed');
  await assert.rejects(disk.writeWhole!(join(path, 'b'), Buffer.from('x')), { code: 'ENOTDIR' });
  assert.equal(threads.length, 1);
});

test('many files are synced by one call, which names those that are not there', async (t) => {
  const { disk } = open(t);
  const folder = temporaryFolder(t);
  const paths = Array.from({ length: 20 }, (_, number) => join(folder, String(number)));
  for (const path of paths.slice(1)) writeFileSync(path, 'x');
  const [failed] = await Promise.all([disk.syncFiles!(paths), disk.writeWhole!(join(folder, 'new'), Buffer.from('y'))]);
  assert.deepEqual(failed, [paths[0]]);
  assert.equal(readFileSync(join(folder, 'new'), 'utf8'), 'y');
});

/** In the thread: the sync of a file named `bad` fails, and a file is named in the one beside it when it is synced. */
const noteSyncs = `
  const fs = require('node:fs');
  const { openSync, fsyncSync } = fs;
  const paths = new Map();
  fs.openSync = (path, ...rest) => {
    const file = openSync(path, ...rest);
    paths.set(file, path);
    return file;
  };
  fs.fsyncSync = (file) => {
    const path = paths.get(file);
    if (path.endsWith('bad')) throw Object.assign(new Error('EIO'), { code: 'EIO' });
    fs.appendFileSync(path + '.synced', 'x');
    fsyncSync(file);
  };
  require('node:module').syncBuiltinESMExports();`;

test('each file is synced once, and a sync that fails is told', async (t) => {
  const { disk } = open(t, noteSyncs);
  const folder = temporaryFolder(t);
  const paths = ['a', 'bad', 'b'].map((name) => join(folder, name));
  for (const path of paths) await disk.writeWhole!(path, Buffer.from('x'));
  assert.deepEqual(await disk.syncFiles!(paths), [paths[1]]);
  assert.deepEqual(
    ['a', 'b'].map((name) => readFileSync(join(folder, `${name}.synced`), 'utf8')),
    ['x', 'x'],
  );
});

test('after the death of its thread a file is written all the same, and no sync counts that it may have done', async (t) => {
  const { disk, threads } = open(t);
  const folder = temporaryFolder(t);
  const path = (name: string) => join(folder, name);
  await disk.writeWhole!(path('a'), Buffer.from('a'));
  const asked = [disk.writeWhole!(path('b'), Buffer.from('b')), disk.syncFiles!([path('a')])] as const;
  const ended = threads[0]!.terminate();
  const [, failed] = await Promise.all(asked);
  await ended;
  assert.deepEqual(failed, [path('a')]);
  await disk.writeWhole!(path('c'), Buffer.from('c'));
  assert.equal(threads.length, 2);
  assert.deepEqual(
    ['a', 'b', 'c'].map((name) => readFileSync(path(name), 'utf8')),
    ['a', 'b', 'c'],
  );
});

for (const [why, start] of [
  ['its code can not be loaded', () => new Worker(new URL('file:///nowhere/thread.js'))],
  [
    'the system has no room for it',
    () => {
      throw Object.assign(new Error('Worker initialization failure: EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
    },
  ],
] as const)
  test(`where no thread can be started, since ${why}, uploads are published and synced by the calls of the disk`, async (t) => {
    const renamed: string[] = [];
    const rename = (from: string, to: string) => {
      renamed.push(to);
      return systemDisk.rename(from, to);
    };
    const files = new SmallFiles(start);
    const disk = files.extend({ ...systemDisk, rename });
    const databases = await openFresh(t, 'sqlite');
    const { put, get, service, control } = await openIntake(t, databases, { disk, boot: 'this-boot' });
    for (const name of ['a', 'b', 'c']) await put(`/${name}.csv`, name);
    assert.ok((await control.read('unsynced_blobs').select('id')).length > 0);
    await service.abortAll();
    assert.deepEqual(await control.read('unsynced_blobs').select('id'), []);
    assert.equal(await get('/b.csv'), 'b');
    // None was written anew.
    assert.deepEqual(renamed, []);
    await files.close();
  });

test('uploads are published by it, also into folders that are not there, and synced later', async (t) => {
  const { disk } = open(t);
  const { put, get, service, control } = await openIntake(t, await openFresh(t, 'sqlite'), { disk, boot: 'this-boot' });
  for (let number = 0; number < 300; number += 50)
    await Promise.all(Array.from({ length: 50 }, (_, more) => put(`/${number + more}.csv`, `file ${number + more}`)));
  assert.equal(await get('/299.csv'), 'file 299');
  assert.ok((await control.read('unsynced_blobs').select('id')).length > 0);
  await service.abortAll();
  assert.deepEqual(await control.read('unsynced_blobs').select('id'), []);
  assert.equal(await get('/0.csv'), 'file 0');
});

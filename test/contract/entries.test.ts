/** The tree's rows, on both databases. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from '../../db/connection.js';
import { insertBlob } from '../../db/control/blobs.js';
import {
  deleteEntry,
  ensureFolders,
  findEntry,
  findEntryOfUpload,
  freeName,
  hasEntries,
  hasTwin,
  insertEntry,
  lockEntry,
  type NewEntry,
  updateEntry,
} from '../../db/control/entries.js';
import { lockBelow } from '../../db/control/folders.js';
import { lockEntriesOfUploads } from '../../db/control/manyentries.js';
import { insertOrg } from '../../db/control/orgs.js';
import { insertUpload } from '../../db/control/uploads.js';
import { isUniqueViolation } from '../../db/error.js';
import { onEveryDatabase, type TestDatabases } from '../support/databases.js';
import { sender } from '../support/intake.js';
import { sampleOrg } from '../support/samples.js';

async function openTree(databases: TestDatabases): Promise<Db> {
  await insertOrg(databases.control.write, sampleOrg('acme'));
  return databases.control;
}

function sampleFile(dir: string, name: string): NewEntry {
  const row = { kind: 'file' as const, blobId: null, uploadId: null, size: 2 ** 40, mode: 0o644 };
  return { org: 'acme', dir, name, ...row, mtimeMs: 1_700_000_000_123, atimeMs: -1, createdAt: 0 };
}

onEveryDatabase('entries', (open) => {
  test('an entry is kept as it was given, found by its path, changed and removed', async (t) => {
    const { read, write } = await openTree(await open(t));
    const entry = sampleFile('/', 'é 名前\\%_.csv');
    const id = await insertEntry(write, entry);
    assert.deepEqual(await findEntry(read, 'acme', '/é 名前\\%_.csv'), { id, ...entry });
    assert.equal(await findEntry(read, 'acme', '/'), null);
    assert.equal(await findEntryOfUpload(read, 'acme', 1), null);
    await assert.rejects(insertEntry(write, entry), isUniqueViolation);
    await updateEntry(write, id, { name: 'b.csv', mtimeMs: 7 });
    await updateEntry(write, id, {});
    assert.deepEqual(await findEntry(read, 'acme', '/b.csv'), { id, ...entry, name: 'b.csv', mtimeMs: 7 });
    await deleteEntry(write, id);
    assert.equal(await hasEntries(read, 'acme', '/'), false);
  });

  test('the entry of an upload that a newer one is taking is not that of the older one any more', async (t) => {
    const { write, transact } = await openTree(await open(t));
    const add = async (blobId: string) => {
      await insertBlob(write, { id: blobId, org: 'acme', size: 1, sealedSize: 201, sha256: 'aa', createdAt: 1 });
      return insertUpload(write, {
        org: 'acme',
        path: '/same.csv',
        blobId,
        state: 'queued',
        ...sender,
        begunAt: 0,
        closedAt: 1,
      });
    };
    const older = await add('1'.repeat(32));
    const newer = await add('2'.repeat(32));
    const id = await insertEntry(write, { ...sampleFile('/', 'same.csv'), uploadId: older });
    let isTaken = () => {};
    const taken = new Promise<void>((resolve) => {
      isTaken = resolve;
    });
    const taking = transact(async (tx) => {
      await updateEntry(tx, (await lockEntry(tx, 'acme', '/same.csv'))!.id, { uploadId: newer });
      isTaken();
      await sleep(300);
    });
    await taken;
    const found = await transact((tx) => lockEntriesOfUploads(tx, 'acme', [older, newer]));
    await taking;
    assert.deepEqual(
      [...found].map(([upload, entry]) => [upload, entry.id]),
      [[newer, id]],
    );
  });

  test('missing folders are made, once, also when many make them at the same time', async (t) => {
    const { read, write, transact } = await openTree(await open(t));
    const make = (path: string) => transact((tx) => ensureFolders(tx, 'acme', path, 5));
    assert.equal(await make('/'), true);
    const results = await Promise.all(Array.from({ length: 8 }, () => make('/archive/2026-01-31/superseded')));
    assert.deepEqual(new Set(results), new Set([true]));
    assert.equal((await findEntry(read, 'acme', '/archive/2026-01-31'))?.kind, 'dir');
    assert.deepEqual((await transact((tx) => lockBelow(tx, 'acme', '/archive'))).sort(), [
      '/archive/2026-01-31',
      '/archive/2026-01-31/superseded',
    ]);
    await insertEntry(write, sampleFile('/', 'file'));
    assert.equal(await make('/file/below'), false);
  });

  test('a free name is the first one, and found in a few queries among thousands', async (t) => {
    const { read, write } = await openTree(await open(t));
    const nameOf = (turn: number) => (turn === 1 ? 'users.csv' : `users-${turn}.csv`);
    for (let turn = 1; turn <= 20; turn++) {
      assert.equal(await freeName(read, 'acme', '/a', 'users.csv'), nameOf(turn));
      await insertEntry(write, sampleFile('/a', nameOf(turn)));
    }
    const row = await read('entries').where({ dir: '/a' }).first();
    const more = Array.from({ length: 1_980 }, (_, index) => {
      const { id: _id, ...rest } = { ...row, name: nameOf(21 + index), folded_name: nameOf(21 + index) };
      return rest;
    });
    await write.batchInsert('entries', more, 50);
    let queries = 0;
    const count = () => void queries++;
    read.on('query', count);
    assert.equal(await freeName(read, 'acme', '/a', 'users.csv'), nameOf(2_001));
    read.off('query', count);
    assert.ok(queries <= 6, `${queries} queries`);
  });

  test('a free name counts up before the extension, and never gets too long', async (t) => {
    const { read, write } = await openTree(await open(t));
    const take = async (name: string) => {
      const free = await freeName(read, 'acme', '/a', name);
      await insertEntry(write, sampleFile('/a', free));
      return free;
    };
    const names = [];
    for (const name of [
      'users.csv',
      'users.csv',
      'users.csv',
      'README',
      'README',
      '.rc',
      '.rc',
      'a.tar.gz',
      'a.tar.gz',
    ])
      names.push(await take(name));
    assert.deepEqual(names, [
      ...['users.csv', 'users-2.csv', 'users-3.csv', 'README', 'README-2'],
      ...['.rc', '.rc-2', 'a.tar.gz', 'a.tar-2.gz'],
    ]);
    const long = `${'é'.repeat(125)}.csv`;
    await take(long);
    const free = await take(long);
    assert.match(free, /^é+-2\.csv$/);
    assert.ok(Buffer.byteLength(free) <= 255);
    const dotted = `a.${'x'.repeat(253)}`;
    assert.equal(await take(dotted), dotted);
    assert.equal(await take(dotted), `a.${'x'.repeat(251)}-2`);
  });

  test('a free name is safe, and another one to Windows than each name that the folder has', async (t) => {
    const { read, write } = await openTree(await open(t));
    await insertEntry(write, sampleFile('/a', 'ÉTÉ.csv'));
    const old = await insertEntry(write, sampleFile('/a', 'OLD-É.csv'));
    await write('entries').where({ id: old }).update({ folded_name: 'old-É.csv' });
    const free = (name: string, taken: string[] = []) => freeName(read, 'acme', '/a', name, new Set(taken));
    assert.equal(await free('été.csv'), 'été-2.csv');
    assert.equal(await free('e\u0301te\u0301.csv'), 'été-2.csv');
    assert.equal(await free('été.csv', ['été-2.csv']), 'été-3.csv');
    assert.equal(await free('USERS.csv', ['users.csv']), 'USERS-2.csv');
    assert.equal(await free('OLD-É.csv'), 'OLD-É-2.csv');
    assert.equal(await free('a:b?.csv '), 'a_b_.csv');
    const moved = await insertEntry(write, sampleFile('/a', 'one.csv'));
    await updateEntry(write, moved, { name: 'Two.csv' });
    assert.equal(await free('ONE.csv'), 'ONE.csv');
    assert.equal(await free('two.csv'), 'two-2.csv');
  });

  test('a twin differs by case or Unicode form only, in a name or in the name of a folder above it', async (t) => {
    const { read, write } = await openTree(await open(t));
    for (const path of ['HR', 'hr', 'it']) await insertEntry(write, { ...sampleFile('/', path), kind: 'dir' });
    for (const dir of ['/HR', '/it']) await insertEntry(write, sampleFile(dir, 'é.csv'));
    assert.equal(await hasTwin(read, 'acme', '/HR/é.csv'), true);
    assert.equal(await hasTwin(read, 'acme', '/it/é.csv'), false);
    await insertEntry(write, sampleFile('/it', 'e\u0301.csv'));
    assert.equal(await hasTwin(read, 'acme', '/it/é.csv'), true);
    assert.equal(await hasTwin(read, 'other', '/it/é.csv'), false);
  });
});

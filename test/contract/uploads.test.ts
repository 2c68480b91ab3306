/** Uploads, their queue, and the blobs that they keep alive, on both databases. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Db } from '../../db/connection.js';
import { findBlob, insertBlob, isBlobLive, listBlobs, listLiveBlobs } from '../../db/control/blobs.js';
import { deleteEntry, insertEntry } from '../../db/control/entries.js';
import { deleteOrg, insertOrg } from '../../db/control/orgs.js';
import {
  claimUploads,
  findUpload,
  hasNewerUpload,
  insertUpload,
  listQueue,
  moveUpload,
  queueUpload,
  settleUpload,
  supersedeUpload,
  unqueueUpload,
  withdrawUpload,
} from '../../db/control/uploads.js';
import { onEveryDatabase, type TestDatabases } from '../support/databases.js';
import { beforeStatement } from '../support/interleave.js';
import { sampleOrg } from '../support/samples.js';

interface Queue {
  control: Db;
  /** Inserts a blob and its upload; the upload's id. */
  add(path: string, closedAt: number, state?: 'queued' | 'stored'): Promise<number>;
  blobOf(id: number): Promise<string>;
}

async function openQueue({ control }: TestDatabases): Promise<Queue> {
  await insertOrg(control.write, sampleOrg('acme'));
  let turn = 0;
  return {
    control,
    add: async (path, closedAt, state = 'queued') => {
      const id = (++turn).toString(16).padStart(32, '0');
      await insertBlob(control.write, {
        id,
        org: 'acme',
        size: 2 ** 33,
        sealedSize: 2 ** 33 + 200,
        sha256: 'aa',
        createdAt: 1,
      });
      const sender = { keyFingerprint: null, address: null, client: null };
      return insertUpload(control.write, { org: 'acme', path, blobId: id, state, ...sender, begunAt: 0, closedAt });
    },
    blobOf: async (id) => (await findUpload(control.read, id))!.blobId,
  };
}

onEveryDatabase('uploads', (open) => {
  test('the queue is in the order in which files were queued, whatever the clock said, and has only those', async (t) => {
    const { control, add } = await openQueue(await open(t));
    const first = await add('/first.csv', 2000);
    const second = await add('/second.csv', 1000); // the clock went back
    const stored = await add('/x.part', 500, 'stored');
    const ids = async () => (await listQueue(control.read, 'acme')).map((upload) => upload.id);
    assert.deepEqual(await ids(), [first, second]);
    assert.equal((await findUpload(control.read, stored))?.queuedAt, null);
    assert.equal(await queueUpload(control.write, stored, '/x.csv', 1500), true);
    assert.equal(await queueUpload(control.write, stored, '/x.csv', 1600), false);
    assert.deepEqual(await ids(), [first, second, stored]);
    assert.equal(await unqueueUpload(control.write, stored, '/x.tmp'), true);
    assert.equal(await unqueueUpload(control.write, stored, '/x.tmp'), false);
    assert.deepEqual(await ids(), [first, second]);
    assert.equal(await findUpload(control.read, 999), null);
  });

  test('an upload is newer by its number, under the name of its CLOSE too; by its time for one of the version before', async (t) => {
    const { control, add } = await openQueue(await open(t));
    const [before, id] = [await add('/other.csv', 9000), await add('/x.part', 1000, 'stored')];
    const isNewer = (path: string, lastUpload: number | null, begunAt: number) =>
      hasNewerUpload(control.read, 'acme', path, { begunAt, lastUpload });
    await queueUpload(control.write, id, '/x.csv', 1500);
    await moveUpload(control.write, id, '/y.csv', null);
    for (const path of ['/x.part', '/y.csv'])
      assert.deepEqual(
        await Promise.all([isNewer(path, before, 5000), isNewer(path, id, 0), isNewer(path, null, 999)]),
        [true, false, true],
        path,
      );
    assert.deepEqual([await isNewer('/x.part', null, 1000), await isNewer('/x.csv', 0, 0)], [false, false]);
  });

  test('a run claims all that is queued, and finds it again after an interruption', async (t) => {
    const { control, add } = await openQueue(await open(t));
    const first = await add('/a.csv', 1);
    const second = await add('/b.csv', 2);
    const ids = async (run: number) => (await claimUploads(control.write, 'acme', run)).map((upload) => upload.id);
    assert.deepEqual(await ids(7), [first, second]);
    assert.deepEqual(await ids(8), []);
    const third = await add('/c.csv', 3);
    assert.deepEqual(await ids(7), [first, second, third]);
    const outcome = { state: 'imported' as const, archivedAs: '/archive/a.csv', at: 9 };
    assert.equal(await settleUpload(control.write, first, outcome), true);
    assert.equal(await settleUpload(control.write, first, { ...outcome, at: 10 }), false);
    assert.deepEqual(await ids(7), [second, third]);
    const settled = await findUpload(control.read, first);
    assert.deepEqual(
      [settled?.state, settled?.archivedAs, settled?.settledAt, settled?.runId],
      ['imported', '/archive/a.csv', 9, 7],
    );
  });

  test('claiming, superseding and withdrawing exclude each other', async (t) => {
    const { control, add } = await openQueue(await open(t));
    const ids = await Promise.all(Array.from({ length: 10 }, (_, turn) => add(`/${turn}.csv`, turn)));
    const superseded = await Promise.all([
      ...ids.slice(0, 5).map((id) => supersedeUpload(control.write, id, { archivedAs: '/x', at: 1 })),
      ...ids.slice(3, 8).map((id) => withdrawUpload(control.write, id, 1)),
      claimUploads(control.write, 'acme', 1).then(() => false),
    ]);
    const taken = superseded.filter((done) => done).length;
    assert.equal((await claimUploads(control.write, 'acme', 1)).length, 10 - taken);
    for (const id of ids) {
      const { state, settledAt } = (await findUpload(control.read, id))!;
      assert.equal(settledAt === null, state === 'running');
    }
    assert.equal(await withdrawUpload(control.write, ids[9]!, 2), false);
    assert.equal(await supersedeUpload(control.write, ids[9]!, { archivedAs: '/x', at: 2 }), false);
  });

  test('a blob lives as long as a name or a waiting upload needs it; its record stays', async (t) => {
    const { control, add, blobOf } = await openQueue(await open(t));
    const { read, write } = control;
    const waiting = await add('/a.csv', 1);
    const named = await add('/b.csv', 2);
    const gone = await add('/c.csv', 3);
    const attributes = { size: 1, mode: 0o644, mtimeMs: 0, atimeMs: 0, createdAt: 0 };
    const blobId = await blobOf(named);
    const entry = {
      org: 'acme',
      dir: '/',
      name: 'b.csv',
      kind: 'file' as const,
      blobId,
      uploadId: named,
      ...attributes,
    };
    const entryId = await insertEntry(write, entry);
    for (const id of [named, gone]) await withdrawUpload(write, id, 1);
    assert.equal(await isBlobLive(read, await blobOf(waiting)), true);
    assert.equal(await isBlobLive(read, blobId), true);
    assert.equal(await isBlobLive(read, await blobOf(gone)), false);
    assert.deepEqual(
      (await listLiveBlobs(read, null, 10)).map(({ id }) => id),
      [await blobOf(waiting), blobId],
    );
    assert.deepEqual(
      (await listLiveBlobs(read, await blobOf(waiting), 1)).map(({ id }) => id),
      [blobId],
    );
    await deleteEntry(write, entryId);
    assert.equal(await isBlobLive(read, blobId), false);
    assert.deepEqual(await findBlob(read, blobId), {
      ...{
        id: blobId,
        org: 'acme',
        size: 2 ** 33,
        sealedSize: 2 ** 33 + 200,
        sha256: 'aa',
        createdAt: 1,
        sealedTo: null,
      },
    });
    assert.equal((await listBlobs(read, 'acme')).length, 3);
    await deleteOrg(write, 'acme');
    assert.deepEqual(await listBlobs(read, 'acme'), []);
  });

  test('a blob lives while its upload goes from the run into the archive, whenever that is committed', async (t) => {
    const { control, add, blobOf } = await openQueue(await open(t));
    const { read, write, transact } = control;
    // A newer version has taken its name while the run reads it.
    const upload = await add('/a.csv', 1);
    await claimUploads(write, 'acme', 1);
    const blobId = await blobOf(upload);
    const settle = () =>
      transact(async (tx) => {
        const attributes = { size: 1, mode: 0o644, mtimeMs: 0, atimeMs: 0, createdAt: 0 };
        const place = { org: 'acme', dir: '/.archive', name: 'a.csv', kind: 'file' as const };
        await insertEntry(tx, { ...place, ...attributes, blobId, uploadId: upload });
        await settleUpload(tx, upload, { state: 'imported', archivedAs: '/.archive/a.csv', at: 2 });
      });
    assert.equal(await isBlobLive(beforeStatement(read, 2, settle), blobId), true);
    await settle();
    assert.equal(await isBlobLive(read, blobId), true);
  });
});

/**
 * Power cuts, simulated at the moment of each commit: what the transaction is about to promise must last by then. With any
 * one sync left out it does not: so each of them is needed, and together they are enough.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathsOf } from '../../config/paths.js';
import type { Db, Queryable, TransactOptions } from '../../db/connection.js';
import { findUpload } from '../../db/control/uploads.js';
import type { Work } from '../../intake/groupcommit.js';
import { blobPath, openBlob } from '../../storage/blobs.js';
import type { Disk, DiskFile } from '../../storage/disk.js';
import { openFresh } from '../support/databases.js';
import { openIntake, replacing } from '../support/intake.js';
import { randomContent } from '../support/sealing.js';
import type { Scope } from '../support/temporary.js';
import { bind, bufferFile, VolatileDisk, withoutSync } from '../support/volatile.js';
import { watchCommits } from './commits.js';
import { sequence } from './matrix.js';

interface Row {
  id: number;
  blob_id: string;
  size: number;
}

type Snapshot = Map<string, Buffer>;

interface Weakness {
  disk?: (disk: Disk) => Disk;
  control?: (control: Db) => Db;
}

const root = '/volatile';

/** Nothing that was not synced is there; all of it is; any part of it, bytes and names each for themselves. */
function survivals(): (() => number)[] {
  const random = sequence(11);
  return [() => 0, () => 0.999, random, random, random, random];
}

/**
 * Uploads files one after the other and several at once, and looks at each commit what a power cut would leave of the
 * bytes that its rows refer to; then whether every upload that was answered has its row. What is lost, as sentences.
 */
async function uploadAll(scope: Scope, weak: Weakness = {}): Promise<string[]> {
  const databases = await openFresh(scope, 'sqlite');
  const volatile = new VolatileDisk(root);
  const paths = { ...pathsOf(databases.settings), blobs: `${root}/blobs`, partials: `${root}/partials` };
  const begun: { row: Row; snapshots: Snapshot[] }[] = [];
  const weakened = weak.control?.(databases.control) ?? databases.control;
  let last = 0;
  // The snapshot is taken as a transaction begins: later syncs come too late for what it writes.
  const { control, counts } = watchCommits(
    weakened,
    () => survivals().map((survives) => volatile.afterPowerCut(root, survives)),
    async (snapshots) => {
      const rows: Row[] = await databases.control
        .read('uploads')
        .join('blobs', 'blobs.id', 'uploads.blob_id')
        .where('uploads.id', '>', last)
        .orderBy('uploads.id')
        .select('uploads.id', 'blob_id', 'size');
      last = rows.at(-1)?.id ?? last;
      for (const row of rows) begun.push({ row, snapshots });
    },
  );
  const disk = weak.disk?.(volatile) ?? volatile;
  const { intake, identity } = await openIntake(scope, databases, { control, disk, paths });

  const lost: string[] = [];
  const put = async (path: string, bytes: number) => {
    const upload = await intake.begin(path, replacing);
    await upload.write(0, randomContent(bytes));
    const { uploadId } = await upload.finish();
    if ((await findUpload(databases.control.read, uploadId)) === null) lost.push(`upload ${uploadId} has no row`);
  };
  for (const bytes of [0, 10, 200_000]) await put(`/one-${bytes}.csv`, bytes);
  for (let round = 0; round < 5; round++)
    await Promise.all(Array.from({ length: 6 }, (_, n) => put(`/many-${round}-${n % 5}.csv`, n * 30_000)));

  for (const { row, snapshots } of begun)
    for (const snapshot of snapshots) {
      const bytes = snapshot.get(blobPath(paths, row.blob_id));
      const fault = bytes === undefined ? 'has no file' : await openFault(bytes, row, identity);
      if (fault !== null) lost.push(`upload ${row.id} ${fault}`);
    }
  assert.ok(counts.long < counts.all, `${counts.long} of ${counts.all} commits were long transactions`);
  return lost;
}

/** What is wrong with a sealed file, in words; null: nothing. */
async function openFault(bytes: Buffer, { blob_id, size }: Row, identity: string): Promise<string | null> {
  const disk = { open: async () => bufferFile(bytes) } as unknown as Disk;
  try {
    const reader = await openBlob({ blobs: root }, blob_id, identity, disk);
    let read = 0;
    for await (const plain of reader.stream()) read += plain.length;
    return read === size ? null : `has ${read} bytes of ${size}`;
  } catch (error) {
    return (error as Error).message;
  }
}

test('with every sync in its place nothing is lost', async (t) => {
  assert.deepEqual(await uploadAll(t), []);
});

const weaknesses: [missing: string, weak: Weakness][] = [
  ["the sync of the file's bytes", { disk: (disk) => withFiles(disk, (file) => ({ ...file, sync: async () => {} })) }],
  ['the sync of the folder that gets the name', { disk: (disk) => withoutSync(disk, /\/blobs\/..$/) }],
  ['the sync of the folder that gets a new folder', { disk: (disk) => withoutSync(disk, /\/blobs$/) }],
  ['the sync of the data folder that gets the folder of blobs', { disk: (disk) => withoutSync(disk, /^\/volatile$/) }],
  ['the commit before the answer', { control: forgetCommits }],
];

for (const [missing, weak] of weaknesses)
  test(`without ${missing} something is lost`, async (t) => {
    assert.notDeepEqual(await uploadAll(t, weak), []);
  });

test('the control database is synced at each commit', async (t) => {
  const { control } = await openFresh(t, 'sqlite');
  for (const knex of [control.read, control.write]) {
    assert.deepEqual(await knex.raw('PRAGMA synchronous'), [{ synchronous: 2 }]);
    assert.deepEqual(await knex.raw('PRAGMA journal_mode'), [{ journal_mode: 'wal' }]);
  }
});

function withFiles(disk: Disk, change: (file: DiskFile) => DiskFile): Disk {
  return { ...bind(disk), create: async (path) => change(await disk.create(path)) };
}

/** Answers as if it had committed. */
function forgetCommits(control: Db): Db {
  const undone = new Error('undone');
  const transact = async (work: Work<unknown>, options?: TransactOptions) => {
    let result: unknown;
    const undo = async (tx: Queryable) => {
      result = await work(tx);
      throw undone;
    };
    await control.transact(undo, options).catch((error) => {
      if (error !== undone) throw error;
    });
    return result;
  };
  return { ...control, transact: transact as Db['transact'] };
}

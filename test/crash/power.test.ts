/**
 * Power cuts, simulated at the moment of each commit: what the transaction is about to promise must last by then. With any
 * one sync left out it does not: so each of them is needed, and together they are enough.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathsOf } from '../../config/paths.js';
import type { Db, Queryable } from '../../db/connection.js';
import { findUpload } from '../../db/control/uploads.js';
import { blobPath, openBlob } from '../../storage/blobs.js';
import type { Disk, DiskFile } from '../../storage/disk.js';
import { openFresh } from '../support/databases.js';
import { openIntake, replacing } from '../support/intake.js';
import { randomContent } from '../support/sealing.js';
import type { Scope } from '../support/temporary.js';
import { bufferFile, VolatileDisk } from '../support/volatile.js';
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
  const control = watchCommits(
    weakened,
    (rows, snapshots) => {
      for (const row of rows) begun.push({ row, snapshots });
    },
    () => survivals().map((survives) => volatile.afterPowerCut(root, survives)),
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
  return lost;
}

/** `snapshot` is taken as a transaction begins: later syncs come too late for what it writes. */
function watchCommits(control: Db, told: (rows: Row[], snapshots: Snapshot[]) => void, snapshot: () => Snapshot[]): Db {
  let last = 0;
  return withTransactions(control, (work) => {
    const snapshots = snapshot();
    return control.transact(async (tx) => {
      const result = await work(tx);
      const rows: Row[] = await tx('uploads')
        .join('blobs', 'blobs.id', 'uploads.blob_id')
        .where('uploads.id', '>', last)
        .orderBy('uploads.id')
        .select('uploads.id', 'blob_id', 'size');
      last = rows.at(-1)?.id ?? last;
      told(rows, snapshots);
      return result;
    });
  });
}

function withTransactions(control: Db, transact: (work: (tx: Queryable) => Promise<unknown>) => Promise<unknown>): Db {
  return { ...control, transact: transact as Db['transact'] };
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

function withoutSync(disk: Disk, folders: RegExp): Disk {
  return { ...bind(disk), syncFolder: async (path) => (folders.test(path) ? undefined : disk.syncFolder(path)) };
}

/** An object of its own methods, which can be spread. */
function bind(disk: Disk): Disk {
  return {
    create: (path) => disk.create(path),
    open: (path) => disk.open(path),
    makeFolder: (path) => disk.makeFolder(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncFolder: (path) => disk.syncFolder(path),
    list: (path) => disk.list(path),
    stat: (path) => disk.stat(path),
    freeBytes: (path) => disk.freeBytes(path),
  };
}

/** Answers as if it had committed. */
function forgetCommits(control: Db): Db {
  return withTransactions(control, async (work) => {
    let result: unknown;
    const undone = new Error('undone');
    await control
      .transact(async (tx) => {
        result = await work(tx);
        throw undone;
      })
      .catch((error) => {
        if (error !== undone) throw error;
      });
    return result;
  });
}

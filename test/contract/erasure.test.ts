/** The rows of stored files that are erased, while clients rename files and importers work, on both databases. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Db, Queryable } from '../../db/connection.js';
import { findBlob, insertBlob, isBlobLive } from '../../db/control/blobs.js';
import { findEntry, insertEntry, lockEntry, updateEntry } from '../../db/control/entries.js';
import { redactRuns, renameMentions } from '../../db/control/erasednames.js';
import { removeNames, replaceBlob } from '../../db/control/erasure.js';
import { retireHeldReports } from '../../db/control/heldreports.js';
import { insertOrg } from '../../db/control/orgs.js';
import { claimRun, findRun, finishRun, openManualRun } from '../../db/control/runs.js';
import { placeAgain } from '../../db/control/settle.js';
import { findUpload, insertUpload, queueUpload, type UploadRow } from '../../db/control/uploads.js';
import { isLockAwaited, onBothDatabases, type TestDatabases } from '../support/databases.js';
import { sender } from '../support/intake.js';
import { sampleOrg } from '../support/samples.js';
import { until } from '../support/session.js';

const blobId = '1'.repeat(32);
const blobOf = (id: string) => ({ id, org: 'acme', size: 1, sealedSize: 201, sha256: 'aa', createdAt: 1 });
const attributes = { size: 1, mode: 0o644, mtimeMs: 0, atimeMs: 0, createdAt: 0 };
const fileAt = (dir: string, name: string, uploadId: number) => ({
  ...{ org: 'acme', dir, name, kind: 'file' as const, blobId, uploadId },
  ...attributes,
});

/** A file under a temporary name; its upload. */
async function openFile({ control }: TestDatabases): Promise<{ control: Db; upload: number }> {
  await insertOrg(control.write, sampleOrg('acme'));
  await insertBlob(control.write, blobOf(blobId));
  const times = { begunAt: 0, closedAt: 1 };
  const upload = await insertUpload(control.write, {
    ...{ org: 'acme', path: '/ann.part', blobId, state: 'stored', ...sender },
    ...times,
  });
  await insertEntry(control.write, fileAt('/', 'ann.part', upload));
  return { control, upload };
}

/** The result of `second`, which begins before `first` is committed. On SQLite it waits for its first statement. */
async function during<T>(
  { dialect, read, transact }: Db,
  first: (tx: Queryable) => Promise<unknown>,
  second: (tx: Queryable) => Promise<T>,
): Promise<T> {
  let isEnded = false;
  let ending: Promise<T> | null = null;
  await transact(async (tx) => {
    await first(tx);
    ending = transact(second).finally(() => {
      isEnded = true;
    });
    ending.catch(() => {});
    if (dialect === 'postgres') await until(async () => isEnded || isLockAwaited(read), 'it waits for a row');
  });
  return ending!;
}

const statesOf = async (db: Queryable) =>
  (await db<Pick<UploadRow, 'state'>>('uploads').orderBy('id').select('state')).map(({ state }) => state);

onBothDatabases('the erasure of stored files', (open) => {
  test('a file that its sender renames to its final name at this moment keeps name and bytes', async (t) => {
    const { control, upload } = await openFile(await open(t));
    const isRemoved = await during(
      control,
      async (tx) => {
        await updateEntry(tx, (await lockEntry(tx, 'acme', '/ann.part'))!.id, { name: 'ann.csv' });
        await queueUpload(tx, upload, '/ann.csv', 2);
      },
      (tx) => removeNames(tx, 'acme', blobId),
    );
    assert.equal(isRemoved, false);
    assert.equal((await findEntry(control.read, 'acme', '/ann.csv'))?.uploadId, upload);
    assert.equal(await isBlobLive(control.read, blobId), true);
  });

  test('an archived file that an operator queues again at this moment keeps name and bytes', async (t) => {
    const { control, upload } = await openFile(await open(t));
    await control.write('uploads').where({ id: upload }).update({ state: 'imported' });
    const isRemoved = await during(
      control,
      async (tx) => {
        await lockEntry(tx, 'acme', '/ann.part');
        const sent = { org: 'acme', path: '/ann.csv', blobId, ...sender };
        const again = await insertUpload(tx, { ...sent, state: 'queued', begunAt: 2, closedAt: 2 });
        await insertEntry(tx, fileAt('/', 'ann.csv', again));
      },
      (tx) => removeNames(tx, 'acme', blobId),
    );
    assert.equal(isRemoved, false);
    assert.notEqual(await findEntry(control.read, 'acme', '/ann.csv'), null);
  });

  test('a file that waits for no import loses its names, and one whose options queue it at this moment does not', async (t) => {
    const { control, upload } = await openFile(await open(t));
    // The setting of names has no entry in hand.
    const isRemoved = await during(
      control,
      (tx) => queueUpload(tx, upload, '/ann.part', 2),
      (tx) => removeNames(tx, 'acme', blobId),
    );
    assert.deepEqual([isRemoved, await statesOf(control.read)], [false, ['queued']]);
    await control.write('uploads').where({ id: upload }).update({ state: 'stored' });
    assert.equal(await control.transact((tx) => removeNames(tx, 'acme', blobId)), true);
    assert.deepEqual(await statesOf(control.read), ['withdrawn']);
    assert.equal(await isBlobLive(control.read, blobId), false);
  });

  test('a file that a run claims at this moment keeps the bytes that the run reads', async (t) => {
    const { control, upload } = await openFile(await open(t));
    await control.write('uploads').where({ id: upload }).update({ state: 'queued' });
    const run = await openManualRun(control.write, 'acme', 1);
    const replaced = await during(
      control,
      (tx) => claimRun(tx, 'test', 2, 60_000, run),
      (tx) => replaceBlob(tx, blobOf('2'.repeat(32)), blobId),
    );
    assert.equal(replaced, null);
    assert.deepEqual(await statesOf(control.read), ['running']);
    assert.equal((await findUpload(control.read, upload))?.blobId, blobId);
    assert.notEqual(await findBlob(control.read, blobId), null);
  });

  test('a report that is erased at this moment gets no second name, and one that is renamed keeps that name', async (t) => {
    const { control } = await openFile(await open(t));
    const report = { ...fileAt('/reports', 'ann.held.csv', 0), uploadId: null };
    await insertEntry(control.write, report);
    await during(
      control,
      (tx) => removeNames(tx, 'acme', blobId),
      (tx) => placeAgain(tx, 'acme', '/reports/ann.held.csv', '/archive/ann.csv', 2),
    );
    assert.equal(await isBlobLive(control.read, blobId), false);
    await insertEntry(control.write, report);
    const hold = { at: 1, today: '2026-03-10', digest: '', reports: ['/reports/ann.held.csv'] };
    await during(
      control,
      (tx) => renameMentions(tx, 'acme', redact),
      (tx) => retireHeldReports(tx, { org: 'acme', hold }, 'was-held'),
    );
    assert.notEqual(await findEntry(control.read, 'acme', '/reports/erased.held.csv'), null);
  });

  const redact = (path: string) => path.replaceAll('ann', 'erased');

  test('a name that its sender changes at this moment is not set back', async (t) => {
    const { control, upload } = await openFile(await open(t));
    const renamed = await during(
      control,
      async (tx) => {
        await updateEntry(tx, (await lockEntry(tx, 'acme', '/ann.part'))!.id, { name: 'users.csv' });
        await queueUpload(tx, upload, '/users.csv', 2);
      },
      (tx) => renameMentions(tx, 'acme', redact),
    );
    assert.equal(renamed, 0);
    assert.notEqual(await findEntry(control.read, 'acme', '/users.csv'), null);
    assert.equal((await findUpload(control.read, upload))?.path, '/users.csv');
    await control.write('uploads').where({ id: upload }).update({ path: '/of ann.csv', state: 'stored' });
    await during(
      control,
      (tx) => queueUpload(tx, upload, '/ann.csv', 3),
      (tx) => renameMentions(tx, 'acme', redact),
    );
    assert.equal((await findUpload(control.read, upload))?.path, '/erased.csv');
    assert.deepEqual(await control.read('uploads').pluck('closed_path'), ['/erased.part']);
  });

  test('the summary of a run that ends at this moment is kept, without the mention', async (t) => {
    const { control } = await openFile(await open(t));
    await openManualRun(control.write, 'acme', 1);
    const run = (await claimRun(control.write, 'test', 2, 60_000))!;
    await control
      .write('runs')
      .where({ id: run.id })
      .update({ summary: JSON.stringify({ of: 'ann, earlier' }) });
    const redacted = await during(
      control,
      (tx) => finishRun(tx, run, { of: 'ann, at its end' }, 3),
      (tx) => redactRuns(tx, 'acme', { ofText: redact, ofPath: redact }),
    );
    assert.equal(redacted, 1);
    assert.deepEqual((await findRun(control.read, run.id))?.summary, { of: 'erased, at its end' });
  });
});

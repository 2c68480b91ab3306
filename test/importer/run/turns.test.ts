/** Which run an importer takes next: organizations in turns, small files before large ones within limits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Db } from '../../../db/connection.js';
import { insertBlob } from '../../../db/control/blobs.js';
import { readEvents } from '../../../db/control/events.js';
import { insertOrg } from '../../../db/control/orgs.js';
import {
  claimRun,
  dropRun,
  findRun,
  finishRun,
  hasWaitingRun,
  openManualRun,
  type Run,
  releaseRun,
} from '../../../db/control/runs.js';
import { insertUpload } from '../../../db/control/uploads.js';
import { findType } from '../../../events/types.js';
import { importMoment } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';
import { sampleOrg } from '../../support/samples.js';

const leaseMs = 30_000;
const mebibyte = 1024 ** 2;

onBothDatabases('turns', (open) => {
  /** Organizations with a queued file of some MiB each, and runs opened in this order, a second apart. */
  async function queue(control: Db, sizes: Record<string, number>): Promise<void> {
    let at = importMoment;
    for (const [org, size] of Object.entries(sizes)) {
      await insertOrg(control.write, sampleOrg(org, {}));
      const bytes = size * mebibyte;
      const blob = { id: org, org, size: bytes, sealedSize: bytes, sha256: org, createdAt: at };
      await insertBlob(control.write, blob);
      await insertUpload(control.write, {
        ...{ org, path: '/users.csv', blobId: org, state: 'queued', keyFingerprint: null, address: null, client: null },
        ...{ begunAt: at, closedAt: at },
      });
      await openManualRun(control.write, org, at);
      at += 1_000;
    }
  }
  const claimOf = (control: Db) => (at: number, mostBytes?: number) =>
    claimRun(control.write, 'test', at, leaseMs, undefined, mostBytes);
  const orgsOf = (runs: (Run | null)[]) => runs.map((run) => run?.org ?? null);

  test('small files go before large ones, and a large one waits ten minutes longer at most', async (t) => {
    const { control } = await open(t);
    await queue(control, { huge: 5_000, large: 100, small: 1 / 64, tiny: 0 });
    const claim = claimOf(control);
    const first = [await claim(importMoment + 4_000), await claim(importMoment + 4_000)];
    assert.deepEqual(orgsOf(first), ['small', 'tiny']);
    await insertOrg(control.write, sampleOrg('later', {}));
    await openManualRun(control.write, 'later', importMoment + 601_000);
    const at = importMoment + 602_000;
    assert.deepEqual(orgsOf([await claim(at), await claim(at), await claim(at)]), ['large', 'huge', 'later']);
  });

  test('the importer for small files takes no large ones', async (t) => {
    const { control } = await open(t);
    await queue(control, { large: 100, small: 1 });
    const claim = claimOf(control);
    const claimed = [await claim(importMoment, 4 * mebibyte), await claim(importMoment, 4 * mebibyte)];
    assert.deepEqual(orgsOf(claimed), ['small', null]);
    assert.deepEqual(orgsOf([await claim(importMoment)]), ['large']);
  });

  test('an organization with many runs takes turns with the others, one run at a time', async (t) => {
    const { control } = await open(t);
    await queue(control, { busy: 0, other: 0 });
    const claim = claimOf(control);
    // Slots of a busy organization: all opened before the run of the other one.
    for (const time of ['01:00', '02:00'])
      await control.write('runs').insert({
        ...{ org_id: 'busy', kind: 'slot', slot_date: '2026-03-10', slot_time: time, state: 'open' },
        opened_at: importMoment - 60_000,
      });
    const first = (await claim(importMoment + 5_000))!;
    assert.equal(first.org, 'busy');
    const second = (await claim(importMoment + 5_000))!;
    assert.equal(second.org, 'other', 'one run of an organization at a time');
    await finishRun(control.write, first, null, importMoment + 6_000);
    await openManualRun(control.write, 'other', importMoment + 7_000);
    await finishRun(control.write, second, null, importMoment + 8_000);
    const third = (await claim(importMoment + 9_000))!;
    assert.equal(third.org, 'busy');
    await finishRun(control.write, third, null, importMoment + 9_500);
    assert.equal((await claim(importMoment + 10_000))!.org, 'other', 'its turn, though busy has an older run');
  });

  test('a run begins once, with its claim, and its event names a hundred of its files', async (t) => {
    const { control } = await open(t);
    await queue(control, { many: 0 });
    const [row] = await control.read('uploads');
    const { id: _, ...more } = row;
    await control.write.batchInsert(
      'uploads',
      Array.from({ length: 150 }, () => more),
      50,
    );
    const events = async () =>
      (await readEvents(control.read, { after: 0, to: Number.MAX_SAFE_INTEGER, limit: 10 })).map(({ type, data }) => ({
        type,
        data,
      }));
    const run = (await claimOf(control)(importMoment))!;
    const [started] = await events();
    findType('run.started')!.data.parse(started!.data);
    const { files, uploads, kind } = started!.data as { files: number; uploads: number[]; kind: string };
    assert.deepEqual(
      [started!.type, files, kind, uploads.length, uploads[0]],
      ['run.started', 151, 'manual', 100, row.id],
    );
    await releaseRun(control.write, run, true);
    await claimOf(control)(importMoment);
    assert.equal((await events()).length, 1);
    // As a version left it that recorded the event after the claim, and was killed before that.
    await control.write('events').delete();
    await releaseRun(control.write, { ...run, attempts: 2 }, true);
    await claimOf(control)(importMoment);
    assert.deepEqual(
      (await events()).map(({ data }) => data.files),
      [151],
    );
    // A slot without a file says nothing.
    await insertOrg(control.write, sampleOrg('idle', {}));
    await control
      .write('runs')
      .insert({ org_id: 'idle', kind: 'slot', slot_date: '2026-01-01', state: 'open', opened_at: 1 });
    assert.equal((await claimOf(control)(importMoment))!.org, 'idle');
    assert.equal((await events()).length, 1);
  });

  test('an importer that lost a run neither removes it nor takes its files', async (t) => {
    const { control } = await open(t);
    await queue(control, { acme: 0 });
    const lost = (await claimOf(control)(importMoment))!;
    const later = importMoment + 2 * leaseMs;
    const taken = (await claimRun(control.write, 'other', later, leaseMs))!;
    assert.equal(taken.id, lost.id);
    await dropRun(control.write, lost);
    const [upload] = await control.read('uploads');
    assert.deepEqual([upload.state, upload.run_id], ['running', taken.id]);
    assert.equal((await findRun(control.read, taken.id))!.leaseOwner, 'other');
    await dropRun(control.write, taken);
    const [queued] = await control.read('uploads');
    assert.deepEqual([queued.state, queued.run_id], ['queued', null]);
    assert.equal(await findRun(control.read, taken.id), null);
  });

  test('a run waits only if none of its organization is worked on', async (t) => {
    const { control } = await open(t);
    await queue(control, { acme: 0 });
    assert.equal(await hasWaitingRun(control.read, importMoment + 1), true);
    assert.equal(await hasWaitingRun(control.read, importMoment), false, 'it has only just been opened');
    await claimOf(control)(importMoment);
    await openManualRun(control.write, 'acme', importMoment);
    assert.equal(await hasWaitingRun(control.read, importMoment + 1), false);
  });
});

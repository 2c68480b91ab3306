/** The stores of sources and of the files that were taken from them, on both databases. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listArrivals, listOpenAlarms, setDoorAlarm } from '../../db/control/alarms.js';
import { deleteOrg, insertOrg } from '../../db/control/orgs.js';
import {
  followAbsent,
  forgetTaken,
  listTaken,
  listUploadStates,
  markLeaving,
  markRefused,
  recordSeen,
  recordTaken,
  settleTaken,
} from '../../db/control/sourcefiles.js';
import {
  claimSource,
  findSource,
  holdSource,
  insertSource,
  listDueSources,
  listSources,
  releaseSource,
  type SourceConfig,
  updateSource,
} from '../../db/control/sources.js';
import { onEveryDatabase } from '../support/databases.js';
import { openIntake } from '../support/intake.js';
import { sampleOrg } from '../support/samples.js';

const config: SourceConfig = {
  kind: 'folder',
  ...{ dir: '/hr', patterns: [], after: { kind: 'delete' }, into: '/', poll: true, marker: null, isMount: false },
};

onEveryDatabase('sources', (open) => {
  test('a lease has one holder until it ends; results and files are found again', async (t) => {
    const databases = await open(t);
    const { control, put, org } = await openIntake(t, databases);
    const { write, read } = control;
    const id = await insertSource(write, {
      org: org.id,
      config,
      secret: null,
      state: 'active',
      nextAt: 100,
      createdAt: 1,
    });
    const other = await insertSource(write, {
      org: org.id,
      config,
      secret: 's',
      state: 'disabled',
      nextAt: 0,
      createdAt: 1,
    });
    assert.deepEqual([await listDueSources(read, 99, 9), await listDueSources(read, 100, 9)], [[], [id]]);
    assert.equal((await listSources(read, { org: org.id, kind: 'folder' })).length, 2);
    assert.deepEqual(await listSources(read, { kind: 'sftp' }), []);

    assert.equal(await claimSource(write, id, 'one', 100, 200), true);
    assert.equal(await claimSource(write, id, 'two', 150, 250), false);
    assert.deepEqual(await listDueSources(read, 150, 9), []);
    assert.deepEqual([await holdSource(write, id, 'two', 300), await holdSource(write, id, 'one', 300)], [false, true]);
    assert.equal(await claimSource(write, id, 'two', 301, 400), true);
    assert.equal(await holdSource(write, id, 'one', 500), false, 'it lost the lease');
    await releaseSource(write, id, 'two');
    const result = { listed: 1, taken: 1, bytes: 5, unchanged: 0, waiting: 0, problems: ['x'] };
    await updateSource(write, id, {
      result,
      failures: 2,
      failure: 'f',
      failureCode: 'login',
      failedAt: 3,
      nextAt: 400,
    });
    const found = (await findSource(read, id))!;
    assert.deepEqual([found.result, found.config, found.failures, found.leaseUntil], [result, config, 2, 0]);

    const { uploadId, sha256 } = await put('/a.csv', 'x');
    const file = { name: 'a.csv', size: 5_000_000_000, mtimeMs: 1_700_000_000_000, sha256, uploadId, isPending: true };
    await control.transact((tx) => recordTaken(tx, id, file, 1000));
    await control.transact((tx) => recordTaken(tx, id, { ...file, size: 6 }, 2000));
    assert.deepEqual(await listTaken(read, id), [{ ...file, size: 6, goneAt: null }]);
    assert.deepEqual(await listTaken(read, other), []);
    assert.deepEqual(await listUploadStates(read, [uploadId]), new Map([[uploadId, 'queued']]));
    assert.equal((await listArrivals(read, org.id, 10)).length, 1);
    await recordSeen(write, id, { ...file, size: 6 }, 9_999_999_999_999);
    assert.equal((await listArrivals(read, org.id, 10))[0]!.at, 9_999_999_999_999);

    await settleTaken(write, id, file);
    await control.transact((tx) => followAbsent(tx, id, { gone: ['a.csv'], back: [] }, 3000, 0));
    assert.deepEqual(await listTaken(read, id), [{ ...file, size: 6, isPending: false, goneAt: 3000 }]);
    await control.transact((tx) => followAbsent(tx, id, { gone: [], back: ['a.csv'] }, 4000, 3500));
    assert.equal((await listTaken(read, id))[0]!.goneAt, null);
    await control.transact((tx) => followAbsent(tx, id, { gone: ['a.csv'], back: [] }, 5000, 0));
    await control.transact((tx) => followAbsent(tx, id, { gone: [], back: [] }, 9000, 6000));
    assert.deepEqual(await listTaken(read, id), []);
    await control.transact((tx) => recordTaken(tx, id, file, 1000));
    await forgetTaken(write, id, file);
    assert.deepEqual(await listTaken(read, id), []);
  });

  test('a node that stood still changes nothing of the version that another one has taken since', async (t) => {
    const databases = await open(t);
    const { control, org, put } = await openIntake(t, databases);
    const { write, read } = control;
    const id = await insertSource(write, {
      org: org.id,
      config,
      secret: null,
      state: 'active',
      nextAt: 0,
      createdAt: 0,
    });
    const [older, newer] = [await put('/a.csv', 'older'), await put('/a.csv', 'newer')];
    const file = { name: 'a.csv', size: 5, mtimeMs: 1, sha256: 'aa', uploadId: newer.uploadId, isPending: true };
    await control.transact((tx) => recordTaken(tx, id, file, 1000));
    const before = { ...file, uploadId: older.uploadId };
    for (const act of [forgetTaken, markLeaving, markRefused, settleTaken]) await act(write, id, before);
    await recordSeen(write, id, { ...before, size: 7 }, 2000);
    assert.deepEqual(await listTaken(read, id), [{ ...file, goneAt: null }]);
  });

  test('a clock that was ahead for a while stops no source', async (t) => {
    const databases = await open(t);
    const { control, org } = await openIntake(t, databases);
    const { write, read } = control;
    const day = 86_400_000;
    const [now, ahead] = [1_000 * day, 1_365 * day];
    const add = (createdAt: number, nextAt: number) =>
      insertSource(write, { org: org.id, config, secret: null, state: 'active', nextAt, createdAt });
    const due = () => listDueSources(read, now, 9);
    const [soon, weekly] = [await add(0, now + day), await add(0, now + 14 * day)];
    await updateSource(write, soon, { lastAt: now - 1 });
    assert.deepEqual(await due(), []);
    const far = await add(0, ahead);
    const lastAhead = await add(0, now + 5 * day);
    await updateSource(write, lastAhead, { lastAt: now + 5 * day - 1 });
    const addedAhead = await add(now + 2 * day, now + 2 * day);
    assert.deepEqual((await due()).sort(), [far, lastAhead, addedAhead].sort());
    // A lease that was taken then.
    assert.equal(await claimSource(write, far, 'gone', ahead, ahead + 120_000), true);
    assert.ok((await due()).includes(far));
    assert.equal(await claimSource(write, far, 'one', now, now + 120_000), true);
    assert.equal(await claimSource(write, far, 'two', now + 1, now + 120_001), false);
    assert.equal((await due()).includes(far), false);
    assert.ok(weekly > 0);
  });

  test('an alarm of a source opens and ends once; a removed organization leaves no source', async (t) => {
    const { control } = await open(t);
    await insertOrg(control.write, sampleOrg('acme'));
    const id = await insertSource(control.write, {
      ...{ org: 'acme', config, secret: null, state: 'active', nextAt: 100, createdAt: 1 },
    } as const);
    await control.transact((tx) =>
      recordTaken(tx, id, { name: 'a', size: 1, mtimeMs: 1, sha256: 'x', uploadId: 1, isPending: false }, 1),
    );
    const alarm = { kind: 'source_failing', subject: `folder ${id}`, detail: { since: 5 } } as const;
    const set = (isOn: boolean, at: number) => control.transact((tx) => setDoorAlarm(tx, 'acme', alarm, isOn, at));
    assert.deepEqual([await set(true, 10), await set(true, 11)], [true, false]);
    assert.equal((await listOpenAlarms(control.read, 'acme')).length, 1);
    assert.deepEqual([await set(false, 12), await set(false, 13)], [true, false]);
    await control.transact((tx) => deleteOrg(tx, 'acme'));
    assert.deepEqual([await listSources(control.read), await control.read('source_files').select()], [[], []]);
  });
});

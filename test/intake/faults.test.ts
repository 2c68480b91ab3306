/** The disk or the database fails at any moment of an upload: the client is told, nothing is queued, the server lives on. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { Db } from '../../db/connection.js';
import { listAudit } from '../../db/control/audit.js';
import { isBlobLive } from '../../db/control/blobs.js';
import { listAllPartials } from '../../db/control/partials.js';
import { listQueue } from '../../db/control/uploads.js';
import { type Disk, type DiskFile, systemDisk } from '../../storage/disk.js';
import { sweepOrphans } from '../../storage/orphans.js';
import { SpaceError } from '../../storage/types.js';
import { onBothInLongTests } from '../support/databases.js';
import { openIntake, replacing, type TestIntake } from '../support/intake.js';
import { randomContent } from '../support/sealing.js';

interface Fault {
  /** The operation that fails, counted from 1; 0: none. */
  at: number;
  code: string;
  /** Whether it does its work before it says that it failed. */
  isLate: boolean;
}

/** A disk that fails once, or short: the last write takes half of what it was given. */
function faultyDisk(): { disk: Disk; fault: Fault; done: string[] } {
  const fault: Fault = { at: 0, code: 'EIO', isLate: false };
  const done: string[] = [];
  const attempt = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    done.push(name);
    const fails = done.length === fault.at;
    if (fails && !fault.isLate) throw Object.assign(new Error(`${fault.code}: injected`), { code: fault.code });
    const result = await work();
    if (fails) throw Object.assign(new Error(`${fault.code}: injected`), { code: fault.code });
    return result;
  };
  const openFile = (file: DiskFile): DiskFile => ({
    read: (...args) => attempt('read', () => file.read(...args)),
    writev: (pieces) => attempt('writev', () => file.writev(pieces)),
    stat: () => attempt('fstat', () => file.stat()),
    sync: () => attempt('sync', () => file.sync()),
    datasync: () => attempt('datasync', () => file.datasync()),
    close: () => attempt('close', () => file.close()),
  });
  const disk: Disk = {
    create: (path) => attempt('create', async () => openFile(await systemDisk.create(path))),
    open: (path) => attempt('open', async () => openFile(await systemDisk.open(path))),
    makeFolder: (path) => attempt('makeFolder', () => systemDisk.makeFolder(path)),
    rename: (from, to) => attempt('rename', () => systemDisk.rename(from, to)),
    remove: (path) => attempt('remove', () => systemDisk.remove(path)),
    syncFolder: (path) => attempt('syncFolder', () => systemDisk.syncFolder(path)),
    list: (path) => attempt('list', () => systemDisk.list(path)),
    stat: (path) => attempt('stat', () => systemDisk.stat(path)),
    freeBytes: (path) => attempt('freeBytes', () => systemDisk.freeBytes(path)),
  };
  return { disk, fault, done };
}

/** Rolls back a transaction whose COMMIT is to fail. */
class CommitFailed extends Error {}

/** A database whose next transactions fail: as they begin, or as they are committed. */
function faultyDb(control: Db): { control: Db; fail: { begins: number; commits: number; code: string } } {
  const fail = { begins: 0, commits: 0, code: 'SQLITE_BUSY' };
  const broken = () => Object.assign(new Error(`${fail.code}: injected`), { code: fail.code });
  const transact = async (work: (tx: never) => Promise<unknown>) => {
    if (fail.begins > 0) {
      fail.begins--;
      return control.transact(() => Promise.reject(broken()));
    }
    const isCommitFailing = fail.commits > 0;
    if (isCommitFailing) fail.commits--;
    return control
      .transact(async (tx) => {
        const result = await work(tx as never);
        if (isCommitFailing) throw new CommitFailed();
        return result;
      })
      .catch((error) => {
        throw error instanceof CommitFailed ? broken() : error;
      });
  };
  return { control: { ...control, transact: transact as Db['transact'] }, fail };
}

async function send({ intake }: TestIntake, path: string, content: Buffer): Promise<void> {
  const upload = await intake.begin(path, replacing);
  try {
    for (let at = 0; at < content.length; at += 200_000) await upload.write(at, content.subarray(at, at + 200_000));
  } catch (error) {
    // As OpenSSH's client: it closes what failed, and does not mind the answer.
    await upload.finish().catch(() => {});
    throw error;
  }
  await upload.finish();
}

async function queued({ control }: TestIntake): Promise<string[]> {
  return (await listQueue(control.read, 'acme')).map(({ path }) => path);
}

/** Every name has its bytes, and what is left besides is told by `leftOvers`. */
async function leftOvers({ control, paths }: TestIntake): Promise<{ blobs: number; partials: number }> {
  const live = await control.read('entries').whereNotNull('blob_id').select('blob_id');
  const files = existsSync(paths.blobs)
    ? readdirSync(paths.blobs, { recursive: true, withFileTypes: true }).filter((file) => file.isFile())
    : [];
  const names = new Set(files.map((file) => file.name));
  for (const { blob_id } of live) assert.ok(names.has(blob_id), 'a name without its bytes');
  let blobs = 0;
  for (const name of names) if (!(await isBlobLive(control.read, name))) blobs++;
  return { blobs, partials: existsSync(paths.partials) ? readdirSync(paths.partials).length : 0 };
}

onBothInLongTests('faults', (open) => {
  test('each operation of the disk in turn: the client is told, or all is well', async (t) => {
    const databases = await open(t);
    const { disk, fault, done } = faultyDisk();
    const place = await openIntake(t, databases, { disk });
    const content = randomContent(500_000);
    await send(place, '/first.csv', content);
    let tried = 0;
    let told = 0;
    for (const code of ['ENOSPC', 'EIO', 'EMFILE', 'EROFS'])
      for (const isLate of [false, true])
        for (let at = 1; ; at++) {
          const path = `/${code}-${isLate ? 'late' : 'early'}-${at}.csv`;
          place.clock.now += 2000; // the free space is looked at again
          done.length = 0;
          Object.assign(fault, { at, code, isLate });
          const failure = await send(place, path, content).then(
            () => null,
            (error: unknown) => error,
          );
          fault.at = 0;
          if (failure !== null) {
            assert.ok(failure instanceof SpaceError, String(failure));
            assert.equal(failure.code, 'failed');
            assert.deepEqual((await queued(place)).includes(path), false, `${code} at ${done[at - 1]}`);
            await assert.rejects(place.space.stat(path), { code: 'not_found' });
            told++;
          } else {
            assert.ok((await queued(place)).includes(path));
          }
          assert.equal(place.service.openUploads(), 0);
          if (done.length < at) break; // there is no such operation any more: the upload went well
          tried++;
        }
    assert.ok(tried >= 40 && told >= 40, `${tried} faults, ${told} told`);
    await send(place, '/last.csv', content);
    const { blobs, partials } = await leftOvers(place);
    // Where removing failed itself, or closing after the move did: left for the sweeps of orphans and partials.
    assert.ok(blobs + partials <= 16, `${blobs} blobs and ${partials} partials`);
    const failed = (await listAudit(place.control.read, 'acme')).filter(({ action }) => action === 'upload.failed');
    assert.ok(
      failed.length > 0 && failed.every(({ detail }) => detail.outcome === 'failed' && detail.reason === 'failed'),
    );
  });

  for (const end of ['finish', 'abort'] as const)
    test(`after a sync that failed, a second one does not help: ${end}`, async (t) => {
      const { disk, fault, done } = faultyDisk();
      const place = await openIntake(t, await open(t), { disk });
      const content = randomContent(400_000);
      const upload = await place.intake.begin('/users.csv', replacing);
      await upload.write(0, content);
      await upload.sync();
      fault.at = done.length + 1;
      await assert.rejects(upload.sync(), /injected/);
      assert.equal(done.at(-1), 'datasync');
      await assert.rejects(upload.sync(), 'the system would report success now');
      if (end === 'finish') await assert.rejects(upload.finish(), /injected/);
      else await upload.abort();
      assert.deepEqual(await queued(place), []);
      assert.deepEqual(await leftOvers(place), { blobs: 0, partials: 0 });
      await assert.rejects(place.space.stat('/users.csv'), { code: 'not_found' });
      await send(place, '/users.csv', content);
      assert.deepEqual(await queued(place), ['/users.csv']);
    });

  test('a connection that dies while the disk fails leaves the server alive, and at most something to resume', async (t) => {
    const databases = await open(t);
    const { disk, fault, done } = faultyDisk();
    const place = await openIntake(t, databases, { disk });
    const content = randomContent(400_000);
    for (let at = 1; ; at++) {
      done.length = 0;
      fault.at = at;
      place.clock.now += 2000;
      const upload = await place.intake.begin('/users.csv', replacing).catch(() => null);
      await upload?.write(0, content).catch(() => {});
      await upload?.abort();
      fault.at = 0;
      assert.deepEqual(await queued(place), []);
      const size = await place.space.stat('/users.csv').then(
        (entry) => entry.size,
        () => 0,
      );
      assert.ok(size === 0 || size === 399_999);
      if (size > 0) {
        const reader = await place.space.openRead('/users.csv');
        assert.ok(content.subarray(0, size).equals(await reader.read(0, size)));
        await reader.close();
      }
      if (done.length < at) break;
    }
    assert.equal(place.service.openUploads(), 0);
    await send(place, '/users.csv', content);
    assert.deepEqual(await queued(place), ['/users.csv']);
  });

  for (const code of ['SQLITE_BUSY', 'SQLITE_FULL', '08006'])
    for (const when of ['begins', 'commits'] as const)
      test(`the database fails with ${code} as a transaction ${when.slice(0, -1)}s`, async (t) => {
        const databases = await open(t);
        const { control, fail } = faultyDb(databases.control);
        const place = await openIntake(t, { ...databases, control });
        const uploads = await Promise.all(
          Array.from({ length: 10 }, (_, turn) => place.intake.begin(`/${turn}.csv`, replacing)),
        );
        for (const upload of uploads) await upload.write(0, Buffer.from('content'));
        fail.code = code;
        fail[when] = 1000;
        const results = await Promise.allSettled(uploads.map((upload) => upload.finish()));
        assert.ok(results.every((result) => result.status === 'rejected' && result.reason.code === 'failed'));
        await assert.rejects(place.space.mkdir('/in', {}), { code: 'failed' });
        const cut = await place.intake.begin('/cut.csv', replacing);
        await cut.write(0, randomContent(400_000));
        await cut.abort();
        const tries = 1000 - fail[when];
        const isLost = code === '08006' && when === 'commits';
        // Without a connection each upload asks on, with pauses, and not always together with the others.
        assert.ok(
          tries < (code === '08006' ? 10 * (1 + 5 + 1) + 10 : 40),
          `${tries} transactions: those that wait fail with the one that failed`,
        );
        fail[when] = 0;
        assert.deepEqual(await queued(place), []);
        if (isLost) {
          // Rows of a COMMIT whose answer was lost may appear later: the daily sweep removes the blobs.
          assert.deepEqual((await leftOvers(place)).blobs, 10);
          const sweep = {
            control,
            paths: place.paths,
            readKept: async () => new Set<string>(),
            before: Date.now() + 1000,
          };
          assert.equal(await sweepOrphans(sweep), 10);
        }
        assert.deepEqual((await leftOvers(place)).blobs, 0);
        assert.deepEqual(await listAllPartials(control.read, { org: 'acme' }), []);
        await place.put('/users.csv', 'again');
        assert.equal(await place.get('/users.csv'), 'again');
      });
});

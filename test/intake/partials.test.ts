/** Uploads that are cut off: what is kept, who sees it, how it is resumed, and what a crash leaves of it. */
import assert from 'node:assert/strict';
import crypto, { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Db } from '../../db/connection.js';
import { listAudit } from '../../db/control/audit.js';
import { listFiles } from '../../db/control/filelist.js';
import { findPartial, listAllPartials } from '../../db/control/partials.js';
import { claimUploads, listQueue } from '../../db/control/uploads.js';
import type { Intake, Upload } from '../../intake/types.js';
import { KeyError } from '../../keys/error.js';
import { loadNodeKey } from '../../keys/master/nodekey.js';
import { blobPath, openBlob } from '../../storage/blobs.js';
import { recoverPartials } from '../../storage/partialrecovery.js';
import { onBothDatabases } from '../support/databases.js';
import { keeping, openIntake, replacing, type TestIntake } from '../support/intake.js';
import { meet } from '../support/interleave.js';
import { randomContent } from '../support/sealing.js';
import { until } from '../support/session.js';
import type { Scope } from '../support/temporary.js';

const appending = { ...keeping, append: true };
/** A server that only takes uploads. */
const withheld = { identity: () => Promise.reject(new KeyError('missing', 'this server only takes uploads')) };

/** Sends the start of a file, and loses the connection. */
async function cutOff({ intake }: TestIntake, path: string, bytes: Buffer, options = replacing): Promise<void> {
  const upload = await intake.begin(path, options);
  const from = options.truncate ? 0 : upload.entry().size;
  for (let at = 0; at < bytes.length; at += 100_000) await upload.write(from + at, bytes.subarray(at, at + 100_000));
  await upload.abort();
}

/** As clients resume: asks for the size, sends the rest. */
async function resume({ intake, space }: TestIntake, path: string, content: Buffer, append: boolean) {
  const { size } = await space.stat(path);
  const upload = await intake.begin(path, append ? appending : keeping);
  for (let at = size; at < content.length; at += 50_000) await upload.write(at, content.subarray(at, at + 50_000));
  return upload.finish();
}

function partialFiles({ paths }: TestIntake): string[] {
  return existsSync(paths.partials) ? readdirSync(paths.partials) : [];
}

function recover({ control, paths }: TestIntake, change = {}) {
  return recoverPartials({ control, paths, isAlone: true, idleSince: 0, keeps: true, ...change });
}

/** Begins an upload, and sends so much of it that a crash leaves something to resume. */
async function begin({ intake, control }: TestIntake, path: string): Promise<Upload> {
  const upload = await intake.begin(path, replacing);
  await upload.write(0, randomContent(700_000));
  await upload.sync();
  await until(async () => (await listAllPartials(control.read, { org: 'acme' })).length === 1, 'its note');
  return upload;
}

/** Sends the whole file over another connection. */
async function send(intake: Intake, path: string): Promise<void> {
  const upload = await intake.begin(path, replacing);
  await upload.write(0, Buffer.from('complete'));
  await upload.finish();
}

/** The ways in which an upload ends without its CLOSE. */
const ends: Readonly<Record<string, (place: TestIntake, upload: Upload) => Promise<unknown>>> = {
  'its connection is lost': (_, upload) => upload.abort(),
  'its server is killed': (place) => recover(place),
};

/** Where the complete version has gone since; null: nowhere. */
const renames: readonly ([from: string, to: string] | null)[] = [
  null,
  ['/in/users.csv.filepart', '/in/users.csv'],
  ['/in', '/out'],
];

onBothDatabases('partials', (open) => {
  test('what came is there under its path, one byte short, readable, and never queued', async (t) => {
    const place = await openIntake(t, await open(t));
    const content = randomContent(300_000);
    await cutOff(place, '/users.csv', content);
    const entry = await place.space.stat('/users.csv');
    assert.deepEqual([entry.size, entry.kind, entry.writable], [299_999, 'file', true]);
    const reader = await place.space.openRead('/users.csv');
    assert.ok(content.subarray(0, -1).equals(await reader.read(0, 400_000)));
    await reader.close();
    const names = (await place.space.list('/', null, 10)).map(({ name }) => name);
    assert.deepEqual(names, ['archive', 'dry-run', 'exports', 'reports', 'templates', 'users.csv']);
    assert.deepEqual(await listQueue(place.control.read, 'acme'), []);
    assert.deepEqual(await claimUploads(place.control.write, 'acme', 1), []);
    const shown = [];
    for await (const file of listFiles(place.control.read, 'acme', '/')) shown.push([file.path, file.size, file.state]);
    assert.deepEqual(shown, [['/users.csv', 299_999, 'partial']]);
    assert.equal(partialFiles(place).length, 1);
  });

  for (const append of [false, true])
    for (const change of [{}, withheld])
      test(`resumed ${append ? 'with' : 'without'} append${'identity' in change ? ', on a server without keys' : ''}`, async (t) => {
        const place = await openIntake(t, await open(t), change);
        const content = randomContent(700_000);
        await cutOff(place, '/users.csv.filepart', content.subarray(0, 150_000));
        const { size } = await place.space.stat('/users.csv.filepart');
        await cutOff(place, '/users.csv.filepart', content.subarray(size, 400_000), append ? appending : keeping);
        assert.equal((await place.space.stat('/users.csv.filepart')).size, 399_999);
        assert.equal(partialFiles(place).length, 1);
        const receipt = await resume(place, '/users.csv.filepart', content, append);
        assert.equal(receipt.sha256, createHash('sha256').update(content).digest('hex'));
        assert.deepEqual(partialFiles(place), []);
        assert.deepEqual(await listQueue(place.control.read, 'acme'), []);
        await place.intake.rename('/users.csv.filepart', '/users.csv', false);
        const [queued] = await listQueue(place.control.read, 'acme');
        assert.equal(queued?.size, 700_000);
        const blob = await openBlob(place.paths, queued!.blobId, place.identity);
        assert.ok(content.equals(await blob.read(0, 800_000)));
        await blob.close();
      });

  test('a node key opens partials, and no file that is published', async (t) => {
    const place = await openIntake(t, await open(t));
    const content = randomContent(700_000);
    await cutOff(place, '/users.csv', content.subarray(0, 400_000));
    await resume(place, '/users.csv', content, false);
    const node = (await loadNodeKey(place.paths))!;
    assert.equal(statSync(place.paths.nodeKey).mode & 0o777, 0o600);
    const [queued] = await listQueue(place.control.read, 'acme');
    const header = readFileSync(blobPath(place.paths, queued!.blobId)).subarray(0, 400).toString('latin1');
    assert.equal(header.match(/^-> X25519 /gm)?.length, 1);
    await assert.rejects(openBlob(place.paths, queued!.blobId, node.identity), { code: 'damaged' });
    assert.deepEqual(await listAllPartials(place.control.read, { org: 'acme' }), []);
  });

  test('what was noted of an upload in progress is gone from the database when it is published', async (t) => {
    const databases = await open(t);
    const place = await openIntake(t, databases);
    const upload = await place.intake.begin('/users.csv', replacing);
    await upload.write(0, randomContent(700_000));
    await until(async () => (await listAllPartials(place.control.read, { org: 'acme' })).length === 1, 'its note');
    const [noted] = await listAllPartials(place.control.read, { org: 'acme' });
    const secret = noted!.payloadKey.split('\n')[3]!;
    await upload.finish();
    assert.deepEqual(await listAllPartials(place.control.read, { org: 'acme' }), []);
    if (place.control.dialect !== 'sqlite') return;
    await place.control.write.raw('PRAGMA wal_checkpoint(TRUNCATE)');
    const file = readFileSync(join(databases.settings.data, 'control.db'));
    assert.ok(secret.length > 20 && !file.includes(secret));
  });

  test('an older complete version stays visible and queued until a newer one is complete', async (t) => {
    const place = await openIntake(t, await open(t));
    await place.put('/users.csv', 'complete');
    place.clock.now += 1000;
    await cutOff(place, '/users.csv', randomContent(300_000));
    assert.equal(await place.get('/users.csv'), 'complete');
    assert.equal((await place.space.list('/', null, 10)).length, 6);
    assert.deepEqual(
      (await listQueue(place.control.read, 'acme')).map(({ path }) => path),
      ['/users.csv'],
    );
    await place.put('/users.csv', 'newer');
    assert.deepEqual(partialFiles(place), []);
    assert.equal(await place.get('/users.csv'), 'newer');
  });

  test('what was cut off after a newer version was complete is not kept', async (t) => {
    const place = await openIntake(t, await open(t));
    const stale = await place.intake.begin('/users.csv', replacing);
    await stale.write(0, randomContent(300_000));
    place.clock.now += 1000;
    await place.put('/users.csv', 'newer');
    await stale.abort();
    assert.deepEqual(partialFiles(place), []);
    await place.intake.remove('/users.csv');
    await assert.rejects(place.space.stat('/users.csv'), { code: 'not_found' });
  });

  for (const [end, act] of Object.entries(ends)) {
    test(`nothing is kept when ${end} after a newer version was complete, by whatever clock and name`, async (t) => {
      const place = await openIntake(t, await open(t));
      for (const rename of renames) {
        await place.space.mkdir('/in', {});
        const stale = await begin(place, '/in/users.csv.filepart');
        const behind = place.secondServer({ now: () => place.clock.now - 60_000 });
        await send(behind, '/in/users.csv.filepart');
        if (rename !== null) await behind.rename(...rename, true);
        await act(place, stale);
        assert.deepEqual(await listAllPartials(place.control.read, { org: 'acme' }), [], `${rename}`);
        assert.deepEqual(partialFiles(place), []);
        if (rename?.[0] !== '/in') await behind.rename('/in', `/done-${rename?.[1].length}`, true);
      }
      await place.service.abortAll();
    });

    test(`it is kept when ${end} after an older version was complete, by whatever clock`, async (t) => {
      const place = await openIntake(t, await open(t));
      await send(place.secondServer({ now: () => place.clock.now + 60_000 }), '/users.csv');
      await act(place, await begin(place, '/users.csv'));
      assert.notEqual(await findPartial(place.control.read, 'acme', '/users.csv'), null);
      await place.service.abortAll();
    });

    for (const isFirst of [true, false])
      test(`nothing is kept when ${end} right ${isFirst ? 'before' : 'after'} the COMMIT of a newer version`, async (t) => {
        const { place, during } = await openHeld(t);
        const stale = await begin(place, '/users.csv');
        const close = (control: Db) => send(place.secondServer({ control }), '/users.csv');
        const finish = (control: Db) => during(control, () => act({ ...place, control }, stale));
        const [first, second] = isFirst ? [finish, close] : [close, finish];
        const answers = await meet(
          place as never,
          ({ control }) => first(control),
          () => second(place.control),
        );
        assert.deepEqual(
          answers.map(({ status }) => status),
          ['fulfilled', 'fulfilled'],
        );
        assert.deepEqual(await listAllPartials(place.control.read, { org: 'acme' }), []);
        assert.deepEqual(partialFiles(place), []);
        await place.service.abortAll();
      });
  }

  /** `during` has the place's own intake write through another connection for a while. */
  async function openHeld(t: Scope) {
    const databases = await open(t);
    let transact = databases.control.transact;
    const switched: Db = { ...databases.control, transact: (work, options) => transact(work, options) };
    const place = { ...(await openIntake(t, { ...databases, control: switched })), control: databases.control };
    const during = async (control: Db, work: () => Promise<unknown>) => {
      transact = control.transact;
      await work();
      transact = databases.control.transact;
    };
    return { place, during };
  }

  test('a resume that is cut off at once loses nothing of what was there; one from the start ends it', async (t) => {
    const place = await openIntake(t, await open(t));
    await cutOff(place, '/users.csv', randomContent(300_000));
    await cutOff(place, '/users.csv', Buffer.alloc(0), keeping);
    assert.equal((await place.space.stat('/users.csv')).size, 299_999);
    await cutOff(place, '/users.csv', randomContent(1000));
    assert.equal((await place.space.stat('/users.csv')).size, 999);
    assert.equal(partialFiles(place).length, 1);
    const rewriting = await place.intake.begin('/users.csv', keeping);
    await rewriting.write(0, Buffer.from('other'));
    await rewriting.abort();
    assert.equal((await place.space.stat('/users.csv')).size, 4);
  });

  test('scp over a partial gives exactly the new content', async (t) => {
    const place = await openIntake(t, await open(t));
    await cutOff(place, '/users.csv', randomContent(300_000));
    const scp = await place.intake.begin('/users.csv', keeping);
    await scp.write(0, Buffer.from('new content'));
    await scp.setSize(11);
    await scp.finish();
    assert.equal(await place.get('/users.csv'), 'new content');
  });

  test('a partial is removed as a file is, keeps its name, and is gone from a folder before that is', async (t) => {
    const place = await openIntake(t, await open(t));
    const { intake, space } = place;
    await space.mkdir('/in', {});
    await cutOff(place, '/in/users.csv', randomContent(1000));
    await assert.rejects(intake.rename('/in/users.csv', '/users.csv', false), { code: 'incomplete' });
    await assert.rejects(intake.begin('/in/users.csv', { ...replacing, exclusive: true }), { code: 'exists' });
    await assert.rejects(space.rmdir('/in'), { code: 'not_empty' });
    await intake.rename('/in', '/out', false);
    assert.equal((await space.stat('/out/users.csv')).size, 999);
    await space.setAttributes('/out/users.csv', { mtimeMs: 5000, mode: 0o600 });
    const { mtimeMs, mode } = await space.stat('/out/users.csv');
    assert.deepEqual([mtimeMs, mode], [5000, 0o600]);
    await intake.remove('/out/users.csv');
    assert.deepEqual(partialFiles(place), []);
    await assert.rejects(intake.remove('/out/users.csv'), { code: 'not_found' });
    await space.rmdir('/out');
    await place.put('/users.csv.part', 'complete');
    await cutOff(place, '/users.csv', randomContent(1000));
    await intake.rename('/users.csv.part', '/users.csv', false);
    assert.equal(await place.get('/users.csv'), 'complete');
    assert.deepEqual(partialFiles(place), []);
  });

  test('a killed server keeps the chunks that can be read, and clears away the rest', async (t) => {
    const databases = await open(t);
    const place = await openIntake(t, databases, withheld);
    const content = randomContent(900_000);
    const upload = await place.intake.begin('/users.csv', replacing);
    for (let at = 0; at < 700_000; at += 50_000) await upload.write(at, content.subarray(at, at + 50_000));
    const small = await place.intake.begin('/small.csv', replacing);
    await small.write(0, randomContent(1000));
    await upload.sync();
    await until(async () => (await listAllPartials(place.control.read, { org: 'acme' })).length === 1, 'its note');
    assert.equal(await findPartial(place.control.read, 'acme', '/users.csv'), null, 'not seen while it goes on');
    const [noted] = await listAllPartials(place.control.read, { org: 'acme' });
    const path = join(place.paths.partials, noted!.id);
    const written = statSync(path).size;
    // As a power cut may leave it: longer than its content.
    truncateSync(path, written + 100_000);
    writeFileSync(join(place.paths.partials, 'f'.repeat(32)), 'of nobody');
    const beside = await recover(place, { isAlone: false, idleSince: 0 });
    assert.deepEqual(beside, { kept: 0, removed: 0 }, 'another server may still write to it');
    assert.deepEqual(await recover(place), { kept: 1, removed: 2 });
    assert.deepEqual(await recover(place), { kept: 0, removed: 0 });
    assert.equal((await place.space.stat('/users.csv')).size, 10 * 65_536);
    const restarted = { ...place, intake: place.secondServer() };
    const receipt = await resume(restarted, '/users.csv', content, true);
    assert.equal(receipt.sha256, createHash('sha256').update(content).digest('hex'));
    assert.deepEqual(partialFiles(place), []);
    await place.service.abortAll();
  });

  test('of a killed server nothing is kept under a name that its sender has sent again since', async (t) => {
    const place = await openIntake(t, await open(t));
    const upload = await place.intake.begin('/users.csv', replacing);
    await upload.write(0, randomContent(700_000));
    await upload.sync();
    await until(async () => (await listAllPartials(place.control.read, { org: 'acme' })).length === 1, 'its note');
    place.clock.now += 1000;
    const again = await place.secondServer().begin('/users.csv', replacing);
    await again.write(0, Buffer.from('complete'));
    await again.finish();
    await recover(place);
    assert.deepEqual(await listAllPartials(place.control.read, { org: 'acme' }), []);
    assert.deepEqual(partialFiles(place), []);
    await place.intake.remove('/users.csv');
    await assert.rejects(place.space.stat('/users.csv'), { code: 'not_found' });
    await place.service.abortAll();
  });

  test('after a crash, a resume that was not far yet gives way to what it resumed', async (t) => {
    const place = await openIntake(t, await open(t));
    const content = randomContent(900_000);
    await cutOff(place, '/users.csv', content.subarray(0, 700_000));
    await cutOff(place, '/teams.csv', content.subarray(0, 100));
    const { id } = (await findPartial(place.control.read, 'acme', '/users.csv'))!;
    await place.control.write('partials').insert({
      ...(await place.control.read('partials').where({ id }).first()),
      id: '0'.repeat(32),
      state: 'open',
      based_on: id,
    });
    const head = readFileSync(join(place.paths.partials, id)).subarray(0, 400_000);
    writeFileSync(join(place.paths.partials, '0'.repeat(32)), head);
    assert.deepEqual(await recover(place), { kept: 0, removed: 0 });
    assert.equal((await place.space.stat('/users.csv')).size, 699_999);
    assert.equal(partialFiles(place).length, 2);
    assert.deepEqual(await recover(place, { keeps: false }), { kept: 0, removed: 2 });
    assert.deepEqual(partialFiles(place), []);
    assert.deepEqual(await listAllPartials(place.control.read, { org: 'acme' }), []);
  });

  test('another node does not show what it can not go on from', async (t) => {
    const place = await openIntake(t, await open(t));
    await cutOff(place, '/users.csv', randomContent(1000));
    await place.control.write('partials').update({ node: 'age1other' });
    await assert.rejects(place.space.stat('/users.csv'), { code: 'not_found' });
    assert.equal((await place.space.list('/', null, 10)).length, 5);
    await place.put('/users.csv', 'complete');
    assert.deepEqual(await listAllPartials(place.control.read, { org: 'acme' }), []);
  });

  test('each upload leaves a receipt in the audit trail', async (t) => {
    const place = await openIntake(t, await open(t));
    const timed = async (bytes: number, end: 'finish' | 'abort') => {
      const upload = await place.intake.begin('/users.csv', replacing);
      await upload.write(0, randomContent(bytes));
      place.clock.now += 1500;
      await upload[end]();
    };
    await timed(10, 'finish');
    await timed(300_000, 'abort');
    await timed(1, 'abort');
    await timed(20, 'finish');
    const events = await listAudit(place.control.read, 'acme');
    const told = events.map(({ action, actor, subject, detail }) => {
      const { sha256, upload, archivedAs, ...rest } = detail;
      assert.deepEqual([actor, subject], ['key:SHA256:test', '/users.csv']);
      assert.equal(typeof sha256, ['upload.closed', 'upload.superseded'].includes(action) ? 'string' : 'undefined');
      return [action, rest];
    });
    const from = { address: '127.0.0.1', client: 'test_1.0' };
    assert.deepEqual(told, [
      ['upload.closed', { outcome: 'complete', size: 10, ms: 1500, queued: true, ...from }],
      ['upload.partial', { outcome: 'partial', size: 300_000, keptBytes: 299_999, ms: 1500, ...from }],
      ['upload.aborted', { outcome: 'aborted', size: 1, keptBytes: 0, ms: 1500, ...from }],
      ['upload.superseded', { outcome: 'superseded', size: 10, ...from }],
      ['upload.closed', { outcome: 'complete', size: 20, ms: 1500, queued: true, ...from }],
    ]);
  });

  test('cut off and resumed at any place, no chunk is sealed twice under one key', async (t) => {
    const place = await openIntake(t, await open(t), withheld);
    const seen = new Map<string, number>();
    const original = crypto.createCipheriv;
    crypto.createCipheriv = ((name: string, key: Buffer, nonce: Buffer, options: object) => {
      const pair = `${Buffer.from(key).toString('hex')} ${nonce.toString('hex')}`;
      seen.set(pair, (seen.get(pair) ?? 0) + 1);
      return original(name as 'chacha20-poly1305', key, nonce, options as { authTagLength: number });
    }) as typeof crypto.createCipheriv;
    syncBuiltinESMExports();
    t.after(() => {
      crypto.createCipheriv = original;
      syncBuiltinESMExports();
    });
    const content = randomContent(5 * 65_536 + 10);
    for (const [turn, cut] of [1, 2, 65_536, 65_537, 65_538, 131_073, 5 * 65_536, content.length].entries()) {
      const path = `/${turn}.csv`;
      await cutOff(place, path, content.subarray(0, cut));
      if (cut > 1) assert.equal((await place.space.stat(path)).size, cut - 1);
      else await place.intake.begin(path, replacing).then((upload) => upload.finish());
      const receipt = await resume(place, path, content, turn % 2 === 0);
      assert.equal(receipt.sha256, createHash('sha256').update(content).digest('hex'), `cut at ${cut}`);
    }
    assert.deepEqual(
      [...seen.values()].filter((times) => times > 1),
      [],
    );
  });
});

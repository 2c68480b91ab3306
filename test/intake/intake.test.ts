/** Uploads as clients make them: what is published, queued, superseded, and what a failure leaves. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { createLogger } from '../../config/logger.js';
import { listAudit } from '../../db/control/audit.js';
import { findEntry } from '../../db/control/entries.js';
import { claimUploads, findUpload, listQueue } from '../../db/control/uploads.js';
import type { BeginOptions } from '../../intake/types.js';
import { KeyError } from '../../keys/error.js';
import { blobPath } from '../../storage/blobs.js';
import { onBothDatabases, openFresh } from '../support/databases.js';
import { keeping, openIntake, replacing, sender, type TestIntake } from '../support/intake.js';
import { randomContent } from '../support/sealing.js';

async function queueOf({ control, org }: TestIntake): Promise<string[]> {
  return (await listQueue(control.read, org.id)).map((upload) => upload.path);
}

function blobFiles({ paths }: TestIntake): number {
  if (!existsSync(paths.blobs)) return 0;
  return readdirSync(paths.blobs, { recursive: true, withFileTypes: true }).filter((file) => file.isFile()).length;
}

async function actionsOf({ control, org }: TestIntake): Promise<string[]> {
  return (await listAudit(control.read, org.id)).map((event) => event.action);
}

test('each closed upload has a line in the log', async (t) => {
  const target = new PassThrough();
  const logger = createLogger({ logLevel: 'info', logFormat: 'json' }, target);
  const place = await openIntake(t, await openFresh(t, 'sqlite'), { logger });
  const { uploadId, sha256 } = await place.put('/users.csv', 'User Email\n');
  if (target.readableLength === 0) await once(target, 'readable'); // it is written after the answer
  const { timestamp, ...line } = JSON.parse(target.read().toString());
  const closed = { level: 'info', message: 'upload closed', org: 'acme', path: '/users.csv' };
  assert.deepEqual(line, { ...closed, bytes: 11, sha256, ms: 0, upload: uploadId, queued: true });
  assert.match(timestamp, /^\d{4}-/);
});

onBothDatabases('intake', (open) => {
  test('a closed upload is there, readable and queued; before that nothing is', async (t) => {
    const place = await openIntake(t, await open(t));
    const { intake, space, control, org, clock } = place;
    const upload = await intake.begin('/users.csv', replacing);
    await upload.write(0, Buffer.from('User Email\n'));
    assert.equal(upload.entry().size, 11);
    assert.equal((await upload.read(5, 100)).toString(), 'Email\n');
    await assert.rejects(space.stat('/users.csv'), { code: 'not_found' });
    assert.deepEqual(await queueOf(place), []);
    assert.equal(place.service.openUploads(), 1);
    clock.now += 5000;
    const receipt = await upload.finish();
    const sha256 = createHash('sha256').update('User Email\n').digest('hex');
    const { uploadId } = receipt;
    assert.deepEqual(receipt, { uploadId, path: '/users.csv', size: 11, sha256, queued: true });
    const entry = await space.stat('/users.csv');
    assert.deepEqual([entry.size, entry.mtimeMs, entry.mode, entry.kind], [11, clock.now, 0o644, 'file']);
    assert.equal(await place.get('/users.csv'), 'User Email\n');
    const [queued] = await listQueue(control.read, org.id);
    const { blobId, ...row } = queued!;
    const times = {
      begunAt: clock.now - 5000,
      closedAt: clock.now,
      queuedAt: clock.now,
      queueNumber: 1,
      settledAt: null,
    };
    const unread = { type: null, rows: null, checkedAt: null, checkVerdict: null, headerType: null };
    const rest = { org: 'acme', state: 'queued', runId: null, archivedAs: null, ...sender, ...times, ...unread };
    assert.deepEqual(row, { id: uploadId, path: '/users.csv', size: 11, sha256, ...rest });
    assert.ok(existsSync(blobPath(place.paths, blobId)));
    assert.equal(place.service.openUploads(), 0);
    assert.deepEqual(await actionsOf(place), ['upload.closed']);
    await assert.rejects(upload.write(0, Buffer.from('late')), { code: 'failed' });
    await assert.rejects(upload.finish(), { code: 'failed' });
    await upload.abort();
    assert.equal(await place.get('/users.csv'), 'User Email\n');
  });

  test('an OPEN sets the mode of a file that it creates, and of no other', async (t) => {
    const { intake, service, space, put } = await openIntake(t, await open(t));
    const modeAfter = async (path: string, options: BeginOptions, end: 'finish' | 'abort' = 'finish') => {
      const upload = await intake.begin(path, options);
      await upload.write(upload.entry().size, Buffer.alloc(100, 'x'));
      assert.equal(upload.entry().mode, 0o640, 'a STAT of the handle');
      await upload[end]();
      return (await space.stat(path)).mode;
    };
    const wanted = { mode: 0o640 };
    assert.equal(await modeAfter('/u.csv', { ...replacing, attributes: wanted }), 0o640, 'a new file');
    for (const mode of [0, 0o600, 0o777])
      for (const kind of [
        { truncate: true },
        { truncate: false },
        { truncate: false, append: true },
        { create: false, truncate: false },
      ])
        assert.equal(await modeAfter('/u.csv', { ...replacing, ...kind, attributes: { mode } }), 0o640);
    const { mtimeMs } = await space.stat('/u.csv');
    const touching = { ...keeping, attributes: { mode: 0, mtimeMs: 1000, atimeMs: 1000 } };
    const upload = await intake.begin('/u.csv', touching);
    await upload.finish();
    assert.equal((await space.stat('/u.csv')).mtimeMs, mtimeMs);
    // An upload that was cut off is a file of its sender, too.
    assert.equal(await modeAfter('/cut.csv', { ...replacing, attributes: wanted }, 'abort'), 0o640);
    assert.equal(await modeAfter('/cut.csv', { ...keeping, attributes: { mode: 0 } }, 'abort'), 0o640);
    assert.equal(await modeAfter('/cut.csv', { ...replacing, attributes: { mode: 0 } }), 0o640);
    // A removed name is a new file.
    await intake.remove('/u.csv');
    await put('/other.csv', 'x');
    assert.equal(await modeAfter('/u.csv', { ...replacing, attributes: wanted }), 0o640);
    assert.equal(service.openUploads(), 0);
  });

  test("the client's times and mode are kept", async (t) => {
    const { intake, space } = await openIntake(t, await open(t));
    const upload = await intake.begin('/u.csv', { ...replacing, attributes: { mode: 0o100600 } });
    upload.setAttributes({ mtimeMs: 1_000_000_000_000, atimeMs: 1_100_000_000_000 });
    assert.equal(upload.entry().mtimeMs, 1_000_000_000_000);
    await upload.finish();
    const { mode, mtimeMs, atimeMs } = await space.stat('/u.csv');
    assert.deepEqual([mode, mtimeMs, atimeMs], [0o600, 1_000_000_000_000, 1_100_000_000_000]);
    const again = await intake.begin('/u.csv', replacing);
    await again.finish();
    assert.equal((await space.stat('/u.csv')).mode, 0o600);
  });

  test('where partials are not kept, an aborted upload leaves nothing, and the older version stays', async (t) => {
    const databases = await open(t);
    const place = await openIntake(t, databases, { settings: { ...databases.settings, keepPartialHours: 0 } });
    await place.put('/users.csv', 'first');
    const upload = await place.intake.begin('/users.csv', replacing);
    await upload.write(0, randomContent(1_000_000));
    await upload.abort();
    await upload.abort();
    assert.equal(await place.get('/users.csv'), 'first');
    assert.deepEqual(await queueOf(place), ['/users.csv']);
    assert.deepEqual(readdirSync(place.paths.partials), []);
    assert.equal(blobFiles(place), 1);
    await place.intake.begin('/a.csv', replacing);
    await place.intake.begin('/b.csv', replacing);
    assert.equal(place.service.openUploads(), 2);
    await place.service.abortAll();
    assert.equal(place.service.openUploads(), 0);
    assert.deepEqual(readdirSync(place.paths.partials), []);
  });

  test('a newer version supersedes the queued one, which is archived by the date of the organization', async (t) => {
    const place = await openIntake(t, await open(t));
    const { control, org } = place;
    const first = await place.put('/users.csv', 'first');
    const second = await place.put('/users.csv', 'second');
    await place.put('/users.csv', 'third');
    assert.deepEqual(await queueOf(place), ['/users.csv']);
    assert.equal(await place.get('/users.csv'), 'third');
    const folder = '/archive/2026-02-01/superseded'; // 23:30 UTC is the next day in Berlin
    assert.equal(await place.get(`${folder}/users.csv`), 'first');
    assert.equal(await place.get(`${folder}/users-2.csv`), 'second');
    const rows = await Promise.all([first, second].map(({ uploadId }) => findUpload(control.read, uploadId)));
    assert.deepEqual(
      rows.map((row) => [row!.state, row!.archivedAs, row!.settledAt]),
      [
        ['superseded', `${folder}/users.csv`, place.clock.now],
        ['superseded', `${folder}/users-2.csv`, place.clock.now],
      ],
    );
    assert.equal((await findEntry(control.read, org.id, `${folder}/users.csv`))?.uploadId, first.uploadId);
    assert.equal(blobFiles(place), 3);
  });

  test('a version that is being imported is not superseded, and keeps its bytes', async (t) => {
    const place = await openIntake(t, await open(t));
    const { control, org } = place;
    const first = await place.put('/users.csv', 'first');
    const [claimed] = await claimUploads(control.write, org.id, 1);
    await place.put('/users.csv', 'second');
    assert.equal((await findUpload(control.read, first.uploadId))?.state, 'running');
    assert.ok(existsSync(blobPath(place.paths, claimed!.blobId)));
    assert.deepEqual(await queueOf(place), ['/users.csv']);
    await place.intake.remove('/users.csv');
    const [again] = await claimUploads(control.write, org.id, 1);
    assert.equal(again?.id, first.uploadId);
    assert.equal(blobFiles(place), 1);
  });

  test('removing a file withdraws it and removes its bytes; removing one that is imported leaves them to the run', async (t) => {
    const place = await openIntake(t, await open(t));
    const { control, org, intake } = place;
    const receipt = await place.put('/users.csv', 'content');
    await intake.remove('/users.csv');
    assert.equal((await findUpload(control.read, receipt.uploadId))?.state, 'withdrawn');
    assert.deepEqual(await queueOf(place), []);
    assert.equal(blobFiles(place), 0);
    assert.deepEqual(await actionsOf(place), ['upload.closed', 'upload.withdrawn']);
    await assert.rejects(intake.remove('/users.csv'), { code: 'not_found' });
    await place.put('/teams.csv', 'content');
    await claimUploads(control.write, org.id, 1);
    await intake.remove('/teams.csv');
    assert.equal(await findEntry(control.read, org.id, '/teams.csv'), null);
    assert.equal(blobFiles(place), 1);
  });

  test('a temporary name is stored, its rename queues it, once', async (t) => {
    const place = await openIntake(t, await open(t));
    const { intake, control, clock } = place;
    const receipt = await place.put('/users.csv.filepart', 'content');
    assert.equal(receipt.queued, false);
    assert.deepEqual(await queueOf(place), []);
    clock.now += 1000;
    await intake.rename('/users.csv.filepart', '/users.csv', false);
    assert.deepEqual(await queueOf(place), ['/users.csv']);
    assert.equal((await findUpload(control.read, receipt.uploadId))?.queuedAt, clock.now);
    await intake.rename('/users.csv', '/staff.csv', false);
    assert.deepEqual(await queueOf(place), ['/staff.csv']);
    await intake.rename('/staff.csv', '/.staff.csv', false);
    assert.deepEqual(await queueOf(place), []);
    await intake.rename('/.staff.csv', '/users.csv', false);
    assert.deepEqual(await queueOf(place), ['/users.csv']);
    await claimUploads(control.write, place.org.id, 1);
    await intake.rename('/users.csv', '/x.tmp', false);
    await intake.rename('/x.tmp', '/users.csv', false);
    assert.deepEqual(await queueOf(place), [], 'what a run has is not queued again');
  });

  test('a rename over a file needs leave, and supersedes it as an upload does', async (t) => {
    const place = await openIntake(t, await open(t));
    const { intake, control } = place;
    const old = await place.put('/users.csv', 'old');
    await place.put('/users.csv.part', 'new');
    await assert.rejects(intake.rename('/users.csv.part', '/users.csv', false), { code: 'exists' });
    await intake.rename('/users.csv.part', '/users.csv', true);
    assert.equal(await place.get('/users.csv'), 'new');
    assert.equal(await place.get('/archive/2026-02-01/superseded/users.csv'), 'old');
    assert.equal((await findUpload(control.read, old.uploadId))?.state, 'superseded');
    assert.deepEqual(await queueOf(place), ['/users.csv']);
    await intake.rename('/users.csv', '/users.csv', true);
    await place.put('/a.part', '1');
    await place.put('/b.part', '2');
    const files = blobFiles(place);
    await intake.rename('/a.part', '/b.part', true);
    assert.equal(blobFiles(place), files - 1);
  });

  test('renaming a folder takes all below it along, also in the queue', async (t) => {
    const place = await openIntake(t, await open(t));
    const { intake, space } = place;
    for (const path of ['/in', '/in/é_%', '/in/é_%/deep', '/in2', '/template']) await space.mkdir(path, {});
    await place.put('/in/é_%/deep/users.csv', 'content');
    await place.put('/in2/other.csv', 'content');
    await place.put('/template/final.csv', 'content');
    await intake.rename('/in', '/out', false);
    assert.equal(await place.get('/out/é_%/deep/users.csv'), 'content');
    assert.deepEqual(await queueOf(place), ['/out/é_%/deep/users.csv', '/in2/other.csv', '/template/final.csv']);
    await intake.rename('/out/é_%', '/in2/moved', false);
    assert.deepEqual((await queueOf(place))[0], '/in2/moved/deep/users.csv');
    await assert.rejects(space.stat('/out/é_%'), { code: 'not_found' });
    await assert.rejects(intake.rename('/in2', '/in2/moved/x', false), { code: 'unsupported' });
    await assert.rejects(intake.rename('/in2', '/out', true), { code: 'exists' });
    await assert.rejects(intake.rename('/in2/other.csv', '/out', true), { code: 'is_a_folder' });
    const deep = Array.from({ length: 31 }, () => 'd');
    for (const turn of deep.keys()) await space.mkdir(`/${deep.slice(0, turn + 1).join('/')}`, {});
    await assert.rejects(intake.rename('/in2', `/${deep.join('/')}/x`, false), { code: 'bad_name' });
  });

  test('where nothing may be written, and names that are taken or not there', async (t) => {
    const place = await openIntake(t, await open(t));
    const { intake, space } = place;
    await space.mkdir('/in', {});
    await place.put('/users.csv', 'x');
    const begin = (path: string, change = {}) => intake.begin(path, { ...replacing, ...change });
    await assert.rejects(begin('/archive/x.csv'), { code: 'read_only' });
    await assert.rejects(begin('/reports'), { code: 'read_only' });
    await assert.rejects(begin('/'), { code: 'is_a_folder' });
    await assert.rejects(begin('/in'), { code: 'is_a_folder' });
    await assert.rejects(begin('/none/x.csv'), { code: 'not_found' });
    await assert.rejects(begin('/users.csv/x.csv'), { code: 'not_a_folder' });
    await assert.rejects(begin('/users.csv', { exclusive: true }), { code: 'exists' });
    await assert.rejects(begin('/new.csv', { create: false }), { code: 'not_found' });
    await assert.rejects(begin(`/${'x'.repeat(300)}`), { code: 'bad_name' });
    await assert.rejects(intake.remove('/in'), { code: 'is_a_folder' });
    await assert.rejects(intake.remove('/'), { code: 'is_a_folder' });
    await assert.rejects(intake.remove('/archive'), { code: 'read_only' });
    await assert.rejects(intake.rename('/users.csv', '/archive/users.csv', true), { code: 'read_only' });
    await assert.rejects(intake.rename('/archive', '/a', true), { code: 'read_only' });
    await assert.rejects(intake.rename('/users.csv', '/none/users.csv', true), { code: 'not_found' });
    await assert.rejects(intake.rename('/none', '/x', true), { code: 'not_found' });
    assert.equal(place.service.openUploads(), 0);
  });

  test('no new name has a control character; a file that has one already can be renamed, replaced and removed', async (t) => {
    const place = await openIntake(t, await open(t));
    const { intake, space, control, org } = place;
    const refused = { code: 'control_character' };
    await place.put('/users.csv', 'x');
    await place.put('/old.csv', 'x');
    await space.mkdir('/in', {});
    const forged = 'users.csv\nFalse alarm, approve run 7';
    for (const name of [forged, 'a\rb', 'a\tb', 'a\x1b[2Jb', 'a\x7fb', 'a\u0085b', 'a\u2028b', 'a\u2029b']) {
      await assert.rejects(intake.begin(`/${name}`, replacing), refused, JSON.stringify(name));
      await assert.rejects(intake.rename('/users.csv', `/${name}`, false), refused);
      await assert.rejects(intake.rename('/users.csv', `/${name}`, true), refused);
      await assert.rejects(intake.rename('/in', `/${name}`, false), refused);
      await assert.rejects(space.mkdir(`/${name}`, {}), refused);
    }
    const upload = await intake.begin('/open.csv', replacing);
    await assert.rejects(intake.rename('/open.csv', `/${forged}`, true), refused);
    await upload.finish();
    assert.deepEqual(await queueOf(place), ['/users.csv', '/old.csv', '/open.csv']);
    await control.write('entries').where({ org_id: org.id, name: 'old.csv' }).update({ name: forged });
    await place.put(`/${forged}`, 'newer');
    assert.equal(await place.get(`/${forged}`), 'newer');
    await intake.rename(`/${forged}`, '/mended.csv', false);
    await intake.remove('/mended.csv');
    await assert.rejects(space.stat('/mended.csv'), { code: 'not_found' });
  });

  test('a folder that vanished is made again; a file in its place is told', async (t) => {
    const place = await openIntake(t, await open(t));
    const { intake, space } = place;
    await space.mkdir('/a', {});
    await space.mkdir('/a/b', {});
    const first = await intake.begin('/a/b/users.csv', replacing);
    const second = await intake.begin('/a/b/teams.csv', replacing);
    const third = await intake.begin('/x.csv', replacing);
    await space.rmdir('/a/b');
    await space.rmdir('/a');
    await first.finish();
    assert.equal((await space.stat('/a/b/users.csv')).kind, 'file');
    await place.service.forSender(place.org, sender).rename('/a/b', '/c', false);
    await place.put('/a/b', 'now a file');
    await assert.rejects(second.finish(), { code: 'not_a_folder' });
    await space.mkdir('/x.csv', {});
    await assert.rejects(third.finish(), { code: 'is_a_folder' });
    assert.equal(blobFiles(place), 2);
    assert.deepEqual(readdirSync(place.paths.partials), []);
  });

  test('scp and resume build on the version that is there', async (t) => {
    const place = await openIntake(t, await open(t));
    await place.put('/users.csv', 'a long first version');
    const scp = await place.intake.begin('/users.csv', keeping);
    await scp.write(0, Buffer.from('short'));
    await scp.setSize(5);
    await scp.finish();
    assert.equal(await place.get('/users.csv'), 'short');
    const resume = await place.intake.begin('/users.csv', keeping);
    assert.equal(resume.entry().size, 5);
    await resume.write(5, Buffer.from(' no more'));
    await resume.finish();
    const append = await place.intake.begin('/users.csv', { ...keeping, append: true });
    await append.write(0, Buffer.from('!'));
    await append.write(0, Buffer.from('!'));
    await append.finish();
    assert.equal(await place.get('/users.csv'), 'short no more!!');
  });

  test('without a key that opens the base, only replacing it works', async (t) => {
    const identity = () => Promise.reject(new KeyError('missing', 'this server only takes uploads'));
    const place = await openIntake(t, await open(t), { identity });
    await place.put('/users.csv', 'first');
    const resume = await place.intake.begin('/users.csv', keeping);
    await assert.rejects(resume.write(5, Buffer.from('x')), { code: 'keyless' });
    await assert.rejects(resume.finish(), { code: 'keyless' });
    const scp = await place.intake.begin('/users.csv', keeping);
    await scp.write(0, Buffer.from('new'));
    await scp.setSize(3);
    await scp.finish();
    assert.equal((await place.space.stat('/users.csv')).size, 3);
  });

  test('uploads of one path at once: the last to finish wins, whole', async (t) => {
    const place = await openIntake(t, await open(t));
    const uploads = await Promise.all([1, 2, 3].map(() => place.intake.begin('/users.csv', replacing)));
    for (const [turn, upload] of uploads.entries()) await upload.write(0, Buffer.from(`version ${turn}`));
    await uploads[2]!.finish();
    await uploads[0]!.finish();
    await uploads[1]!.finish();
    assert.equal(await place.get('/users.csv'), 'version 1');
    await Promise.all(
      Array.from({ length: 20 }, (_, turn) => place.put('/many.csv', `many ${turn}`)).concat(
        Array.from({ length: 20 }, (_, turn) => place.put(`/other-${turn}.csv`, 'x')),
      ),
    );
    assert.match(await place.get('/many.csv'), /^many \d+$/);
    assert.equal((await queueOf(place)).filter((path) => path === '/many.csv').length, 1);
    assert.equal((await queueOf(place)).length, 22);
  });

  test('two services on one database do not lose an upload of the same path', async (t) => {
    const databases = await open(t);
    const place = await openIntake(t, databases);
    const other = place.secondServer();
    const put = async (turn: number) => {
      const upload = await (turn % 2 === 0 ? place.intake : other).begin('/users.csv', replacing);
      await upload.write(0, Buffer.from(`${turn}`));
      return upload.finish();
    };
    await Promise.all(Array.from({ length: 12 }, (_, turn) => put(turn)));
    assert.deepEqual(await queueOf(place), ['/users.csv']);
    assert.equal((await place.space.list('/archive/2026-02-01/superseded', null, 100)).length, 11);
  });

  test('the steps of a CLOSE come in their order', async (t) => {
    const steps: string[] = [];
    const place = await openIntake(t, await open(t), { onStep: (step) => void steps.push(step) });
    await place.put('/users.csv', 'x');
    assert.deepEqual(steps, ['sealed', 'synced', 'moved', 'committed']);
  });

  test('when the database fails, the client is told, nothing is queued, and no blob is left', async (t) => {
    const databases = await open(t);
    const place = await openIntake(t, databases);
    const upload = await place.intake.begin('/users.csv', replacing);
    await upload.write(0, Buffer.from('x'));
    await databases.control.write('orgs').where({ id: 'acme' }).delete();
    await assert.rejects(upload.finish(), { name: 'SpaceError', code: 'failed' });
    assert.equal(blobFiles(place), 0);
    assert.equal(place.service.openUploads(), 0);
  });

  test('when the disk fails, the client is told, and nothing is left', async (t) => {
    const place = await openIntake(t, await open(t));
    const upload = await place.intake.begin('/users.csv', replacing);
    await upload.write(0, Buffer.from('x'));
    rmSync(place.paths.blobs, { recursive: true, force: true });
    writeFileSync(place.paths.blobs, 'a file where the folder should be');
    await assert.rejects(upload.finish(), { code: 'failed' });
    assert.deepEqual(readdirSync(place.paths.partials), []);
    rmSync(place.paths.blobs);
    mkdirSync(place.paths.blobs);
    chmodSync(place.paths.blobs, 0o700);
    await place.put('/users.csv', 'again');
    assert.equal(await place.get('/users.csv'), 'again');
  });

  test('a write that failed poisons the upload', async (t) => {
    const databases = await open(t);
    const settings = { ...databases.settings, maxFileBytes: 10 };
    const place = await openIntake(t, databases, { settings });
    const upload = await place.intake.begin('/users.csv', replacing);
    await upload.write(0, Buffer.from('0123456789'));
    await assert.rejects(upload.write(10, Buffer.from('x')), { code: 'too_large' });
    await assert.rejects(upload.finish(), { code: 'too_large' });
    await assert.rejects(place.space.stat('/users.csv'), { code: 'not_found' });
    assert.deepEqual(readdirSync(place.paths.partials), []);
  });
});

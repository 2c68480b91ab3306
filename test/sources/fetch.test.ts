/** Fetching from an SFTP server: each file once, whole, and nothing is deleted there before it is durable here. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listArrivals } from '../../db/control/alarms.js';
import type { RoundStep } from '../../sources/deps.js';
import { SourceError } from '../../sources/error.js';
import { openDoor, sftpConfig } from '../support/doors.js';
import { startMemoryServer } from '../support/memoryserver.js';
import type { Scope } from '../support/temporary.js';

const content = 'User Email,User Name\nann@acme.test,Ann\n';
const keep = { kind: 'keep' } as const;
const remove = { kind: 'delete' } as const;
const move = { kind: 'move', to: '/out/done' } as const;

async function open(scope: Scope, change: Parameters<typeof sftpConfig>[1] = {}, settings = {}) {
  const server = await startMemoryServer(scope);
  const door = await openDoor(scope, sftpConfig(server, change), { password: server.password }, settings);
  return { server, ...door };
}

test('a new file is fetched once, with a receipt that names its door', async (t) => {
  const { server, company, id, round, queue, taken } = await open(t);
  server.put('users.csv', content);
  server.put('users.csv.part', 'x');
  server.put('readme.md', 'x');
  const { result } = await round();
  assert.deepEqual([result?.taken, result?.bytes, result?.listed], [1, content.length, 1]);
  const [upload, ...others] = await queue();
  assert.deepEqual(others, []);
  assert.deepEqual([upload!.path, upload!.client, upload!.address], ['/users.csv', `source:${id}`, '127.0.0.1']);
  assert.equal(await company.read('/users.csv'), content);
  const records = await company.deps.control.read('audit').where({ action: 'upload.closed' });
  assert.deepEqual(
    records.map(({ actor }) => actor),
    [`source:${id}`],
  );
  assert.deepEqual(
    (await taken()).map(({ name, uploadId }) => [name, uploadId]),
    [['users.csv', upload!.id]],
  );

  server.requests.length = 0;
  assert.equal((await round()).result?.taken, 0);
  assert.deepEqual(server.requests, ['opendir'], 'a known file is not read again');
});

test('files enter in the order of their times', async (t) => {
  const { server, round, queue } = await open(t, { into: '/full' });
  server.put('a.csv', 'a', { mtime: 1_700_000_300 });
  server.put('b.csv', 'b', { mtime: 1_700_000_100 });
  server.put('c.csv', 'c', { mtime: 1_700_000_200 });
  await round();
  assert.deepEqual(
    (await queue()).map(({ path }) => path),
    ['/full/b.csv', '/full/c.csv', '/full/a.csv'],
  );
});

test('a name is taken again when its content changes, and not when only its time does', async (t) => {
  const { server, company, round, queue } = await open(t);
  server.put('users.csv', content);
  await round();
  company.clock += 3_600_000;
  server.put('users.csv', content, { mtime: 1_700_000_500 });
  assert.deepEqual([(await round()).result?.taken, (await round()).result?.unchanged], [0, 0]);
  const [arrival] = await listArrivals(company.deps.control.read, 'acme', 10);
  assert.equal(arrival!.at, company.clock, 'for the alarms about missing files it came again');

  server.put('users.csv', content.replace('Ann', 'Bea'), { mtime: 1_700_000_500 + 60 });
  assert.equal((await round()).result?.taken, 1);
  assert.equal((await queue()).length, 1, 'the older version is superseded');
  assert.match(await company.read('/users.csv'), /Bea/);
});

test('a large file comes whole, from replies that are shorter than their requests', async (t) => {
  const { server, company, round } = await open(t);
  const large = Buffer.from(Array.from({ length: 700_001 }, (_, index) => index % 251)).toString('latin1');
  server.files.set('big.csv', { content: Buffer.from(large, 'latin1'), mtime: 1_700_000_000, mode: 0o100644 });
  server.lies.mostBytes = 10_007;
  await round();
  const entry = await company.deps.control.read('entries').where({ name: 'big.csv' }).first();
  assert.equal(entry.size, 700_001);
  const [{ sha256 }] = await company.deps.control.read('blobs').select('sha256');
  const { createHash } = await import('node:crypto');
  assert.equal(sha256, createHash('sha256').update(Buffer.from(large, 'latin1')).digest('hex'));
});

test('after its fetch a file is deleted, or moved under a name that is free', async (t) => {
  const { server, change, round, taken, queue } = await open(t, { after: remove });
  server.put('users.csv', content);
  await round();
  assert.deepEqual([[...server.files.keys()], await taken()], [[], []]);
  await change({ after: move });
  server.put('done/users.csv', 'an older one');
  server.put('users.csv', content);
  assert.equal((await round()).result?.taken, 1, 'a name that was deleted is new when it comes again');
  assert.deepEqual([...server.files.keys()].sort(), ['done/users.2.csv', 'done/users.csv']);
  assert.equal((await queue()).length, 1);
});

class Crash extends Error {}

const steps: RoundStep[] = ['connected', 'listed', 'opened', 'read', 'sealed', 'taken', 'finished'];

for (const after of [keep, remove, move])
  test(`a crash at any step fetches nothing twice and loses nothing (${after.kind})`, async (t) => {
    const { server, company, id, deps, round, queue } = await open(t, { after });
    for (const [index, step] of steps.entries()) {
      if (step === 'finished' && after.kind === 'keep') continue;
      const name = `users${index}.csv`;
      server.put(name, `${content}${index}`);
      const crash = (reached: RoundStep) => {
        if (reached === step) throw new Crash(step);
      };
      await assert.rejects(round({ onStep: crash }), Crash);
      const before = await queue();
      const isDurable = before.some(({ path }) => path === `/${name}`);
      assert.equal(isDurable, step === 'taken' || step === 'finished', step);
      if (!isDurable) assert.ok(server.files.has(name), `${step}: deleted before it was durable`);
      // The next node waits for the end of the lease of one that was killed; this one gave it back.
      await company.deps.control.write('sources').where({ id }).update({ lease_owner: null, lease_until: 0 });
      server.requests.length = 0;
      assert.equal((await round()).failure, null);
      assert.equal((await round()).failure, null);
      const opens = server.requests.filter((request) => request === `open ${name}`).length;
      assert.equal(opens, isDurable ? 0 : 1, step);
      assert.equal((await queue()).filter(({ path }) => path === `/${name}`).length, 1, step);
      assert.equal(server.files.has(name), after.kind === 'keep', step);
    }
    const all = await company.deps.control.read('uploads').where({ org_id: 'acme' }).select('path');
    assert.equal(new Set(all.map(({ path }) => path)).size, all.length, 'no second version of any file');
    assert.equal(deps.intake.openUploads(), 0);
  });

test('a name whose file was deleted right before a crash is new when it comes again', async (t) => {
  const { server, company, id, round, taken } = await open(t, { after: remove });
  server.put('users.csv', content);
  const crash = (reached: RoundStep) => {
    if (reached === 'finished') throw new Crash(reached);
  };
  await assert.rejects(round({ onStep: crash }), Crash);
  assert.deepEqual([server.files.size, (await taken()).length], [0, 1]);
  await company.deps.control.write('sources').where({ id }).update({ lease_owner: null, lease_until: 0 });
  await round();
  assert.deepEqual(await taken(), []);
  server.put('users.csv', content);
  assert.equal((await round()).result?.taken, 1);
});

test('a file that is not there, and whose deletion had not begun, is not forgotten', async (t) => {
  const { server, company, id, round, taken } = await open(t, { after: remove });
  server.put('users.csv', content);
  const crash = (reached: RoundStep) => {
    if (reached === 'taken') throw new Crash(reached);
  };
  await assert.rejects(round({ onStep: crash }), Crash);
  await company.deps.control.write('sources').where({ id }).update({ lease_owner: null, lease_until: 0 });
  const [name, file] = [...server.files][0]!;
  server.files.clear();
  await round();
  assert.equal((await taken()).length, 1);
  server.files.set(name, file);
  assert.deepEqual([(await round()).result?.taken, server.files.size], [0, 0]);
});

test('a file that could not be deleted is not fetched again, and is told', async (t) => {
  const { server, round, queue } = await open(t, { after: remove });
  server.put('users.csv', content);
  server.lies.refuses.add('remove users.csv');
  const { result } = await round();
  assert.match(result!.problems[0]!, /users\.csv was taken, and could not be deleted/);
  assert.equal((await round()).result?.taken, 0);
  assert.equal((await queue()).length, 1);
  server.lies.refuses.clear();
  await round();
  assert.equal(server.files.size, 0);
});

test('a file whose deletion was refused is not new after its source showed no file, and costs no write in each round', async (t) => {
  const { server, company, round, taken } = await open(t, { after: remove });
  server.put('users.csv', content);
  server.lies.refuses.add('remove users.csv');
  const writes: string[] = [];
  company.deps.control.write.on('query', ({ sql }: { sql: string }) => {
    if (/^(update|insert|delete).*source_files/.test(sql)) writes.push(sql);
  });
  await round();
  assert.equal(writes.length, 4, 'taken (an older version is deleted), begun, refused');
  await round();
  assert.equal(writes.length, 4);
  const [name, file] = [...server.files][0]!;
  server.files.clear();
  await round();
  assert.equal((await taken()).length, 1, 'a share that is not mounted shows no file');
  server.files.set(name, file);
  assert.equal((await round()).result?.taken, 0);
  server.lies.refuses.clear();
  await round();
  assert.deepEqual([server.files.size, await taken()], [0, []]);
  server.put('users.csv', content);
  assert.equal((await round()).result?.taken, 1);
});

test('a newer version that came between fetch and deletion is not deleted', async (t) => {
  const { server, company, round } = await open(t, { after: remove });
  server.put('users.csv', content);
  const replace = (step: RoundStep) => {
    if (step === 'taken') server.put('users.csv', `${content}bea@acme.test,Bea\n`, { mtime: 1_700_000_900 });
  };
  await round({ onStep: replace });
  assert.ok(server.files.has('users.csv'));
  assert.equal((await round()).result?.taken, 1);
  assert.match(await company.read('/users.csv'), /Bea/);
});

test('a file that still grows is left for the next round', async (t) => {
  const { server, company, source, round, queue } = await open(t);
  server.put('users.csv', content);
  const grow = (step: RoundStep) => {
    if (step === 'opened') server.put('users.csv', `${content}b@acme.test,B\n`, { mtime: 1_700_000_010 });
  };
  assert.deepEqual([(await round({ onStep: grow })).result?.waiting, await queue()], [1, []]);
  assert.equal((await source()).nextAt, company.clock + 60_000, 'it comes again soon');
  assert.equal((await round()).result?.taken, 1);
});

test('of two nodes one fetches, and one that lost its lease publishes nothing', async (t) => {
  const { server, company, id, deps, round, queue } = await open(t);
  server.put('users.csv', content);
  const steal = async (step: RoundStep) => {
    if (step !== 'sealed') return;
    await assert.rejects(round({ owner: 'other' }), /claimed/);
    await company.deps.control.write('sources').where({ id }).update({ lease_owner: 'other' });
  };
  const ended = await round({ onStep: steal });
  assert.notEqual(ended.failure, null);
  assert.deepEqual([await queue(), deps.intake.openUploads()], [[], 0]);
});

test('a round that ends after its node lost the lease notes nothing over that of the other one', async (t) => {
  const { server, company, id, round, source } = await open(t);
  server.put('users.csv', content);
  const before = await source();
  const { failure } = await round({
    onStep: async () => {
      await company.deps.control.write('sources').where({ id }).update({ lease_owner: 'other' });
      throw new SourceError('timeout', 'the round took too long');
    },
  });
  assert.equal(failure?.code, 'timeout');
  const { failures, nextAt, lastAt } = await source();
  assert.deepEqual([failures, nextAt, lastAt], [before.failures, before.nextAt, before.lastAt]);
});

test('a file that is larger than the limit is told and not fetched, and others are', async (t) => {
  const { server, round, queue } = await open(t, {}, { maxFileBytes: 1000 });
  server.put('a.csv', 'x'.repeat(2000));
  server.put('b.csv', content);
  const { result } = await round();
  assert.deepEqual([result?.taken, result?.problems.length], [1, 1]);
  assert.ok(!server.requests.includes('open a.csv'));
  assert.deepEqual(
    (await queue()).map(({ path }) => path),
    ['/b.csv'],
  );
});

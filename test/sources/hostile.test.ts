/** A server that lies, stalls or changes its key costs a bounded time and memory, and nothing wrong is taken from it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPublicAddress } from '../../config/publicaddress.js';
import { listOpenAlarms } from '../../db/control/alarms.js';
import { eventOfRecord } from '../../db/control/eventsofaudit.js';
import { deleteSource, updateSource } from '../../db/control/sources.js';
import { findType } from '../../events/types.js';
import { resolveHost } from '../../sources/sftp/address.js';
import { openDoor, sftpConfig } from '../support/doors.js';
import { startMemoryServer } from '../support/memoryserver.js';
import type { Scope } from '../support/temporary.js';
import { examine } from '../support/workplace.js';

const content = 'User Email,User Name\nann@acme.test,Ann\n';

async function open(scope: Scope, change: Parameters<typeof sftpConfig>[1] = {}, settings = {}) {
  const server = await startMemoryServer(scope);
  const door = await openDoor(scope, sftpConfig(server, change), { password: server.password }, settings);
  return { server, ...door };
}

test('a file is read to its end, whatever size the server told; one that ends early is not taken', async (t) => {
  const { server, company, round, queue } = await open(t);
  server.put('longer.csv', content, { toldSize: 3 });
  server.put('zero.csv', content, { toldSize: 0 });
  server.put('shorter.csv', content, { toldSize: 1000 });
  const { result } = await round();
  assert.deepEqual([result?.taken, result?.waiting], [2, 1]);
  assert.match(result!.problems[0]!, /shorter\.csv: only 39 of 1000 bytes/);
  assert.equal(await company.read('/longer.csv'), content);
  assert.equal((await queue()).length, 2);
});

test('a file whose content does not end is not taken past the limit of its size', async (t) => {
  const { server, round, queue, deps } = await open(t, {}, { maxFileBytes: 100_000 });
  server.put('users.csv', content, { toldSize: 10 });
  server.lies.isEndless = true;
  server.put('other.csv', content.repeat(2), { mtime: 1_800_000_000 });
  const { result } = await round();
  assert.match(result!.problems[0]!, /users\.csv: .*100000/);
  assert.deepEqual([result?.taken, await queue(), deps.intake.openUploads()], [0, [], 0]);
});

test('names that lead elsewhere, and entries that are no files, are not fetched', async (t) => {
  const { server, round, queue } = await open(t, { patterns: ['*'] });
  const names = [
    '../evil.csv',
    '..',
    '.',
    '/etc/passwd',
    'a/b.csv',
    'line\nbreak.csv',
    'ok.csv',
    `${'x'.repeat(300)}.csv`,
    `${'ü'.repeat(600)}.csv`,
  ];
  for (const name of names) server.put(name, content);
  server.put('link.csv', content, { mode: 0o120777 });
  server.put('folder.csv', content, { mode: 0o040755 });
  server.put('pipe.csv', content, { mode: 0o010644 });
  server.lies.listing = (batch) => (batch === 0 ? [...server.files.keys()] : null);
  const { result } = await round();
  assert.deepEqual(
    (await queue()).map(({ path }) => path),
    ['/ok.csv'],
  );
  assert.ok(result!.problems.every((text) => !text.includes('\n')));
  assert.deepEqual(
    server.requests.filter((request) => request.startsWith('open ')),
    ['open ok.csv'],
  );
});

test('a server that tells no modes is asked for each name', async (t) => {
  const { server, round } = await open(t);
  server.lies.omitsModes = true;
  server.put('ok.csv', content);
  server.put('link.csv', content, { mode: 0o120777 });
  assert.equal((await round()).result?.taken, 1);
});

for (const [title, listing] of [
  ['new names', (batch: number) => Array.from({ length: 500 }, (_, index) => `f${batch}-${index}.csv`)],
  ['the same names', () => Array.from({ length: 500 }, (_, index) => `f${index}.csv`)],
  ['no names', () => []],
  ['few and long names', (batch: number) => [`${batch}${'x'.repeat(50_000)}`]],
] as const)
  test(`a listing without an end, with ${title}, is ended`, async (t) => {
    const { server, round, queue } = await open(t);
    server.lies.listing = listing as (batch: number) => string[];
    const { failure } = await round();
    assert.deepEqual([failure?.code, await queue()], ['too_many', []]);
  });

test('a server that stops answering is left after the idle time, and one that drips after the time of a round', async (t) => {
  const { server, round, queue, deps } = await open(t, {}, { sourceIdleSeconds: 0.4 });
  server.put('users.csv', content);
  server.lies.readDelayMs = Number.POSITIVE_INFINITY;
  assert.equal((await round()).failure?.code, 'timeout');
  server.lies.readDelayMs = 30;
  server.lies.mostBytes = 1;
  const settings = { ...deps.settings, sourceRoundMinutes: 0.5 / 60 };
  server.put('users.csv', content.repeat(500));
  const { failure } = await round({ settings });
  assert.deepEqual([failure?.code, /sourceRoundMinutes/.test(failure?.message ?? '')], ['timeout', true]);
  assert.deepEqual([await queue(), deps.intake.openUploads()], [[], 0]);
});

test('a fetch that is interrupted begins again in the next round', async (t) => {
  const { server, company, round, queue, deps } = await open(t);
  server.put('users.csv', content.repeat(30_000));
  let reads = 0;
  server.lies.onRead = () => {
    if (++reads === 5) server.dropClients();
  };
  assert.equal((await round()).failure?.code, 'unreachable');
  assert.deepEqual([await queue(), deps.intake.openUploads()], [[], 0]);
  assert.deepEqual(await company.deps.control.read('partials').select(), []);
  assert.equal((await round()).result?.taken, 1);
  assert.equal((await queue())[0]!.size, content.length * 30_000);
});

test('another host key stops the source and raises an alarm until an operator accepts it', async (t) => {
  const { server, company, id, round, source, change } = await open(t);
  server.put('users.csv', content);
  await round();
  await server.changeHostKey();
  server.put('new.csv', content);
  const { failure } = await round();
  assert.equal(failure?.code, 'host_key');
  assert.match(failure!.message, new RegExp(server.fingerprint.replaceAll(/[+/]/g, '.')));
  assert.equal((await source()).state, 'host_key_changed');
  assert.ok(!server.requests.includes('open new.csv'));
  const alarms = await listOpenAlarms(company.deps.control.read, 'acme');
  assert.deepEqual(
    alarms.map(({ kind, subject }) => [kind, subject]),
    [['host_key_changed', `source ${id}`]],
  );
  const findings = await examine(company.databases.settings);
  assert.ok(findings.some(({ level, message }) => level === 'warning' && /another host key/.test(message)));

  await change({ hostKeys: [server.fingerprint] });
  assert.equal((await round()).result?.taken, 1);
  assert.deepEqual(await listOpenAlarms(company.deps.control.read, 'acme'), []);
});

test('a source that is disabled, changed or removed during its round keeps that, and no alarm opens', async (t) => {
  const { server, company, id, round, source, change } = await open(t);
  const { control } = company.deps;
  const alarms = async () => (await listOpenAlarms(control.read, 'acme')).length;
  await server.changeHostKey();
  const disable = async () => {
    await updateSource(control.write, id, { state: 'disabled' });
    return ['127.0.0.1'];
  };
  await change({ host: 'sftp.acme.example' });
  assert.equal((await round({ resolve: disable })).failure?.code, 'host_key');
  assert.deepEqual([(await source()).state, (await source()).failures, await alarms()], ['disabled', 0, 0]);

  await updateSource(control.write, id, { state: 'active' });
  const confirm = async () => {
    await change({ hostKeys: [server.fingerprint] });
    await updateSource(control.write, id, { nextAt: 7 });
    return ['127.0.0.1'];
  };
  assert.equal((await round({ resolve: confirm })).failure?.code, 'host_key');
  const confirmed = await source();
  assert.deepEqual([confirmed.state, confirmed.nextAt, confirmed.failure, await alarms()], ['active', 7, null, 0]);
  assert.equal(confirmed.lastAt, company.clock);
  assert.equal((await round({ resolve: async () => ['127.0.0.1'] })).failure, null);

  server.password = 'another';
  const remove = async () => {
    await deleteSource(control.write, id);
    return ['127.0.0.1'];
  };
  assert.equal((await round({ resolve: remove })).failure?.code, 'login');
  assert.equal(await alarms(), 0);
});

test('a wrong password is told at once, and pauses grow', async (t) => {
  const { server, company, round, source } = await open(t);
  server.password = 'another';
  const pauses = [];
  for (let failures = 1; failures <= 3; failures++) {
    assert.equal((await round()).failure?.code, 'login');
    pauses.push(((await source()).nextAt - company.clock) / 60_000);
  }
  assert.deepEqual(pauses, [15, 30, 60]);
  const [alarm] = await listOpenAlarms(company.deps.control.read, 'acme');
  assert.equal(alarm!.kind, 'source_failing');
  const stored = JSON.stringify(await company.deps.control.read('sources').select());
  assert.ok(!stored.includes('correct horse'), 'the password is sealed');
});

test('an unreachable server raises an alarm at its third failure, which ends with the first success', async (t) => {
  const { server, company, round, change } = await open(t);
  const kinds = async () => (await listOpenAlarms(company.deps.control.read, 'acme')).map(({ kind }) => kind);
  await change({ port: 1 });
  for (const expected of [[], [], ['source_failing']]) {
    assert.equal((await round()).failure?.code, 'unreachable');
    assert.deepEqual(await kinds(), expected);
  }
  await change({ port: server.port });
  await round();
  assert.deepEqual(await kinds(), []);
});

test('private addresses are refused, also behind a public name', async (t) => {
  const { round, change } = await open(t, { allowPrivate: false });
  assert.equal((await round()).failure?.code, 'private_address');
  await change({ host: 'sftp.acme.example' });
  assert.equal((await round({ resolve: async () => ['127.0.0.1'] })).failure?.code, 'private_address');
  for (const address of [
    '10.1.2.3',
    '169.254.169.254',
    '::1',
    'fe80::1%eth0',
    '::ffff:127.0.0.1',
    'fd00::1',
    '0.0.0.0',
  ])
    assert.ok(!isPublicAddress(address), address);
  for (const address of ['8.8.8.8', '2606:4700::1111']) assert.ok(isPublicAddress(address), address);
  assert.deepEqual(await resolveHost('x', false, async () => ['10.0.0.1', '8.8.8.8']), ['8.8.8.8']);
});

test('an alarm of a source is an event, with the number of the source', async (t) => {
  const { company, id, round, change } = await open(t, { allowPrivate: false });
  await round();
  await change({ allowPrivate: true });
  await round();
  const records = await company.deps.control.read('audit').whereLike('action', 'alarm.%').orderBy('id');
  const events = records.map(({ at, org_id: org, actor, action, subject, detail }) =>
    eventOfRecord({ at, org, actor, action, subject, detail: JSON.parse(detail) }),
  );
  assert.deepEqual(
    events.map((event) => event?.type),
    ['alarm.opened', 'alarm.resolved'],
  );
  for (const event of events) {
    findType(event!.type)!.data.parse(event!.data);
    assert.deepEqual([event!.data.kind, event!.data.source, event!.data.files], ['source_failing', id, undefined]);
  }
});

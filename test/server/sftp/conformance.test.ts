/** Version 3 request by request, on the real tree and intake, as OpenSSH's server would answer it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { createSilentLogger } from '../../../config/logger.js';
import { rememberMs } from '../../../db/control/movednames.js';
import { listQueue } from '../../../db/control/uploads.js';
import { PacketWriter } from '../../../server/sftp/codec.js';
import { serveStream } from '../../../server/sftp/session.js';
import { onBothDatabases, openFresh, type TestDatabases } from '../../support/databases.js';
import { archiveQueue, openIntake } from '../../support/intake.js';
import { fc } from '../../support/properties.js';
import { attributesIn, openFor, type Status, statusIn, Wire } from '../../support/wire.js';

const forUpload = openFor.write | openFor.create | openFor.truncate;
const [ok, eof, noSuchFile, denied, failure, unsupported] = [0, 1, 2, 3, 4, 8];

async function openReal(t: TestContext, databases: TestDatabases) {
  const place = await openIntake(t, databases);
  const start = async () => {
    const [client, server] = duplexPair();
    t.after(() => {
      client.destroy();
      server.destroy();
    });
    const session = serveStream(server, {
      space: place.space,
      intake: place.service.forSender(place.org, { keyFingerprint: null, address: null, client: 'test' }),
      logger: createSilentLogger(),
      now: () => place.clock.now,
      maxHandles: 20,
    });
    const wire = new Wire(client);
    await wire.initialize();
    return { wire, session, client };
  };
  const queue = async () => (await listQueue(place.control.read, 'acme')).map(({ path }) => path);
  return { ...place, ...(await start()), start, queue };
}

const codeOf = async (status: Promise<Status>) => (await status).code;

/** Names of a folder with their lines, page by page. */
async function list(wire: Wire, path: string, onPage: () => Promise<unknown> = async () => {}) {
  const handle = await wire.openFolder(path);
  const found: { name: Buffer; line: string }[] = [];
  for (;;) {
    const { type, body } = await wire.ask(12, (packet) => packet.string(handle));
    if (type === 101) {
      assert.equal(body.u32(), eof);
      break;
    }
    for (let count = body.u32(); count > 0; count--) {
      found.push({ name: Buffer.from(body.string()), line: body.string().toString() });
      body.u32();
      for (let words = 7; words > 0; words--) body.u32();
    }
    await onPage();
  }
  await wire.close(handle);
  return found;
}

onBothDatabases('version 3', (open) => {
  test('every name of legal bytes is stored, listed and found as it came', async (t) => {
    const { wire } = await openReal(t, await open(t));
    const bytes = Array.from({ length: 255 }, (_, index) => index + 1);
    const controls = bytes.filter((byte) => byte < 0x20 || byte === 0x7f);
    const ascii = bytes.filter((byte) => byte < 0x80 && byte !== 0x2f && !controls.includes(byte));
    const names = ascii.map((byte) => Buffer.from([0x61, byte, 0x62]));
    names.push(Buffer.from('é'), Buffer.from('e\u0301'), Buffer.from('日本.csv'), Buffer.from('\u{1F600}'));
    names.push(Buffer.from('\ufeffbom'), Buffer.from(' leading and trailing '), Buffer.from('-rf'), Buffer.from('...'));
    names.push(Buffer.from('x'.repeat(255)), Buffer.from('C:\\a\\b'), Buffer.from("'; DROP TABLE entries"));
    for (const name of names) {
      const folder = await wire.ask(14, (packet) => packet.string(Buffer.concat([Buffer.from('/'), name])).u32(0));
      assert.equal(statusIn(folder).code, ok, name.toString());
    }
    const listed = await list(wire, '/');
    const found = new Set(listed.map(({ name }) => name.toString('hex')));
    for (const name of names) assert.ok(found.has(name.toString('hex')), name.toString());
    for (const { line } of listed)
      assert.match(line, /^[-d][-rwx]{9} +\d+ acme +acme +\d+ \w{3} [ \d]\d .{5} [^\p{Cc}]+$/u);
    for (const illegal of [
      'a\0b',
      'x'.repeat(256),
      `/${'a/'.repeat(33)}`,
      Buffer.from([0x61, 0xff]),
      Buffer.from('c3', 'hex'),
    ]) {
      const refused = statusIn(await wire.ask(14, (packet) => packet.string(illegal).u32(0)));
      assert.equal(refused.code, failure);
      assert.match(refused.sentence, /name is not allowed: .*UTF-8/);
    }
    for (const byte of controls) {
      const name = Buffer.from([0x61, byte, 0x62]);
      const refused = statusIn(await wire.ask(14, (packet) => packet.string(name).u32(0)));
      assert.equal(refused.code, failure, name.toString('hex'));
      assert.match(refused.sentence, /control character/);
    }
  });

  test('pages stay right while files come, go and are renamed', async (t) => {
    const { wire, put, intake } = await openReal(t, await open(t));
    await wire.ask(14, (packet) => packet.string('/in').u32(0));
    const names = Array.from({ length: 130 }, (_, index) => `${String(index).padStart(3, '0')}.csv`);
    for (const name of names) await put(`/in/${name}`, 'x');
    let pages = 0;
    const listed = await list(wire, '/in', async () => {
      if (++pages > 1) return;
      await intake.remove('/in/000.csv');
      await intake.remove('/in/110.csv');
      await put('/in/0.csv', 'behind the page');
      await put('/in/999.csv', 'before it');
      await wire.rename('/in', '/out');
    });
    const seen = listed.map(({ name }) => name.toString());
    assert.deepEqual(seen, [...names.filter((name) => name !== '110.csv'), '999.csv']);
    assert.equal(pages, 2);
  });
});

/** The rest does not depend on the database. */
async function openOne(t: TestContext) {
  return openReal(t, await openFresh(t, 'sqlite'));
}

test('INIT of a newer version falls back to 3', async (t) => {
  const { space, intake } = await openOne(t);
  for (const version of [3, 4, 6, 0xffffffff]) {
    const [client, server] = duplexPair();
    t.after(() => void client.destroy());
    serveStream(server, { space, intake, logger: createSilentLogger(), now: Date.now, maxHandles: 1 });
    client.write(new PacketWriter(1).u32(version).string('vendor-id').string('x').finish());
    const [bytes] = (await once(client, 'data')) as [Buffer];
    assert.deepEqual([bytes[4], bytes.readUInt32BE(5)], [2, 3]);
  }
});

test('an upload follows the name that its client gives it, and goes with a name that it removes', async (t) => {
  const { wire, queue, get } = await openOne(t);
  const moved = await wire.open('/users.csv.part', forUpload);
  await wire.write(moved, 0, 'half ');
  assert.equal(await codeOf(wire.rename('/users.csv.part', '/nowhere/users.csv')), noSuchFile);
  assert.equal(await codeOf(wire.rename('/users.csv.part', '/archive/users.csv')), denied);
  wire.send(18, (packet) => packet.string('/users.csv.part').string('/users.csv'));
  wire.send(6, (packet) => packet.string(moved).u64(5).string('whole'));
  wire.send(4, (packet) => packet.string(moved));
  wire.send(17, (packet) => packet.string('/users.csv.part'));
  for (const code of [ok, ok, ok, noSuchFile]) assert.equal(statusIn(await wire.receive()).code, code);
  assert.equal(await get('/users.csv'), 'half whole');
  assert.deepEqual(await queue(), ['/users.csv']);

  const removed = await wire.open('/gone.csv', forUpload);
  for (const at of [0, 150_000]) await wire.write(removed, at, 'x'.repeat(150_000));
  assert.equal(statusIn(await wire.ask(13, (packet) => packet.string('/gone.csv'))).code, ok);
  assert.equal(statusIn(await wire.ask(13, (packet) => packet.string('/gone.csv'))).code, noSuchFile);
  assert.equal(await codeOf(wire.write(removed, 300_000, 'goes on')), ok);
  assert.equal(attributesIn(await wire.ask(8, (packet) => packet.string(removed))).size, 300_007);
  assert.equal((await wire.close(removed)).code, ok);
  assert.deepEqual(await wire.stat('/gone.csv'), { code: noSuchFile, sentence: 'No such file or folder' });

  await wire.ask(14, (packet) => packet.string('/in').u32(0));
  const below = await wire.open('/in/teams.csv', forUpload);
  assert.equal(await codeOf(wire.rename('/in', '/out')), ok);
  assert.equal((await wire.close(below)).code, ok);
  assert.deepEqual(await queue(), ['/users.csv', '/out/teams.csv']);
});

test('a file open for reading outlives its name', async (t) => {
  const { wire, put } = await openOne(t);
  await put('/users.csv', 'content');
  const handle = await wire.open('/users.csv', openFor.read);
  assert.equal(await codeOf(wire.rename('/users.csv', '/renamed.csv')), ok);
  await wire.ask(13, (packet) => packet.string('/renamed.csv'));
  assert.equal(await wire.read(handle, 0, 100), 'content');
  assert.equal(attributesIn(await wire.ask(8, (packet) => packet.string(handle))).size, 7);
  const times = await wire.ask(10, (packet) => packet.string(handle).u32(8).u32(1).u32(2));
  assert.equal(statusIn(times).code, ok);
  assert.equal((await wire.close(handle)).code, ok);
});

test('times and size are set after CLOSE, also when the import was faster', async (t) => {
  const { wire, control, clock, get, queue } = await openOne(t);
  await wire.put('/users.csv', 'User Email\nann@acme.test\n');
  const set = async (flags: number, ...numbers: number[]) =>
    statusIn(
      await wire.ask(9, (packet) =>
        numbers.reduce((all, number) => all.u32(number), packet.string('/users.csv').u32(flags)),
      ),
    ).code;
  assert.equal(await set(8, 1000, 2000), ok);
  assert.equal(await set(4, 0o100600), ok);
  assert.equal(await set(2, 12, 34), ok, 'an owner is accepted');
  assert.deepEqual(await wire.stat('/users.csv'), { size: 25, mode: 0o100600, atime: 1000, mtime: 2000 });
  assert.equal(await set(1, 0, 11), ok);
  assert.equal(await get('/users.csv'), 'User Email\n');
  assert.equal(await set(1, 0, 13), ok);
  assert.equal(await get('/users.csv'), 'User Email\n\0\0');
  assert.deepEqual(await queue(), ['/users.csv']);

  await wire.put('/users.csv', 'again');
  await archiveQueue(control, clock.now);
  assert.equal(((await wire.stat('/users.csv')) as { size: number }).size, 5);
  assert.equal(await set(1 | 8, 0, 5, 3000, 4000), ok);
  assert.equal(((await wire.stat('/users.csv')) as { mtime: number }).mtime, 4000);
  clock.now += rememberMs;
  assert.equal(await set(8, 1, 2), noSuchFile);
  await wire.put('/other.csv', 'x');
  await wire.ask(13, (packet) => packet.string('/other.csv'));
  assert.equal(((await wire.stat('/other.csv')) as Status).code, noSuchFile, 'who removed it knows');
});

test('statuses, and sentences that say what to do', async (t) => {
  const { wire, put } = await openOne(t);
  await put('/users.csv', 'content');
  await wire.ask(14, (packet) => packet.string('/in').u32(0));
  await put('/in/users.csv', 'content');
  const ask = async (type: number, build: (packet: PacketWriter) => PacketWriter) =>
    statusIn(await wire.ask(type, build));
  const path =
    (...paths: string[]) =>
    (packet: PacketWriter) =>
      paths.reduce((all, each) => all.string(each), packet);
  const opening = (name: string, flags: number) => (packet: PacketWriter) => packet.string(name).u32(flags).u32(0);
  const making = (name: string) => (packet: PacketWriter) => packet.string(name).u32(0);
  for (const [type, build, code, sentence] of [
    [3, opening('/users.csv', forUpload | openFor.exclusive), failure, /exists already/],
    [3, opening('/in', openFor.write), failure, /is a folder/],
    [3, opening('/none/x.csv', forUpload), noSuchFile, /No such/],
    [3, opening('/users.csv/x.csv', forUpload), noSuchFile, /not a folder/],
    [3, opening('/reports/x.csv', forUpload), denied, /\/reports .* read-only; files are dropped in \//],
    [
      3,
      opening('/users.csv', openFor.read | openFor.write | openFor.create | openFor.exclusive),
      failure,
      /exists already/,
    ],
    [7, path('/users.csv/x'), noSuchFile, /not a folder/],
    [11, path('/users.csv'), noSuchFile, /not a folder/],
    [13, path('/in'), failure, /is a folder/],
    [13, path('/archive'), denied, /read-only/],
    [14, making('/in'), failure, /exists already/],
    [14, making('/none/in'), noSuchFile, /No such/],
    [15, path('/in'), failure, /not empty/],
    [15, path('/users.csv'), noSuchFile, /not a folder/],
    [15, path('/templates'), denied, /read-only/],
    [18, path('/users.csv', '/in/users.csv'), failure, /exists already/],
    [18, path('/none', '/other'), noSuchFile, /No such/],
    [18, path('/in', '/in/deeper'), unsupported, /not supported/],
    [19, path('/users.csv'), unsupported, /no links/],
    [20, path('/users.csv', '/link'), unsupported, /no links/],
    [99, path(), unsupported, /Not supported/],
  ] as const) {
    const told = await ask(type, build as (packet: PacketWriter) => PacketWriter);
    assert.equal(told.code, code, `${type}: ${told.sentence}`);
    assert.match(told.sentence, sentence);
  }
});

test('64-bit offsets are exact up to what a number holds, and refused beyond', async (t) => {
  const { wire, put } = await openOne(t);
  await put('/users.csv', 'content');
  const reader = await wire.open('/users.csv', openFor.read);
  const upload = await wire.open('/new.csv', forUpload);
  const readAt = (high: number, low: number) =>
    wire.ask(5, (packet) => packet.string(reader).u32(high).u32(low).u32(10));
  assert.equal(statusIn(await readAt(0, 7)).code, eof);
  assert.equal(statusIn(await readAt(1, 0)).code, eof, 'not the first byte');
  assert.equal(statusIn(await readAt(0x1fffff, 0xffffffff)).code, eof);
  for (const high of [0x200000, 0x7fffffff, 0xffffffff]) {
    assert.deepEqual(statusIn(await readAt(high, 0)), { code: failure, sentence: 'Larger than this server accepts' });
    const write = await wire.ask(6, (packet) => packet.string(upload).u32(high).u32(0).string('x'));
    assert.equal(statusIn(write).code, failure);
    const size = await wire.ask(10, (packet) => packet.string(upload).u32(1).u32(high).u32(0));
    assert.equal(statusIn(size).code, failure);
  }
  assert.equal(await codeOf(wire.write(upload, 0, 'kept')), ok, 'a number that no file has harms no upload');
  assert.equal((await wire.close(upload)).code, ok);
});

test('a request has up to 256 KiB', async (t) => {
  const { wire, get } = await openOne(t);
  const content = Buffer.alloc(256 * 1024, 'abcdefg');
  const upload = await wire.open('/users.csv', forUpload);
  assert.equal(await codeOf(wire.write(upload, 0, content)), ok);
  assert.equal((await wire.close(upload)).code, ok);
  assert.equal(await get('/users.csv'), content.toString());
  const reader = await wire.open('/users.csv', openFor.read);
  const first = (await wire.read(reader, 0, 0xffffffff))!;
  assert.equal(first.length, 255 * 1024);
  assert.equal(await wire.read(reader, first.length, 0xffffffff), content.subarray(first.length).toString());
});

test('REALPATH resolves whatever it is given, and never leaves the root', async (t) => {
  const { wire } = await openOne(t);
  const part = fc.constantFrom('', '.', '..', 'a', 'Zürich', '日本', 'in', '...', ' ');
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 12 }), fc.boolean(), async (parts, isAbsolute) => {
      const asked = (isAbsolute ? '/' : '') + parts.join('/');
      const answer = await wire.ask(16, (packet) => packet.string(asked));
      assert.equal(answer.type, 104);
      assert.equal(answer.body.u32(), 1);
      const names: string[] = [];
      for (const name of parts)
        if (name === '..') names.pop();
        else if (name !== '' && name !== '.') names.push(name);
      assert.equal(answer.body.string().toString(), `/${names.join('/')}`);
    }),
    { numRuns: 60 },
  );
});

/** A session's requests: what each one does, and in which order. */
import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { createSilentLogger } from '../../../config/logger.js';
import type { PacketWriter } from '../../../server/sftp/codec.js';
import { serveStream } from '../../../server/sftp/session.js';
import { statusOf } from '../../../server/sftp/status.js';
import { SpaceError } from '../../../storage/types.js';
import { memorySpace } from '../../support/memory.js';
import { openSession } from '../../support/session.js';
import { attributesIn, handleIn, openFor, statusIn, Wire } from '../../support/wire.js';

const forUpload = openFor.write | openFor.create | openFor.truncate;
const ok = { code: 0, sentence: 'OK' };

test('INIT names the extensions that are served', async (t) => {
  const [client, server] = duplexPair();
  t.after(() => client.destroy());
  const { space, intake } = memorySpace();
  serveStream(server, { space, intake, logger: createSilentLogger(), now: Date.now, maxHandles: 1 });
  assert.deepEqual(await new Wire(client).initialize(), {
    'posix-rename@openssh.com': '1',
    'statvfs@openssh.com': '2',
    'fstatvfs@openssh.com': '2',
    'fsync@openssh.com': '1',
    'lsetstat@openssh.com': '1',
    'limits@openssh.com': '1',
    'expand-path@openssh.com': '1',
    'copy-data': '1',
    'home-directory': '1',
    'users-groups-by-id@openssh.com': '1',
    'check-file': '1',
    'check-file-handle': '1',
    'check-file-name': '1',
  });
});

test('a file is uploaded, looked at and read back', async (t) => {
  const { wire, memory } = await openSession(t);
  const handle = await wire.open('/users.csv', forUpload);
  assert.deepEqual(await wire.write(handle, 0, 'User Email\n'), ok);
  assert.deepEqual(await wire.write(handle, 11, 'ann@acme.test\n'), ok);
  assert.deepEqual(memory.files(), {});
  assert.deepEqual(await wire.close(handle), ok);
  assert.deepEqual(memory.files(), { '/users.csv': 'User Email\nann@acme.test\n' });
  const reader = await wire.open('users.csv', openFor.read);
  assert.equal(await wire.read(reader, 11, 3), 'ann');
  assert.equal(await wire.read(reader, 25, 10), null);
  assert.deepEqual(await wire.close(reader), ok);
});

test('OPEN with CREAT and without WRITE makes an empty file at once, and writes nothing', async (t) => {
  const { wire, memory } = await openSession(t);
  const attributes = (mode: number) => (packet: PacketWriter) => packet.u32(4).u32(mode);
  let count = 0;
  for (const flags of [openFor.create, openFor.create | openFor.read, openFor.create | openFor.exclusive]) {
    const path = `/new-${count++}.csv`;
    const answer = await wire.ask(3, (packet) => attributes(0o600)(packet.string(path).u32(flags)));
    const handle = handleIn(answer);
    assert.deepEqual([memory.files()[path], ((await wire.stat(path)) as { mode: number }).mode], ['', 0o100600]);
    assert.equal(await wire.read(handle, 0, 10), null);
    assert.notEqual((await wire.write(handle, 0, 'x')).code, 0);
    assert.deepEqual(await wire.close(handle), ok);
    assert.equal(memory.files()[path], '');
  }
  await wire.put('/users.csv', 'kept');
  for (const flags of [openFor.create, openFor.create | openFor.read]) {
    const handle = await wire.open('/users.csv', flags);
    assert.equal(await wire.read(handle, 0, 10), 'kept');
    assert.notEqual((await wire.write(handle, 0, 'x')).code, 0);
    assert.deepEqual(await wire.close(handle), ok);
  }
  await assert.rejects(wire.open('/users.csv', openFor.create | openFor.exclusive), /^Error: 4: /);
  await assert.rejects(wire.open('/absent.csv', openFor.read), /^Error: 2: /);
  assert.equal(memory.files()['/users.csv'], 'kept');
});

test('OPEN with CREAT and without WRITE does not touch an upload in progress', async (t) => {
  const { wire, memory } = await openSession(t);
  const upload = await wire.open('/users.csv', forUpload);
  await wire.write(upload, 0, 'whole');
  const view = await wire.open('/users.csv', openFor.create | openFor.read);
  assert.equal(await wire.read(view, 0, 100), 'whole');
  await assert.rejects(wire.open('/users.csv', openFor.create | openFor.exclusive), /^Error: 4: /);
  assert.deepEqual(await wire.close(view), ok);
  assert.deepEqual(memory.files(), {});
  assert.deepEqual(await wire.close(upload), ok);
  assert.deepEqual(memory.files(), { '/users.csv': 'whole' });
});

test('a session that may read only creates nothing', async (t) => {
  const { wire, memory } = await openSession(t, { readOnly: true });
  for (const flags of [openFor.create, openFor.create | openFor.read])
    await assert.rejects(wire.open('/users.csv', flags), /^Error: 3: /);
  assert.deepEqual(memory.files(), {});
});

test('writes may come in any order', async (t) => {
  const { wire, memory } = await openSession(t);
  const handle = await wire.open('/users.csv', forUpload);
  for (const [offset, text] of [
    [4, 'EFGH'],
    [8, 'IJ'],
    [0, 'ABCD'],
  ] as const)
    await wire.write(handle, offset, text);
  await wire.close(handle);
  assert.deepEqual(memory.files(), { '/users.csv': 'ABCDEFGHIJ' });
});

test('everything works byte by byte', async (t) => {
  const { wire, memory } = await openSession(t, { chunkBytes: 1 });
  assert.deepEqual(await wire.put('/teams.csv', 'Team Name\nSales\n'), ok);
  assert.deepEqual(memory.files(), { '/teams.csv': 'Team Name\nSales\n' });
});

test('requests on a name that come right behind its CLOSE see the closed file', async (t) => {
  const { wire, memory } = await openSession(t);
  const handle = await wire.open('/users.csv.part', forUpload);
  wire.send(6, (packet) => packet.string(handle).u64(0).string('12345'));
  wire.send(4, (packet) => packet.string(handle));
  wire.send(17, (packet) => packet.string('/users.csv.part'));
  wire.send(18, (packet) => packet.string('/users.csv.part').string('/users.csv'));
  wire.send(9, (packet) => packet.string('/users.csv').u32(8).u32(1000).u32(2000));
  wire.send(17, (packet) => packet.string('/users.csv'));
  assert.deepEqual(statusIn(await wire.receive()), ok);
  assert.deepEqual(statusIn(await wire.receive()), ok);
  assert.equal(attributesIn(await wire.receive()).size, 5);
  assert.deepEqual(statusIn(await wire.receive()), ok);
  assert.deepEqual(statusIn(await wire.receive()), ok);
  const { size, atime, mtime } = attributesIn(await wire.receive());
  assert.deepEqual({ size, atime, mtime }, { size: 5, atime: 1000, mtime: 2000 });
  assert.deepEqual(memory.log, ['finish /users.csv.part 5', 'rename /users.csv.part /users.csv']);
});

test('the session sees its own upload before CLOSE, under its handle and under its name', async (t) => {
  const { wire } = await openSession(t);
  const handle = await wire.open('/users.csv', forUpload);
  await wire.write(handle, 0, 'half');
  assert.equal(attributesIn(await wire.ask(8, (packet) => packet.string(handle))).size, 4);
  assert.equal(((await wire.stat('/users.csv')) as { size: number }).size, 4);
  const setTimes = await wire.ask(9, (packet) => packet.string('/users.csv').u32(8).u32(7).u32(9));
  assert.deepEqual(statusIn(setTimes), ok);
  // MKDIR sees the file too, and RMDIR of a folder with such a file that it is not empty.
  const made = await wire.ask(14, (packet) => packet.string('/users.csv').u32(0));
  assert.match(statusIn(made).sentence, /exists already/);
  await wire.ask(14, (packet) => packet.string('/folder').u32(0));
  const inside = await wire.open('/folder/users.csv', forUpload);
  assert.match(statusIn(await wire.ask(15, (packet) => packet.string('/folder'))).sentence, /not empty/);
  await wire.close(inside);
  await wire.close(handle);
  const { size, mtime } = (await wire.stat('/users.csv')) as { size: number; mtime: number };
  assert.deepEqual({ size, mtime }, { size: 4, mtime: 9 });
});

test('attributes never make an upload fail; the size is a real one', async (t) => {
  const { wire, memory } = await openSession(t);
  memory.put('/users.csv', 'old and long');
  const handle = await wire.open('/users.csv', openFor.write | openFor.create);
  await wire.write(handle, 0, 'new');
  const set = (flags: number, ...numbers: number[]) =>
    wire.ask(10, (packet) => numbers.reduce((all, number) => all.u32(number), packet.string(handle).u32(flags)));
  assert.deepEqual(statusIn(await set(1, 0, 3)), ok); // size, as scp sends it
  assert.deepEqual(statusIn(await set(2, 1000, 1000)), ok); // owner
  assert.deepEqual(statusIn(await set(4, 0o100600)), ok);
  assert.deepEqual(statusIn(await set(8, 5, 6)), ok);
  await wire.close(handle);
  assert.deepEqual(memory.files(), { '/users.csv': 'new' });
  assert.deepEqual(await wire.stat('/users.csv'), { size: 3, mode: 0o100600, atime: 5, mtime: 6 });
});

test('a size that is set on a path is another version of the file', async (t) => {
  const { wire, memory } = await openSession(t);
  memory.put('/users.csv', 'abcdef');
  const setSize = async (size: number) =>
    statusIn(await wire.ask(9, (packet) => packet.string('/users.csv').u32(1).u64(size)));
  assert.deepEqual(await setSize(6), ok);
  assert.deepEqual(memory.log, []);
  assert.deepEqual(await setSize(3), ok);
  assert.deepEqual(memory.files(), { '/users.csv': 'abc' });
  assert.deepEqual(memory.log, ['finish /users.csv 3']);
});

test('a CLOSE after a failed write publishes nothing', async (t) => {
  const { wire, memory } = await openSession(t);
  const handle = await wire.open('/users.csv', forUpload);
  await wire.write(handle, 0, 'good');
  memory.beforeWrite = () => Promise.reject(new SpaceError('failed', 'no space left'));
  assert.equal((await wire.write(handle, 4, 'bad')).code, 4);
  memory.beforeWrite = () => Promise.resolve();
  await wire.write(handle, 7, 'good again');
  assert.equal((await wire.close(handle)).code, 4);
  assert.deepEqual(memory.files(), {});
});

test('folders are listed in pages, each name once', async (t) => {
  const { wire, memory } = await openSession(t);
  const names = Array.from({ length: 120 }, (_, number) => `users-${String(number).padStart(3, '0')}.csv`);
  for (const name of names) memory.put(`/${name}`, 'x');
  const handle = await wire.openFolder('/');
  const seen: string[] = [];
  for (;;) {
    const { type, body } = await wire.ask(12, (packet) => packet.string(handle));
    if (type === 101) break;
    for (let count = body.u32(); count > 0; count--) {
      seen.push(body.string().toString());
      assert.match(body.string().toString(), /^[-d]rw.* acme .* (archive|users-\d+\.csv)$/);
      for (let field = 0; field < 8; field++) body.u32();
    }
  }
  assert.deepEqual(seen, ['archive', ...names]);
  assert.equal((await wire.close(handle)).code, 0);
});

test('the sender of a name with a control character is told about it', () => {
  const { code, sentence } = statusOf(new SpaceError('control_character', 'for the log'));
  assert.equal(code, 4);
  assert.match(sentence, /control character, such as a line break .* choose a name without it/);
});

test('RENAME never overwrites, posix-rename does', async (t) => {
  const { wire, memory } = await openSession(t);
  memory.put('/new.csv', 'new');
  memory.put('/users.csv', 'old');
  assert.equal((await wire.rename('/new.csv', '/users.csv')).code, 4);
  const posix = await wire.ask(200, (packet) =>
    packet.string('posix-rename@openssh.com').string('/new.csv').string('/users.csv'),
  );
  assert.deepEqual(statusIn(posix), ok);
  assert.deepEqual(memory.files(), { '/users.csv': 'new' });
});

test('limits and fsync answer as OpenSSH expects it', async (t) => {
  const { wire, memory } = await openSession(t);
  const { type, body } = await wire.ask(200, (packet) => packet.string('limits@openssh.com'));
  assert.deepEqual([type, body.u64(), body.u64(), body.u64(), body.u64()], [201, 263168, 261120, 261120, 20]);
  const handle = await wire.open('/users.csv', forUpload);
  const sync = await wire.ask(200, (packet) => packet.string('fsync@openssh.com').string(handle));
  assert.deepEqual(statusIn(sync), ok);
  assert.deepEqual(memory.log, ['sync /users.csv']);
});

test('paths are normalized and never lead above the root', async (t) => {
  const { wire } = await openSession(t);
  const resolve = async (path: string | Buffer) => {
    const answer = await wire.ask(16, (packet) => packet.string(path));
    if (answer.type === 101) return statusIn(answer).code;
    answer.body.u32();
    return answer.body.string().toString();
  };
  assert.equal(await resolve('.'), '/');
  assert.equal(await resolve(''), '/');
  assert.equal(await resolve('../../etc/passwd'), '/etc/passwd');
  assert.equal(await resolve('/archive//x/../y/'), '/archive/y');
  assert.equal(await resolve('Zürich.CSV'), '/Zürich.CSV');
  assert.equal(await resolve(Buffer.from('ff2e637376', 'hex')), 4);
  assert.equal(await resolve('a\0b'), 4);
});

test('what is not there, not allowed or not served is refused by its status, and the session goes on', async (t) => {
  const { wire } = await openSession(t);
  const codeOf = async (type: number, build: Parameters<Wire['ask']>[1]) => statusIn(await wire.ask(type, build)).code;
  assert.equal(await codeOf(17, (packet) => packet.string('/nothing')), 2);
  assert.equal(await codeOf(3, (packet) => packet.string('/nothing').u32(openFor.read).u32(0)), 2);
  assert.equal(await codeOf(3, (packet) => packet.string('/nothing').u32(openFor.write).u32(0)), 2);
  assert.equal(await codeOf(3, (packet) => packet.string('/archive/x').u32(forUpload).u32(0)), 3);
  assert.equal(await codeOf(3, (packet) => packet.string('/').u32(openFor.read).u32(0)), 4);
  assert.equal(await codeOf(11, (packet) => packet.string('/nothing')), 2);
  assert.equal(await codeOf(14, (packet) => packet.string('/archive').u32(0)), 3);
  assert.equal(await codeOf(19, (packet) => packet.string('/link')), 8);
  assert.equal(await codeOf(20, (packet) => packet.string('/link').string('/target')), 8);
  assert.equal(await codeOf(21, (packet) => packet), 8);
  assert.equal(await codeOf(200, (packet) => packet.string('hardlink@openssh.com')), 8);
  assert.equal(await codeOf(4, (packet) => packet.string('none')), 4);
  assert.equal(await codeOf(4, (packet) => packet.string(Buffer.alloc(4, 9))), 4);
  const handle = await wire.open('/users.csv', forUpload);
  assert.equal(await codeOf(5, (packet) => packet.string(handle).u64(0).u32(1)), 3);
  assert.equal(await codeOf(12, (packet) => packet.string(handle)), 3);
  assert.equal(await codeOf(6, (packet) => packet.string(handle).u32(0x7fffffff).u32(0).string('x')), 4);
  const folder = await wire.openFolder('/');
  assert.equal(await codeOf(6, (packet) => packet.string(folder).u64(0).string('x')), 3);
  assert.equal((await wire.close(folder)).code, 0);
  assert.equal((await wire.close(handle)).code, 0);
});

test('open handles are capped, and closing one makes room', async (t) => {
  const { wire } = await openSession(t, { maxHandles: 2 });
  const first = await wire.openFolder('/');
  await wire.open('/users.csv', forUpload);
  await assert.rejects(wire.open('/teams.csv', forUpload), /Too many open files/);
  await wire.close(first);
  await wire.open('/teams.csv', forUpload);
});

test('a read-only session refuses every request that changes anything', async (t) => {
  const { wire, memory } = await openSession(t, { readOnly: true });
  memory.put('/users.csv', 'content');
  await assert.rejects(wire.open('/teams.csv', forUpload), /read-only/);
  assert.equal((await wire.rename('/users.csv', '/x.csv')).code, 3);
  assert.equal(statusIn(await wire.ask(13, (packet) => packet.string('/users.csv'))).code, 3);
  const handle = await wire.open('/users.csv', openFor.read);
  assert.equal(await wire.read(handle, 0, 100), 'content');
});

test('an upload-only session sends, looks, renames and removes, and reads nothing', async (t) => {
  const { wire, memory } = await openSession(t, { uploadOnly: true });
  memory.put('/old.csv', 'content');
  memory.put('/archive/2026-01-31/users.csv', 'content');
  const asked = async (number: number, path: string) =>
    statusIn(await wire.ask(number, (packet) => packet.string(path).u32(0))).code;
  await assert.rejects(wire.open('/old.csv', openFor.read), /may upload, and read nothing/);
  await assert.rejects(wire.open('/archive/2026-01-31/users.csv', openFor.read), /may upload/);
  await assert.rejects(wire.openFolder('/archive'), /may upload/);
  await assert.rejects(wire.openFolder('/reports'), /may upload/);
  assert.equal(await asked(17, '/archive/2026-01-31/users.csv'), 3);
  assert.equal(await asked(7, '/reports/none'), 3);
  // A handle for reading and writing, as some libraries open every file, holds what was there before.
  const handle = await wire.open('/old.csv', openFor.write | openFor.create | openFor.read);
  await wire.write(handle, 0, 'user');
  assert.equal(statusIn(await wire.ask(5, (packet) => packet.string(handle).u64(0).u32(99))).code, 3);
  assert.equal((await wire.close(handle)).code, 0);
  assert.ok('size' in (await wire.stat('/old.csv')));
  assert.equal((await wire.rename('/old.csv', '/users.csv')).code, 0);
  assert.ok('size' in (await wire.stat('/archive')));
  assert.equal(statusIn(await wire.ask(13, (packet) => packet.string('/users.csv'))).code, 0);
  const root = await wire.openFolder('/');
  assert.equal((await wire.close(root)).code, 0);
});

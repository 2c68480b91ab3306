/** The extensions: each one as its clients ask for it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { PacketReader, PacketWriter } from '../../../server/sftp/codec.js';
import { openSession } from '../../support/session.js';
import { openFor, statusIn, type Wire } from '../../support/wire.js';

const forUpload = openFor.write | openFor.create | openFor.truncate;
const content = Buffer.from('User Email\n'.repeat(1000));

async function extend(wire: Wire, name: string, build = (packet: PacketWriter) => packet) {
  return wire.ask(200, (packet) => build(packet.string(name)));
}

/** The body of an answer that is no status. */
async function ask(wire: Wire, name: string, build?: (packet: PacketWriter) => PacketWriter): Promise<PacketReader> {
  const answer = await extend(wire, name, build);
  assert.ok(answer.type === 201 || answer.type === 104, answer.type === 101 ? statusIn(answer).sentence : '');
  return answer.body;
}

async function refuse(wire: Wire, name: string, build?: (packet: PacketWriter) => PacketWriter): Promise<number> {
  return statusIn(await extend(wire, name, build)).code;
}

test('statvfs tells the quota, and what is read-only', async (t) => {
  const { wire } = await openSession(t);
  const numbers = (body: PacketReader) => Array.from({ length: 11 }, () => body.u64());
  const root = numbers(await ask(wire, 'statvfs@openssh.com', (packet) => packet.string('/')));
  // 1,000,000 bytes in blocks of 4096, 750,000 of them free; 100 files, 97 free
  assert.deepEqual(root, [4096, 4096, 244, 183, 183, 100, 97, 97, 0, 2, 255]);
  const archive = numbers(await ask(wire, 'statvfs@openssh.com', (packet) => packet.string('/archive')));
  assert.equal(archive[9], 3);
  const handle = await wire.open('/users.csv', forUpload);
  assert.deepEqual(numbers(await ask(wire, 'fstatvfs@openssh.com', (packet) => packet.string(handle))), root);
  assert.equal(await refuse(wire, 'statvfs@openssh.com', (packet) => packet.string('/nothing')), 2);
});

test('the organization is the only user, and the root its home', async (t) => {
  const { wire } = await openSession(t);
  const nameIn = (body: PacketReader) => [body.u32(), body.string().toString()];
  const expand = async (path: string) =>
    nameIn(await ask(wire, 'expand-path@openssh.com', (packet) => packet.string(path)));
  assert.deepEqual(await expand('~'), [1, '/']);
  assert.deepEqual(await expand('~/in/../users.csv'), [1, '/users.csv']);
  assert.deepEqual(await expand('~acme/users.csv'), [1, '/users.csv']);
  assert.deepEqual(await expand('in//~/users.csv'), [1, '/in/~/users.csv']);
  assert.equal(await refuse(wire, 'expand-path@openssh.com', (packet) => packet.string('~root/x')), 4);
  const home = async (user: string) => nameIn(await ask(wire, 'home-directory', (packet) => packet.string(user)));
  assert.deepEqual(await home(''), [1, '/']);
  assert.deepEqual(await home('acme'), [1, '/']);
  assert.equal(await refuse(wire, 'home-directory', (packet) => packet.string('root')), 4);
  const ids = (...numbers: number[]) =>
    Buffer.concat(numbers.map((number) => Buffer.from([0, 0, number >> 8, number & 255])));
  const names = await ask(wire, 'users-groups-by-id@openssh.com', (packet) =>
    packet.string(ids(1000, 0)).string(ids(1000)),
  );
  const none = [0, 0, 0, 0];
  assert.deepEqual([...names.string()], [0, 0, 0, 4, ...Buffer.from('acme'), ...none]);
  assert.deepEqual([...names.string()], [0, 0, 0, 4, ...Buffer.from('acme')]);
});

test('copy-data copies a file, a range, and up to the end', async (t) => {
  const { wire, memory } = await openSession(t);
  memory.put('/users.csv', content);
  const copy = async (from: Buffer, at: number, length: number, to: Buffer, toOffset: number) =>
    refuse(wire, 'copy-data', (packet) => packet.string(from).u64(at).u64(length).string(to).u64(toOffset));
  const from = await wire.open('/users.csv', openFor.read);
  const whole = await wire.open('/whole.csv', forUpload);
  assert.equal(await copy(from, 0, 0, whole, 0), 0);
  assert.equal((await wire.close(whole)).code, 0);
  const range = await wire.open('/range.csv', forUpload | openFor.read);
  assert.equal(await copy(from, 5, 5, range, 0), 0);
  assert.equal(await copy(from, content.length - 3, 100, range, 5), 1, 'the end comes first');
  assert.equal(await copy(from, content.length + 7, 0, range, 0), 0);
  assert.equal(await copy(range, 0, 2, range, 0), 4);
  assert.equal(await copy(range, 0, 2, from, 0), 3);
  const other = await wire.open('/other.csv', forUpload);
  assert.equal(await copy(range, 0, 0, other, 0), 0, 'what is not closed yet, too');
  assert.equal(await copy(other, 0, 0, range, 0), 3, 'not opened for reading');
  assert.equal((await wire.close(range)).code, 0);
  assert.equal((await wire.close(other)).code, 0);
  assert.deepEqual(memory.files(), {
    '/users.csv': content.toString(),
    '/whole.csv': content.toString(),
    '/range.csv': 'Emailil\n',
    '/other.csv': 'Emailil\n',
  });
});

test('two copies between the same two handles wait for their turn, not for each other', async (t) => {
  const { wire, memory } = await openSession(t);
  const one = await wire.open('/one.csv', forUpload | openFor.read);
  const two = await wire.open('/two.csv', forUpload | openFor.read);
  wire.send(6, (packet) => packet.string(one).u64(0).string('abc'));
  for (const [from, to, at] of [
    [one, two, 0],
    [two, one, 3],
    [one, two, 3],
  ] as const)
    wire.send(200, (packet) => packet.string('copy-data').string(from).u64(0).u64(0).string(to).u64(at));
  wire.send(4, (packet) => packet.string(one));
  wire.send(4, (packet) => packet.string(two));
  for (let count = 0; count < 6; count++) assert.equal(statusIn(await wire.receive()).code, 0);
  assert.deepEqual(memory.files(), { '/one.csv': 'abcabc', '/two.csv': 'abcabcabc' });
});

test('a copy between two uploads of one path', async (t) => {
  const { wire, memory } = await openSession(t);
  const one = await wire.open('/users.csv', forUpload | openFor.read);
  const two = await wire.open('/users.csv', forUpload | openFor.read);
  await wire.write(one, 0, 'abc');
  const copy = await extend(wire, 'copy-data', (packet) => packet.string(one).u64(0).u64(0).string(two).u64(0));
  assert.equal(statusIn(copy).code, 0);
  assert.equal((await wire.close(one)).code, 0);
  assert.equal((await wire.close(two)).code, 0);
  assert.deepEqual(memory.files(), { '/users.csv': 'abc' });
});

test('checksums: of the whole from what is known, of ranges and blocks by reading', async (t) => {
  const { wire, memory } = await openSession(t);
  memory.put('/users.csv', content);
  const digest = (algorithm: string, from = 0, to = content.length) =>
    createHash(algorithm).update(content.subarray(from, to)).digest('hex');
  const range = (packet: PacketWriter, names: string, offset = 0, length = 0, blockBytes = 0) =>
    packet.string(names).u64(offset).u64(length).u32(blockBytes);
  const byName = async (...args: [names: string, offset?: number, length?: number, blockBytes?: number]) => {
    const body = await ask(wire, 'check-file-name', (packet) => range(packet.string('/users.csv'), ...args));
    return [body.string().toString(), body.rest().toString('hex')];
  };
  assert.deepEqual(await byName('sha256'), ['sha256', digest('sha256')]);
  assert.deepEqual(await byName('crc32,md5,sha256'), ['md5', digest('md5')]);
  assert.deepEqual(await byName('sha1', 10, 20), ['sha1', digest('sha1', 10, 30)]);
  const blocks = [0, 4096, 8192].map((from) => digest('sha256', from, from + 4096)).join('');
  assert.deepEqual(await byName('sha256', 0, 0, 4096), ['sha256', blocks]);
  assert.deepEqual(await byName('sha256', content.length), ['sha256', createHash('sha256').digest('hex')]);

  const handle = await wire.open('/users.csv', openFor.read);
  const draft = await ask(wire, 'check-file-handle', (packet) => range(packet.string(handle), 'sha512'));
  assert.deepEqual([draft.string().toString(), draft.rest().toString('hex')], ['sha512', digest('sha512')]);
  const paramiko = await ask(wire, 'check-file', (packet) => range(packet.string(handle), 'sha256'));
  assert.deepEqual([paramiko.string().toString(), paramiko.string().toString()], ['check-file', 'sha256']);
  assert.equal(paramiko.rest().toString('hex'), digest('sha256'));

  const code = (...args: [names: string, offset?: number, length?: number, blockBytes?: number]) =>
    refuse(wire, 'check-file-name', (packet) => range(packet.string('/users.csv'), ...args));
  assert.equal(await code('crc32'), 4);
  assert.equal(await code('sha256', 0, 0, 255), 4);
  memory.put('/long.csv', Buffer.alloc(600_000));
  const tooMany = (packet: PacketWriter) => range(packet.string('/long.csv'), 'sha256', 0, 0, 256);
  assert.equal(await refuse(wire, 'check-file-name', tooMany), 4);
  assert.equal(await refuse(wire, 'check-file-name', (packet) => range(packet.string('/archive'), 'md5')), 4);
  const upload = await wire.open('/new.csv', forUpload);
  assert.equal(await refuse(wire, 'check-file-handle', (packet) => range(packet.string(upload), 'md5')), 3);
});

test('hard links are refused, and not advertised', async (t) => {
  const { wire, memory } = await openSession(t);
  memory.put('/users.csv', content);
  const link = (packet: PacketWriter) => packet.string('/users.csv').string('/other.csv');
  assert.equal(await refuse(wire, 'hardlink@openssh.com', link), 8);
  assert.deepEqual(Object.keys(memory.files()), ['/users.csv']);
});

test('a copy and a checksum stop when their session is ended', async (t) => {
  const { wire, session, memory } = await openSession(t);
  memory.put('/users.csv', Buffer.alloc(5_000_000));
  const from = await wire.open('/users.csv', openFor.read);
  const to = await wire.open('/copy.csv', forUpload);
  let writes = 0;
  memory.beforeWrite = async () => {
    writes++;
    session.abort();
  };
  wire.send(200, (packet) => packet.string('copy-data').string(from).u64(0).u64(0).string(to).u64(0));
  assert.equal(await session.ended, 'aborted');
  assert.equal(writes, 1);
  assert.deepEqual(memory.log, ['abort /copy.csv']);
});

/** What the fuzzers found, each as small as it got. */
import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { createSilentLogger } from '../../config/logger.js';
import { PacketWriter } from '../../server/sftp/codec.js';
import { serveStream } from '../../server/sftp/session.js';
import { openFresh } from '../support/databases.js';
import { keeping, openIntake } from '../support/intake.js';
import { memorySpace } from '../support/memory.js';
import { sendPayload } from '../support/packets.js';
import { connect, startTestServer } from '../support/server.js';
import { keepingLogger, openSession, until } from '../support/session.js';
import { attributesIn, openFor, statusIn, Wire } from '../support/wire.js';

const forUpload = openFor.write | openFor.create | openFor.truncate;

test('SETSTAT of an open upload that is followed at once by its CLOSE finds the upload', async (t) => {
  const { wire, memory } = await openSession(t);
  const handle = await wire.open('/users.csv', forUpload);
  wire.send(6, (packet) => packet.string(handle).u64(0).string('12345'));
  wire.send(9, (packet) => packet.string('/users.csv').u32(1).u64(3));
  wire.send(4, (packet) => packet.string(handle));
  for (let count = 0; count < 3; count++) assert.equal(statusIn(await wire.receive()).code, 0);
  assert.deepEqual(memory.files(), { '/users.csv': '123' });
});

test('STAT of an open upload tells the size after the writes that were sent before it', async (t) => {
  const { wire, memory } = await openSession(t);
  const handle = await wire.open('/users.csv', forUpload);
  let letGo = (): void => {};
  memory.beforeWrite = () =>
    new Promise((resolve) => {
      letGo = resolve;
    });
  wire.send(6, (packet) => packet.string(handle).u64(0).string('12345'));
  wire.send(17, (packet) => packet.string('/users.csv'));
  await new Promise((resolve) => setImmediate(resolve));
  letGo();
  assert.equal(statusIn(await wire.receive()).code, 0);
  assert.equal(attributesIn(await wire.receive()).size, 5);
});

test('of two uploads of one path the one that is closed later is the file', async (t) => {
  const { wire, memory } = await openSession(t);
  const first = await wire.open('/users.csv', forUpload);
  const second = await wire.open('/users.csv', forUpload);
  let letGo = (): void => {};
  memory.beforeWrite = () =>
    new Promise((resolve) => {
      letGo = resolve;
    });
  wire.send(6, (packet) => packet.string(first).u64(0).string('first'));
  wire.send(4, (packet) => packet.string(first));
  wire.send(4, (packet) => packet.string(second));
  await new Promise((resolve) => setImmediate(resolve));
  letGo();
  for (let count = 0; count < 3; count++) assert.equal(statusIn(await wire.receive()).code, 0);
  assert.deepEqual(memory.files(), { '/users.csv': '' });
});

test('a size that is refused takes nothing of the quota', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const settings = { ...databases.settings, maxFileBytes: 1000, maxStoredBytes: 10_000 };
  const { intake } = await openIntake(t, { ...databases, settings });
  const greedy = await intake.begin('/greedy.csv', keeping);
  await assert.rejects(greedy.setSize(10_000), { code: 'too_large' });
  await assert.rejects(greedy.write(9_999, Buffer.from('x')), { code: 'too_large' });
  const other = await intake.begin('/users.csv', keeping);
  await other.write(0, Buffer.from('User Email\n'));
  await other.finish();
  await greedy.abort();
});

test('the text of a disconnecting client brings no control characters into the log', async (t) => {
  const { logger, lines } = keepingLogger();
  const server = await startTestServer(t, {}, logger);
  const client = await connect(t, server.login);
  const words = Buffer.from('\r\n{"level":"error","message":"forged"}\x1b[2J');
  const payload = Buffer.concat([Buffer.from([1, 0, 0, 0, 2, 0, 0, 0, words.length]), words, Buffer.alloc(4)]);
  sendPayload(client, payload);
  await until(() => lines.some((line) => line.includes('connection failed')), 'the line', 30_000);
  const [line] = lines.filter((text) => text.includes('connection failed'));
  assert.match((JSON.parse(line!) as { detail: string }).detail, /^[\x20-\x7e]*forged[\x20-\x7e]*$/);
});

test('a file that is being read is closed when the session is thrown out before its CLOSE had its turn', async (t) => {
  const { memory } = await openSession(t);
  memory.put('/users.csv', 'User Email\n');
  let closed = 0;
  const openRead = memory.space.openRead.bind(memory.space);
  let letGo = (): void => {};
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const space = {
    ...memory.space,
    stat: (path: string) => gate.then(() => memory.space.stat(path)),
    openRead: async (path: string) => ({ ...(await openRead(path)), close: async () => void closed++ }),
  };
  const { wire, session } = await openSession(t, { space });
  const handle = await wire.open('/users.csv', openFor.read);
  const stat = new PacketWriter(17).u32(90).string('/users.csv').finish();
  const close = new PacketWriter(4).u32(91).string(handle).finish();
  wire.sendBytes(Buffer.concat([stat, close]));
  await until(() => session.isBusy, 'the requests to be taken');
  session.abort();
  letGo();
  assert.equal(await session.ended, 'aborted');
  assert.equal(closed, 1);
});

test('a long answer does not overtake the short ones before it, nor that to INIT', async (t) => {
  const [client, server] = duplexPair();
  t.after(() => client.destroy());
  const { space, intake } = memorySpace();
  serveStream(server, { space, intake, logger: createSilentLogger(), now: Date.now, maxHandles: 1 });
  const wire = new Wire(client);
  const init = new PacketWriter(1).u32(3).finish();
  const resolve = new PacketWriter(16).u32(1).string('x'.repeat(255)).finish();
  wire.sendBytes(Buffer.concat([init, resolve]));
  assert.equal((await wire.receive()).type, 2);
  assert.equal((await wire.receive()).type, 104);
});

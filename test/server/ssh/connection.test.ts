/** What a logged-in connection may do, its caps, and what happens to uploads when it ends. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import type ssh2 from 'ssh2';
import { listQueue } from '../../../db/control/uploads.js';
import { allowKey } from '../../support/keys.js';
import { connect, openSftp, startTestServer } from '../../support/server.js';
import { keepingLogger, until } from '../../support/session.js';
import { openFor, Wire } from '../../support/wire.js';

const forUpload = openFor.write | openFor.create | openFor.truncate;

/** The sftp subsystem as a raw channel, initialized. */
async function openWire(client: ssh2.Client): Promise<{ wire: Wire; channel: ssh2.ClientChannel }> {
  const channel = await new Promise<ssh2.ClientChannel>((resolve, reject) => {
    client.subsys('sftp', (error, stream) => (error === undefined ? resolve(stream) : reject(error)));
  });
  const wire = new Wire(channel);
  await wire.initialize();
  return { wire, channel };
}

function refusal(ask: (done: (error?: Error | null) => void) => void): Promise<string> {
  return new Promise((resolve) => ask((error) => resolve(error == null ? 'accepted' : 'refused')));
}

function closeOf(client: ssh2.Client): Promise<void> {
  return new Promise((resolve) => client.on('error', () => {}).once('close', () => resolve()));
}

test('nothing but the sftp subsystem is served', async (t) => {
  const server = await startTestServer(t);
  const client = await connect(t, server.login);
  assert.equal(await refusal((done) => client.exec('id', done)), 'refused');
  assert.equal(await refusal((done) => client.exec('id', { pty: true, x11: true, env: { A: 'b' } }, done)), 'refused');
  assert.equal(await refusal((done) => client.shell(done)), 'refused');
  assert.equal(await refusal((done) => client.subsys('netconf', done)), 'refused');
  assert.equal(await refusal((done) => client.forwardIn('127.0.0.1', 0, done)), 'refused');
  assert.equal(await refusal((done) => client.forwardOut('127.0.0.1', 1, '127.0.0.1', 22, done)), 'refused');
  assert.equal(await refusal((done) => client.openssh_forwardInStreamLocal('/tmp/x', done)), 'refused');
  assert.equal(await refusal((done) => client.openssh_forwardOutStreamLocal('/tmp/x', done)), 'refused');
  assert.equal(await refusal((done) => client.sftp(done)), 'accepted');
});

test('a client that ends its side gets the exit status and the close', async (t) => {
  const server = await startTestServer(t);
  const { channel } = await openWire(await connect(t, server.login));
  const exit = new Promise((resolve) => channel.once('exit', resolve));
  const closed = new Promise((resolve) => channel.once('close', resolve));
  channel.end();
  assert.equal(await exit, 0);
  await closed;
});

test('a client that breaks the protocol gets another one', async (t) => {
  const server = await startTestServer(t);
  const { wire, channel } = await openWire(await connect(t, server.login));
  const exit = new Promise((resolve) => channel.once('exit', resolve));
  wire.sendBytes(Buffer.alloc(4));
  assert.equal(await exit, 1);
});

test('sessions of one connection are capped, refused ones do not count', async (t) => {
  const server = await startTestServer(t, { maxChannels: 2 });
  const client = await connect(t, server.login);
  // rclone probes for programs; ssh2's client forgets to close what was refused, so that is done here.
  const { _chanMgr } = client as unknown as { _chanMgr: { _channels: Record<string, { close(): void }> } };
  for (let count = 0; count < 5; count++) {
    assert.equal(await refusal((done) => client.exec('md5sum', done)), 'refused');
    for (const channel of Object.values(_chanMgr._channels)) channel.close();
    await until(() => Object.keys(_chanMgr._channels).length === 0, 'the server to close its side');
  }
  const first = await openWire(client);
  await openWire(client);
  await assert.rejects(openWire(client), /Channel open failure/);
  const closed = new Promise((resolve) => first.channel.once('close', resolve));
  first.channel.end();
  await closed;
  await openWire(client);
});

test('connections of one organization are capped, and leaving makes room', async (t) => {
  const server = await startTestServer(t, { maxConnectionsPerOrg: 1 });
  await server.addOrg('globex');
  await allowKey(server.control, 'globex', server.key);
  const first = await connect(t, server.login);
  await assert.rejects(connect(t, server.login));
  await connect(t, { ...server.login, username: 'globex' });
  const closed = closeOf(first);
  first.end();
  await closed;
  let again: ssh2.Client | null = null;
  for (const deadline = performance.now() + 60_000; again === null && performance.now() < deadline; )
    again = await connect(t, server.login).catch(() => null);
  assert.ok(again);
});

test('connections are capped', async (t) => {
  const server = await startTestServer(t, { maxConnections: 1 });
  await connect(t, server.login);
  await assert.rejects(connect(t, server.login));
});

test('an idle session is closed, one that asks is not', async (t) => {
  const server = await startTestServer(t, { idleMinutes: 2 / 60 });
  const client = await connect(t, server.login);
  const { wire } = await openWire(client);
  let isClosed = false;
  const closed = closeOf(client).then(() => {
    isClosed = true;
  });
  for (const end = performance.now() + 3000; performance.now() < end; ) await wire.stat('/');
  assert.equal(isClosed, false);
  await closed;
});

test('a connection that dies publishes and queues nothing, and leaves no upload open', async (t) => {
  const server = await startTestServer(t);
  const client = await connect(t, server.login);
  const { wire } = await openWire(client);
  const handle = await wire.open('/users.csv', forUpload);
  await wire.write(handle, 0, 'User Email\nann@acme.test\n');
  assert.equal(server.intake.openUploads(), 1);
  client.destroy();
  await until(() => server.intake.openUploads() === 0, 'the upload to be aborted');
  assert.deepEqual(await listQueue(server.control.read, 'acme'), []);
  assert.equal((await server.space.stat('/users.csv')).size, 24, 'what came is kept for a resume');
});

test('a CLOSE that was sent counts, even when its client is gone in the same millisecond', async (t) => {
  const { logger, lines } = keepingLogger();
  const server = await startTestServer(t, {}, logger);
  const client = await connect(t, server.login);
  const { wire } = await openWire(client);
  const handle = await wire.open('/users.csv', forUpload);
  wire.send(6, (packet) => packet.string(handle).u64(0).string('12345'));
  wire.send(4, (packet) => packet.string(handle));
  client.end();
  await until(() => lines.some((line) => line.includes('logged out')), 'the session to end');
  assert.equal((await server.space.stat('/users.csv')).size, 5);
  assert.match(lines.join('\n'), /"bytesReceived":5.*"filesReceived":1/);
});

test('stopping closes idle sessions at once, and lets uploads finish', async (t) => {
  const server = await startTestServer(t);
  const idle = await connect(t, server.login);
  await openSftp(idle);
  const busy = await connect(t, server.login);
  const { wire } = await openWire(busy);
  const handle = await wire.open('/users.csv', forUpload);
  const idleClosed = closeOf(idle);
  const busyClosed = closeOf(busy);
  const stopped = server.stop(60_000);
  await idleClosed;
  await assert.rejects(connect(t, server.login), /ECONNREFUSED/);
  await wire.write(handle, 0, 'whole');
  assert.equal((await wire.close(handle)).code, 0);
  // As rclone does it: times after CLOSE, and a look at the result.
  assert.equal(((await wire.stat('/users.csv')) as { size: number }).size, 5);
  await stopped;
  await busyClosed;
  assert.equal((await server.space.stat('/users.csv')).size, 5);
});

test('stopping aborts the uploads that outlast the grace', async (t) => {
  const server = await startTestServer(t);
  const client = await connect(t, server.login);
  const { wire } = await openWire(client);
  const handle = await wire.open('/users.csv', forUpload);
  await wire.write(handle, 0, 'half');
  await server.stop(50);
  assert.equal(server.intake.openUploads(), 0);
  assert.deepEqual(await listQueue(server.control.read, 'acme'), []);
});

test('a client that sends beyond its window is cut off', async (t) => {
  const { logger, lines } = keepingLogger();
  const server = await startTestServer(t, {}, logger);
  const client = await connect(t, server.login);
  const { wire, channel } = await openWire(client);
  const content = Buffer.alloc(200 * 1024);
  assert.equal((await wire.put('/users.csv', content)).code, 0);
  const handle = await wire.open('/users.csv', openFor.read);
  const closed = closeOf(client);
  // It reads no answers, so that its session takes no more requests; and it sends on, whatever its window says.
  channel.pause();
  for (let count = 0; count < 100; count++) wire.send(5, (packet) => packet.string(handle).u64(0).u32(content.length));
  (channel as unknown as { outgoing: { window: number } }).outgoing.window = Number.MAX_SAFE_INTEGER;
  for (let count = 0; count < 100; count++) wire.send(6, (packet) => packet.string(handle).u64(0).string(content));
  await closed;
  assert.ok(lines.some((line) => line.includes('more data than its window allows')));
});

test('a port in use is one clear sentence', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as { port: number };
  await assert.rejects(startTestServer(t, { port }), {
    name: 'ServerError',
    code: 'port_in_use',
    message: `127.0.0.1 port ${port} is in use by another program; choose another one with --port, or the setting port`,
  });
  await assert.rejects(startTestServer(t, { host: '203.0.113.1' }), { code: 'address_unavailable' });
});

test('a transfer goes on through a new key exchange', async (t) => {
  const server = await startTestServer(t);
  const client = await connect(t, server.login);
  const { wire } = await openWire(client);
  const handle = await wire.open('/users.csv', forUpload);
  const line = 'x'.repeat(32 * 1024);
  for (let count = 0; count < 60; count++) {
    if (count % 20 === 10) (client as unknown as { _protocol: { rekey(): void } })._protocol.rekey();
    wire.send(6, (packet) =>
      packet
        .string(handle)
        .u64(count * line.length)
        .string(line),
    );
  }
  for (let count = 0; count < 60; count++) assert.equal((await wire.receive()).body.u32(), 0);
  assert.equal((await wire.close(handle)).code, 0);
  assert.equal((await server.space.stat('/users.csv')).size, 60 * line.length);
});

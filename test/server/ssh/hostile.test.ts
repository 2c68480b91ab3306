/** Clients that mean harm, beside one that uploads: what they break is their own. */
import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import { after, before, test } from 'node:test';
import type ssh2 from 'ssh2';
import { sendPayload } from '../../support/packets.js';
import { connect, startTestServer, type TestServer } from '../../support/server.js';
import { keepingLogger, until } from '../../support/session.js';
import { handleIn, openFor, statusIn, Wire } from '../../support/wire.js';

const forUpload = openFor.write | openFor.create | openFor.truncate;
const patienceMs = 60_000;
const { logger, lines } = keepingLogger('info');
const cleanups: (() => void | Promise<void>)[] = [];
let server: TestServer;
let good: Wire;

before(async () => {
  const scope = { after: (cleanup: () => void | Promise<void>) => void cleanups.push(cleanup) };
  server = await startTestServer(scope, { maxChannels: 4, maxHandles: 16 }, logger);
  good = (await openWire(await connect(scope, server.login))).wire;
});
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function openWire(client: ssh2.Client): Promise<{ wire: Wire; channel: ssh2.ClientChannel }> {
  const channel = await new Promise<ssh2.ClientChannel>((resolve, reject) => {
    client.subsys('sftp', (error, stream) => (error === undefined ? resolve(stream) : reject(error)));
  });
  const wire = new Wire(channel);
  await wire.initialize();
  return { wire, channel };
}

function newClient(t: Parameters<typeof connect>[0]): Promise<ssh2.Client> {
  return connect(t, server.login).then((client) => client.on('error', () => {}));
}

function closeOf(emitter: { once(event: 'close', listener: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => emitter.once('close', () => resolve()));
}

/** Breaks its connection or its session; resolves when that has ended. */
const breakages: Record<string, { line: RegExp; run: (t: Parameters<typeof connect>[0]) => Promise<void> }> = {
  'a key exchange of nonsense': {
    line: /connection failed/,
    run: async () => {
      const socket = connectTcp(server.port, server.host).on('error', () => {});
      socket.resume();
      socket.write(Buffer.concat([Buffer.from('SSH-2.0-nonsense\r\n'), Buffer.alloc(400, 0x41)]));
      await closeOf(socket);
    },
  },
  'bytes in the middle of the encrypted stream': {
    line: /connection failed/,
    run: async (t) => {
      const client = await newClient(t);
      (client as unknown as { _sock: { write(bytes: Buffer): void } })._sock.write(Buffer.alloc(200, 1));
      await closeOf(client);
    },
  },
  'a channel message without its fields': {
    line: /connection failed/,
    run: async (t) => {
      const client = await newClient(t);
      sendPayload(client, Buffer.from([98, 0, 0]));
      await closeOf(client);
    },
  },
  'an SFTP packet of four gigabytes': {
    line: /the client broke the protocol/,
    run: async (t) => {
      const { wire, channel } = await openWire(await newClient(t));
      wire.sendBytes(Buffer.from('ffffffff06', 'hex'));
      await closeOf(channel);
    },
  },
  'an SFTP request that ends too early': {
    line: /the client broke the protocol/,
    run: async (t) => {
      const { wire, channel } = await openWire(await newClient(t));
      wire.sendBytes(Buffer.from('0000000903000000010000ffff', 'hex'));
      await closeOf(channel);
    },
  },
};

for (const [what, { line, run }] of Object.entries(breakages)) {
  test(`${what}: one line in the log, and another session's upload goes on`, async (t) => {
    const handle = await good.open('/users.csv', forUpload);
    assert.equal((await good.write(handle, 0, 'User Email\n')).code, 0);
    lines.length = 0;
    await run(t);
    await until(() => lines.some((text) => line.test(text)), 'the line in the log', patienceMs);
    assert.equal(lines.filter((text) => line.test(text)).length, 1, lines.join(''));
    assert.doesNotMatch(lines.join(''), /"level":"error"|"stack"/);
    assert.equal((await good.write(handle, 11, 'ann@acme.test\n')).code, 0);
    assert.equal((await good.close(handle)).code, 0);
    assert.equal((await server.space.stat('/users.csv')).size, 25);
  });
}

test('a client that reads no answers is held: what is kept for it stays small', async (t) => {
  const content = Buffer.alloc(255 * 1024, 'x');
  assert.equal((await good.put('/large.csv', content)).code, 0);
  const client = await newClient(t);
  const { wire } = await openWire(client);
  const handle = await wire.open('/large.csv', openFor.read);
  (client as unknown as { _sock: { pause(): void } })._sock.pause();
  const before = process.memoryUsage().arrayBuffers;
  for (let count = 0; count < 1000; count++) wire.send(5, (packet) => packet.string(handle).u64(0).u32(content.length));
  let mostBytes = 0;
  // Time enough to read much: the other session is answered many times meanwhile.
  for (let round = 0; round < 300; round++) {
    await good.stat('/large.csv');
    mostBytes = Math.max(mostBytes, process.memoryUsage().arrayBuffers - before);
  }
  t.diagnostic(`${Math.round(mostBytes / 2 ** 20)} MiB held of 249 that were asked for`);
  assert.ok(mostBytes < 64 * 1024 * 1024, `${mostBytes} bytes are held for it`);
});

test('a flood of channels and of handles stops at the caps, and the one who floods can go on', async (t) => {
  const client = await newClient(t);
  const outcomes = await Promise.all(
    Array.from({ length: 300 }, () =>
      openWire(client).then(
        ({ wire }) => wire,
        () => null,
      ),
    ),
  );
  const wires = outcomes.filter((wire) => wire !== null);
  assert.equal(wires.length, 4);
  for (const wire of wires) {
    for (let count = 0; count < 500; count++) wire.send(11, (packet) => packet.string('/'));
    const answers = await Promise.all(Array.from({ length: 500 }, () => wire.receive()));
    const handles = answers.filter(({ type }) => type === 102).map(handleIn);
    assert.equal(handles.length, 16);
    assert.ok(answers.filter(({ type }) => type === 101).every((answer) => statusIn(answer).code === 4));
    assert.equal((await wire.close(handles[0]!)).code, 0);
    await wire.openFolder('/');
  }
  assert.equal((await good.put('/users.csv', 'User Email\n')).code, 0);
});

test('clients that left in any way hold no memory any more', async (t) => {
  const content = Buffer.alloc(200_000, 'x');
  await good.put('/read.bin', content);
  const endings: ((client: ssh2.Client, channel: ssh2.ClientChannel) => void)[] = [
    (client) => void client.end(),
    (client) => client.destroy(),
    (_client, channel) => void channel.end(),
    (_client, channel) => channel.close(),
  ];
  for (const end of endings) {
    const client = await newClient(t);
    const { wire, channel } = await openWire(client);
    const handle = await wire.open('/ahead.bin', forUpload);
    await wire.write(handle, 1_000_000, content);
    await wire.write(handle, 500_000, content);
    const read = handleIn(await wire.ask(3, (packet) => packet.string('/read.bin').u32(openFor.read).u32(0)));
    assert.ok(server.intake.heldMemory() > 400_000);
    channel.pause();
    for (let count = 0; count < 60; count++) wire.send(5, (packet) => packet.string(read).u64(0).u32(200_000));
    wire.send(6, (packet) => packet.string(handle).u64(0).string(content));
    await until(() => server.intake.heldMemory() > 1_000_000, 'replies that wait');
    end(client, channel);
    if (end === endings[2] || end === endings[3]) setTimeout(() => client.destroy(), 300);
    await until(() => server.intake.heldMemory() === 0, `no memory held, but ${server.intake.heldMemory()}`, 10_000);
  }
});

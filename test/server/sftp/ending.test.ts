/** How a session ends, and what it holds a client to: order, bounds, back-pressure. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { PacketWriter } from '../../../server/sftp/codec.js';
import { fc } from '../../support/properties.js';
import { keepingLogger, openSession, until } from '../../support/session.js';
import { openFor } from '../../support/wire.js';

const forUpload = openFor.write | openFor.create | openFor.truncate;

test('the client ends its side: what has a CLOSE is published, what has none is not', async (t) => {
  const { wire, session, memory } = await openSession(t);
  await wire.open('/teams.csv', forUpload);
  const handle = await wire.open('/users.csv', forUpload);
  wire.send(6, (packet) => packet.string(handle).u64(0).string('all'));
  wire.send(4, (packet) => packet.string(handle));
  wire.stream.end();
  assert.equal(await session.ended, 'closed');
  assert.deepEqual(memory.files(), { '/users.csv': 'all' });
  assert.deepEqual(memory.log, ['finish /users.csv 3', 'abort /teams.csv']);
  assert.deepEqual(session.tally, { bytesReceived: 3, bytesSent: 0, filesReceived: 1, filesSent: 0 });
});

test('a client that is gone without hearing the answers is still done with, CLOSE and all', async (t) => {
  const { wire, session, memory } = await openSession(t);
  const handle = await wire.open('/users.csv', forUpload);
  wire.send(6, (packet) => packet.string(handle).u64(0).string('all'));
  wire.send(4, (packet) => packet.string(handle));
  wire.stream.end();
  session.dropReplies();
  assert.equal(await session.ended, 'closed');
  assert.deepEqual(memory.files(), { '/users.csv': 'all' });
});

test('a session that reads no file makes no signal for the end of its reads', async (t) => {
  const { AbortController: own } = globalThis;
  let made = 0;
  globalThis.AbortController = class extends own {
    constructor() {
      super();
      made++;
    }
  };
  t.after(() => {
    globalThis.AbortController = own;
  });
  const { wire, session } = await openSession(t);
  await wire.put('/users.csv', 'all');
  wire.stream.end();
  assert.equal(await session.ended, 'closed');
  assert.equal(made, 0);
});

test('a file that is opened for a client that is gone is opened for none', async (t) => {
  const { wire, session, memory } = await openSession(t);
  const { space } = memory;
  const [stat, openRead] = [space.stat.bind(space), space.openRead.bind(space)];
  let go = () => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  space.stat = async (path) => {
    await gate;
    return stat(path);
  };
  const seen: boolean[] = [];
  space.openRead = (path, signal) => {
    seen.push(signal!.aborted);
    return openRead(path, signal);
  };
  await wire.put('/users.csv', 'all');
  await wire.open('/users.csv', openFor.read);
  wire.send(17, (packet) => packet.string('/users.csv'));
  wire.send(3, (packet) => packet.string('/users.csv').u32(openFor.read).u32(0));
  wire.stream.end();
  session.dropReplies();
  go();
  assert.equal(await session.ended, 'closed');
  assert.deepEqual(seen, [false, true]);
});

/** A session with a file whose reads wait until its client has left; `read` lets them succeed. */
async function openHanging(t: TestContext) {
  const opened = await openSession(t);
  const { space } = opened.memory;
  let leave = () => {};
  let read = () => {};
  const state = { reads: 0, hasLeft: false, isClosed: false };
  const wait = new Promise<void>((resolve, reject) => {
    read = resolve;
    leave = () => {
      state.hasLeft = true;
      reject(new Error('its reader has left'));
    };
  });
  wait.catch(() => {});
  space.openRead = async (path, signal) => {
    signal!.addEventListener('abort', leave);
    if (path === '/hanging.csv') await wait;
    return {
      entry: await space.stat(path),
      read: async () => {
        state.reads++;
        await wait;
        return Buffer.from('content');
      },
      checksum: async () => null,
      close: async () => {
        state.isClosed = true;
      },
    };
  };
  await opened.wire.put('/large.csv', 'content');
  const handle = await opened.wire.open('/large.csv', openFor.read);
  return { ...opened, handle, state, read };
}

test('a client that is gone waits for no read, nor for the CLOSE behind it', async (t) => {
  const { wire, session, handle, state } = await openHanging(t);
  for (const offset of [0, 7]) wire.send(5, (packet) => packet.string(handle).u64(offset).u32(100));
  wire.send(4, (packet) => packet.string(handle));
  await until(() => state.reads === 1, 'the read');
  assert.equal(state.hasLeft, false);
  wire.stream.end();
  session.dropReplies();
  assert.equal(await session.ended, 'closed');
  assert.deepEqual([state.hasLeft, state.isClosed], [true, true]);
});

test('a client that is gone waits for no read: more of them than the session takes in at once', async (t) => {
  const { wire, session, handle, state } = await openHanging(t);
  for (let at = 0; at < 300; at++)
    wire.send(5, (packet) =>
      packet
        .string(handle)
        .u64(7 * at)
        .u32(7),
    );
  await until(() => state.reads === 1, 'the read');
  wire.stream.end();
  session.dropReplies();
  assert.equal(await session.ended, 'closed');
  assert.deepEqual([state.hasLeft, state.isClosed], [true, true]);
});

test('a client that is gone waits for no read beside an upload that it has not closed, nor for an OPEN', async (t) => {
  const { wire, session, memory, handle, state } = await openHanging(t);
  await wire.put('/hanging.csv', 'content');
  await wire.open('/copy.csv', forUpload);
  wire.send(5, (packet) => packet.string(handle).u64(0).u32(7));
  wire.send(3, (packet) => packet.string('/hanging.csv').u32(openFor.read).u32(0));
  await until(() => state.reads === 1, 'the read');
  wire.stream.end();
  session.dropReplies();
  assert.equal(await session.ended, 'closed');
  assert.deepEqual([state.hasLeft, state.isClosed], [true, true]);
  assert.equal(memory.files()['/copy.csv'], undefined);
});

test('a client that is gone: a copy goes on, and its CLOSE counts', async (t) => {
  const { wire, session, memory, handle, state, read } = await openHanging(t);
  const copy = await wire.open('/copy.csv', forUpload);
  wire.send(200, (packet) => packet.string('copy-data').string(handle).u64(0).u64(7).string(copy).u64(0));
  wire.send(4, (packet) => packet.string(copy));
  await until(() => state.reads === 1, 'the read');
  wire.stream.end();
  session.dropReplies();
  assert.equal(state.hasLeft, false);
  read();
  assert.equal(await session.ended, 'closed');
  assert.equal(memory.files()['/copy.csv'], 'content');
});

test('a stream that ends inside a request is cut', async (t) => {
  const { wire, session, memory } = await openSession(t);
  await wire.open('/users.csv', forUpload);
  wire.sendBytes(Buffer.from('0000002006', 'hex'));
  wire.stream.end();
  assert.equal(await session.ended, 'cut');
  assert.deepEqual(memory.log, ['abort /users.csv']);
});

test('an aborted session lets a running write finish, and publishes nothing', async (t) => {
  const { wire, session, memory } = await openSession(t);
  const handle = await wire.open('/users.csv', forUpload);
  let letGo = () => {};
  let isWriting = false;
  memory.beforeWrite = () => {
    isWriting = true;
    return new Promise((resolve) => {
      letGo = resolve;
    });
  };
  wire.send(6, (packet) => packet.string(handle).u64(0).string('half'));
  await until(() => isWriting, 'the write to begin');
  session.abort();
  assert.deepEqual(memory.log, []);
  letGo();
  assert.equal(await session.ended, 'aborted');
  assert.deepEqual(memory.log, ['abort /users.csv']);
});

const malformed: Record<string, Buffer> = {
  'an impossible length': Buffer.from('ffffffff', 'hex'),
  'an empty packet': Buffer.from('00000000', 'hex'),
  'a request without its id': Buffer.from('0000000103', 'hex'),
  'a string longer than its packet': Buffer.from('000000090300000001ffffffff', 'hex'),
  'a CLOSE without a handle': Buffer.from('000000050400000001', 'hex'),
};

for (const [what, bytes] of Object.entries(malformed)) {
  test(`${what} ends the session with a line in the log`, async (t) => {
    const { logger, lines } = keepingLogger();
    const { wire, session, memory } = await openSession(t, { logger });
    await wire.open('/users.csv', forUpload);
    wire.sendBytes(bytes);
    assert.equal(await session.ended, 'malformed');
    assert.deepEqual(memory.log, ['abort /users.csv']);
    assert.match(lines.join('\n'), /the client broke the protocol/);
  });
}

test('whatever bytes a client sends, each request is answered or the session ends', async (t) => {
  const requests = fc.record({
    type: fc.oneof(fc.integer({ min: 3, max: 20 }), fc.constant(200), fc.integer({ min: 0, max: 255 })),
    body: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      // A string, and numbers behind it: what many requests look like.
      fc
        .tuple(fc.constantFrom('/', '/users.csv', '\0\0\0\0', ''), fc.uint8Array({ maxLength: 24 }))
        .map(([text, rest]) => {
          const bytes = new PacketWriter(0).string(text).finish().subarray(5);
          return new Uint8Array(Buffer.concat([bytes, rest]));
        }),
    ),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(requests, { minLength: 1, maxLength: 12 }), async (list) => {
      const { wire, session } = await openSession(t);
      let ended = false;
      void session.ended.then(() => {
        ended = true;
      });
      for (const { type, body } of list) {
        const packet = new PacketWriter(type).u32(1);
        for (const byte of body) packet.u8(byte);
        wire.sendBytes(packet.finish());
      }
      const answers = Promise.all(list.map(() => wire.receive()));
      await Promise.race([answers, session.ended]);
      if (!ended) await answers;
      wire.stream.end();
      await session.ended;
    }),
    { numRuns: 200 },
  );
});

test('a client that asks and never reads is held, not buffered for', async (t) => {
  const { wire, session, memory } = await openSession(t);
  memory.put('/large.csv', Buffer.alloc(300 * 1024, 'x'));
  const handle = await wire.open('/large.csv', openFor.read);
  let reads = 0;
  wire.stream.pause();
  for (let count = 0; count < 1000; count++)
    wire.send(5, (packet) => {
      reads++;
      return packet
        .string(handle)
        .u64(0)
        .u32(255 * 1024);
    });
  assert.equal(reads, 1000);
  await until(() => session.isBusy, 'the first requests to be taken');
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  // 4 MiB of requests in progress, and what the stream takes before it says that it is full.
  assert.ok(session.tally.bytesSent <= 5 * 1024 * 1024, `${session.tally.bytesSent} bytes were read for it`);
  wire.stream.resume();
  for (let count = 0; count < 1000; count++) assert.equal((await wire.receive()).type, 103);
  assert.equal(session.tally.bytesSent, 1000 * 255 * 1024);
});

test('a client that writes faster than the disk is held', async (t) => {
  const { wire, memory } = await openSession(t);
  const handle = await wire.open('/large.csv', forUpload);
  const letGo: (() => void)[] = [];
  memory.beforeWrite = () => new Promise((resolve) => letGo.push(resolve));
  const content = Buffer.alloc(32 * 1024, 'x');
  for (let count = 0; count < 1000; count++) wire.send(6, (packet) => packet.string(handle).u64(0).string(content));
  await until(() => letGo.length === 1, 'the first write to begin');
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(letGo.length, 1, 'one write of a handle at a time');
  const waitingBytes = wire.stream.writableLength;
  assert.ok(waitingBytes > 25 * 1024 * 1024, `only ${waitingBytes} bytes wait on the client's side`);
  memory.beforeWrite = () => Promise.resolve();
  letGo[0]!();
  for (let count = 0; count < 1000; count++) await wire.receive();
  assert.equal((await wire.close(handle)).code, 0);
  assert.deepEqual(memory.log, [`finish /large.csv ${content.length}`]);
});

test('a CLOSE that still waits for its turn when the session is aborted publishes nothing', async (t) => {
  const { wire, session, memory } = await openSession(t);
  const handle = await wire.open('/users.csv', forUpload);
  let letGo = () => {};
  let isWriting = false;
  memory.beforeWrite = () => {
    isWriting = true;
    return new Promise((resolve) => {
      letGo = resolve;
    });
  };
  wire.send(6, (packet) => packet.string(handle).u64(0).string('all'));
  wire.send(4, (packet) => packet.string(handle));
  await until(() => isWriting, 'the write to begin');
  session.abort();
  letGo();
  assert.equal(await session.ended, 'aborted');
  assert.deepEqual(memory.files(), {});
  assert.deepEqual(memory.log, ['abort /users.csv']);
});

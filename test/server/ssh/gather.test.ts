/** Packets of one turn of the event loop leave in one system call, in their order, and none is lost at the end of a connection. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, Socket } from 'node:net';
import { test } from 'node:test';
import { gatherWrites } from '../../../server/ssh/gather.js';
import { connect as logIn, startTestServer } from '../../support/server.js';
import type { Scope } from '../../support/temporary.js';

/** A gathering socket, the number of its system calls, and all that the other side has got at the end. */
async function open(scope: Scope): Promise<{ socket: Socket; calls: () => number; received: Promise<string> }> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const accepted = once(listener, 'connection');
  const socket = connect((listener.address() as { port: number }).port, '127.0.0.1');
  const [other] = (await accepted) as [Socket];
  scope.after(() => {
    socket.destroy();
    other.destroy();
    listener.close();
  });
  let calls = 0;
  const counted = socket as unknown as Record<'_write' | '_writev', (...args: unknown[]) => void>;
  for (const name of ['_write', '_writev'] as const) {
    const call = counted[name].bind(socket);
    counted[name] = (...args) => {
      calls++;
      call(...args);
    };
  }
  gatherWrites(socket);
  let text = '';
  other.on('data', (chunk) => {
    text += chunk;
  });
  return { socket, calls: () => calls, received: once(other, 'end').then(() => text) };
}

test('the packets of one turn are one call, those of the next turn another one', async (t) => {
  const { socket, calls, received } = await open(t);
  for (const packet of ['a', 'b', 'c']) socket.write(packet);
  await Promise.resolve().then(() => socket.write('d'));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(calls(), 1);
  socket.write('e');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(calls(), 2);
  socket.end();
  assert.equal(await received, 'abcde');
});

for (const end of ['end', 'destroySoon'] as const)
  test(`what was sent right before ${end} arrives`, async (t) => {
    const { socket, received } = await open(t);
    socket.write('good');
    socket.write('bye');
    socket[end]();
    assert.equal(await received, 'goodbye');
  });

test('the caller of a write is told when it has left', async (t) => {
  const { socket } = await open(t);
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    socket.write('a', () => order.push('a'));
    socket.write('b', 'latin1', () => {
      order.push('b');
      resolve();
    });
  });
  assert.deepEqual(order, ['a', 'b']);
});

test('the packets of a login are gathered', async (t) => {
  const server = await startTestServer(t);
  const sockets = Socket.prototype as unknown as { _writev: (this: Socket, ...args: unknown[]) => void };
  const { _writev: writeMany } = sockets;
  let calls = 0;
  sockets._writev = function (...args) {
    if (this.localPort === server.port) calls++;
    writeMany.apply(this, args);
  };
  t.after(() => {
    sockets._writev = writeMany;
  });
  await logIn(t, server.login);
  assert.ok(calls > 0);
});

/** Downloads: a reader that is too slow is cut off and keeps no place; the time of the server itself does not count. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { createSilentLogger } from '../../../config/logger.js';
import { holding, takeDownload } from '../../../operations/places.js';
import { answerContent, breakerOf, type Pace } from '../../../web/api/answer.js';
import type { Content } from '../../../web/api/route.js';
import { openApi } from '../../support/api.js';
import { until } from '../../support/session.js';

const size = 64 * 1024;

function open(count: number, beforeEachMs = 0) {
  const busy = new Set<string>();
  async function* pieces() {
    for (let n = 0; n < count; n++) {
      await sleep(beforeEachMs);
      yield Buffer.alloc(size);
    }
  }
  return { busy, content: holding(pieces(), takeDownload(busy, { org: 'acme' })), fileName: 'users.csv' };
}

test('a reader that stops is cut off, and its place is free', async () => {
  const download = open(100);
  const answer = await answerContent(download, 'text/csv', { pace: { bytesPerSecond: 10 * size, graceMs: 20 } });
  const reader = answer.body!.getReader();
  await reader.read();
  assert.equal(download.busy.size, 2);
  await assert.rejects(reader.closed, /too slow/);
  await until(() => download.busy.size === 0, 'its place is free');
});

test('a reader that goes on too slowly is cut off as well', async () => {
  const download = open(100);
  const answer = await answerContent(download, 'text/csv', { pace: { bytesPerSecond: 50 * size, graceMs: 100 } });
  await assert.rejects(async () => {
    for await (const _ of answer.body!) await sleep(60);
  }, /too slow/);
  await until(() => download.busy.size === 0, 'its place is free');
});

test('a download that the server makes slowly goes on', async () => {
  const download = open(10, 30);
  const answer = await answerContent(download, 'text/csv', { pace: { bytesPerSecond: 1_000 * size, graceMs: 200 } });
  assert.equal((await answer.arrayBuffer()).byteLength, 10 * size);
  await until(() => download.busy.size === 0, 'its place is free');
});

interface Outgoing {
  outgoing: { destroy(): unknown };
}

/** A server that answers with the content, and a connection to it that has asked. */
async function ask(t: TestContext, content: Content, pace?: Pace) {
  const logger = createSilentLogger();
  const server = createServer(
    getRequestListener((_request, env) =>
      answerContent(content, 'text/csv', {
        breakOff: breakerOf(env as unknown as Outgoing, 'req_1', logger),
        ...(pace !== undefined && { pace }),
      }),
    ),
  );
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  t.after(() => socket.destroy());
  const [connection] = (await once(server, 'connection')) as [Socket];
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  return { socket, connection };
}

test('over the network: a client that does not read loses its connection', async (t) => {
  const download = open(1_000);
  const { connection } = await ask(t, download, { bytesPerSecond: 1_000 * size, graceMs: 50 });
  await once(connection, 'close');
  await until(() => download.busy.size === 0, 'its place is free');
});

test('over the network: content that fails in its midst does not look whole, and its error is not sent', async (t) => {
  async function* pieces() {
    for (let n = 0; n < 20; n++) yield 'Email,Name\r\n';
    await sleep(20);
    throw new Error('the disk is broken');
  }
  const { socket } = await ask(t, { content: pieces(), fileName: null });
  let text = '';
  socket.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  await once(socket, 'close');
  assert.match(text, /transfer-encoding: chunked[\s\S]*Email,Name/i);
  assert.doesNotMatch(text, /disk|\r\n0\r\n\r\n$/);
});

test('over the network: the read of a file ends when its client leaves', async (t) => {
  const api = await openApi(t);
  const { secret } = await api.token('read', 'acme');
  const half = Buffer.alloc(1024 * 1024);
  let isClosed = false;
  const openRead = async (_path: string, signal?: AbortSignal) => ({
    entry: { size: 2 * half.length },
    read: async (offset: number) => {
      if (offset === 0) return half;
      // As from an object store that does not answer.
      await once(signal ?? new EventTarget(), 'abort');
      throw new Error('its reader has left');
    },
    close: async () => {
      isClosed = true;
    },
  });
  api.place.space = async () => ({ openRead }) as never;
  const server = createServer(getRequestListener((request) => api.fetch(request)));
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const path = '/api/v1/orgs/acme/files/content?path=/users.csv';
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secret}\r\n\r\n`);
  for await (const bytes of socket) if (bytes.length > 1_000) break;
  socket.destroy();
  await until(() => isClosed && api.busy.size === 0, 'the file is closed, and its place is free');
});

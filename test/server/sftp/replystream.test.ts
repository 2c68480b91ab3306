/** The way out: replies wait for the transport's own buffer, too, which an SSH channel with a large window never does. */
import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import { replyData } from '../../../server/sftp/reply.js';
import { ReplyStream } from '../../../server/sftp/replystream.js';
import { ampleMemory } from '../../support/memory.js';

/** A channel that hands everything to its outlet at once, whatever the outlet says. */
function channelInto(outlet: Writable): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      outlet.write(chunk);
      done();
    },
  });
}

test('replies wait while the outlet is full, and go on when it drains', async () => {
  const outlet = new PassThrough();
  const replies = new ReplyStream(channelInto(outlet), outlet, ampleMemory());
  const content = Buffer.alloc(255 * 1024, 'x');
  let sent = 0;
  const sending = (async () => {
    for (; sent < 100; sent++) await replies.send(replyData(sent, content));
  })();
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(sent < 10, `${sent} replies were buffered`);
  let received = 0;
  outlet.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  await sending;
  assert.equal(received, 100 * (content.length + 13));
});

test('once closed it drops what comes, and lets go of who waits', async () => {
  const outlet = new PassThrough();
  const replies = new ReplyStream(channelInto(outlet), outlet, ampleMemory());
  const waiting = (async () => {
    for (let count = 0; count < 20; count++) await replies.send(replyData(count, Buffer.alloc(255 * 1024)));
  })();
  await new Promise((resolve) => setImmediate(resolve));
  replies.close();
  await waiting;
  assert.ok(outlet.writableLength + outlet.readableLength < 10 * 255 * 1024);
});

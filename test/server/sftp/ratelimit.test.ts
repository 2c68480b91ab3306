/** Rates: what a bucket makes wait, and how a session holds a client that is faster. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateLimiter, TokenBucket } from '../../../server/sftp/ratelimit.js';
import { openSession, until } from '../../support/session.js';
import { openFor } from '../../support/wire.js';

const forUpload = openFor.write | openFor.create | openFor.truncate;

function openBucket(rate: number | null) {
  const clock = { now: 0 };
  const bucket = new TokenBucket(() => clock.now);
  bucket.setRate(rate);
  return { clock, bucket };
}

test("a bucket lets a second's worth through at once, then keeps the rate", () => {
  const { clock, bucket } = openBucket(1000);
  assert.equal(bucket.spend(1000), 0);
  assert.equal(bucket.spend(500), 500);
  assert.equal(bucket.spend(500), 1000, 'who comes later waits longer');
  clock.now += 1000;
  assert.equal(bucket.spend(0), 0);
  clock.now += 3_600_000;
  assert.equal(bucket.spend(1500), 500, 'nothing is saved up');
  // Over a long time it is the rate, whatever the sizes.
  let waited = 0;
  for (let sent = 0; sent < 1_000_000; sent += 700) {
    const waitMs = bucket.spend(700);
    waited += waitMs;
    clock.now += waitMs;
  }
  assert.ok(Math.abs(waited - 1_000_000) < 5000, `${waited} ms`);
});

test('without a rate nothing waits, and a new rate holds at once', () => {
  const { bucket } = openBucket(null);
  assert.equal(bucket.spend(1e12), 0);
  bucket.setRate(1000);
  assert.equal(bucket.spend(2000), 1000);
  bucket.setRate(null);
  assert.equal(bucket.spend(1e12), 0);
});

test('waits end when they are released', async () => {
  const { bucket } = openBucket(1);
  const rateLimiter = new RateLimiter({ up: bucket, down: bucket });
  assert.equal(rateLimiter.spend('up', 1), null);
  const waits = [rateLimiter.spend('up', 1_000_000), rateLimiter.spend('down', 1_000_000)];
  assert.ok(waits.every((wait) => wait !== null));
  rateLimiter.release();
  await Promise.all(waits);
  assert.equal(rateLimiter.spend('up', 1_000_000), null);
});

test('a session takes no more than the rate, and holds the client instead of its bytes', async (t) => {
  const { clock, bucket: up } = openBucket(64 * 1024);
  const buckets = { up, down: openBucket(null).bucket };
  const { wire, session } = await openSession(t, { buckets });
  const handle = await wire.open('/users.csv', forUpload);
  const block = Buffer.alloc(32 * 1024);
  const answers: Promise<unknown>[] = [];
  for (let index = 0; index < 40; index++) answers.push(wire.write(handle, index * block.length, block));
  await until(() => session.tally.bytesReceived >= 2 * block.length, "the first second's worth", 30_000);
  // The clock stands: more would never be taken.
  for (let turn = 0; turn < 1000; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(session.tally.bytesReceived <= 4 * block.length, `${session.tally.bytesReceived} bytes`);
  assert.ok(wire.stream.writableLength > 20 * block.length, "the rest is still the client's");
  assert.equal(clock.now, 0);
  // It ends at once all the same.
  session.abort();
  await session.ended;
});

test('answers keep the rate, too', async (t) => {
  const { bucket: down } = openBucket(32 * 1024);
  const buckets = { up: openBucket(null).bucket, down };
  const { wire, session } = await openSession(t, { buckets });
  const handle = await wire.open('/users.csv', forUpload);
  await wire.write(handle, 0, Buffer.alloc(256 * 1024));
  await wire.close(handle);
  const reader = await wire.open('/users.csv', openFor.read);
  let answered = 0;
  for (let index = 0; index < 8; index++)
    void wire
      .ask(5, (packet) =>
        packet
          .string(reader)
          .u64(index * 32 * 1024)
          .u32(32 * 1024),
      )
      .then(() => answered++);
  await until(() => answered >= 1, 'the first answer', 30_000);
  for (let turn = 0; turn < 1000; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(answered < 8, `${answered} answers`);
  session.abort();
  await session.ended;
});

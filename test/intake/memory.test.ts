/** The account of memory: limits of an organization and of the process, and an end for the session that holds it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Memory, MemoryFull } from '../../intake/memory.js';

const limits = { orgBytes: 6400, processBytes: 10_000 };

test('what is kept aside takes three quarters of the limit, what has arrived the rest', () => {
  const share = new Memory(limits).open('acme');
  assert.equal(share.take(4800), true);
  assert.equal(share.take(1), false);
  assert.deepEqual([share.isTight, share.isFull], [true, false]);
  share.add(2000);
  assert.equal(share.isFull, true);
  share.release(6800);
  assert.deepEqual([share.isTight, share.isFull, share.take(4800)], [false, false, true]);
});

test('an organization at its limit, and a process at its own, leave a neighbour its share', () => {
  const memory = new Memory(limits);
  const mallory = [memory.open('mallory'), memory.open('mallory')];
  for (const share of mallory) share.add(3000);
  const acme = memory.open('acme');
  assert.deepEqual([acme.isFull, acme.isTight], [false, false]);
  assert.equal(mallory[0]!.take(1), false);
  memory.open('other').add(4500);
  assert.equal(memory.heldBytes, 10_500);
  // A 64th of its own limit.
  assert.deepEqual([acme.take(100), acme.take(1), mallory[1]!.isFull], [true, false, true]);
});

test('who waits is called when there is room, also room that another organization made', () => {
  const memory = new Memory({ orgBytes: 6400, processBytes: 6000 });
  const [acme, mallory] = [memory.open('acme'), memory.open('mallory')];
  mallory.add(6100);
  acme.add(200);
  let calls = 0;
  acme.whenRoom(() => calls++);
  mallory.release(100);
  assert.equal(calls, 0);
  mallory.release(400);
  assert.equal(calls, 1);
  mallory.release(400);
  assert.equal(calls, 1);
});

test('of sessions that hold memory and release none, the one with the most is ended', async () => {
  const memory = new Memory({ ...limits, patienceMs: 20 });
  const ended: string[] = [];
  const shares = { small: memory.open('acme'), large: memory.open('acme'), busy: memory.open('acme') };
  // The large one first: however slow the machine is, the small one has then not waited longer.
  shares.large.add(2000);
  shares.small.add(1000);
  shares.busy.add(3500);
  const working = setInterval(() => {
    shares.busy.add(1);
    shares.busy.release(1);
  }, 1);
  const done = new Promise<void>((resolve) => {
    shares.large.onStalled = (heldBytes) => {
      ended.push(`large ${heldBytes}`);
      shares.large.release(2000);
      resolve();
    };
  });
  shares.small.onStalled = () => ended.push('small');
  shares.busy.onStalled = () => ended.push('busy');
  shares.busy.add(1);
  assert.equal(shares.busy.take(1), false);
  await done;
  clearInterval(working);
  assert.deepEqual(ended, ['large 2000']);
});

test('a loan waits for room, and fails after a time without any', async () => {
  const memory = new Memory({ ...limits, patienceMs: 30 });
  const share = memory.open('acme');
  share.add(6400);
  await assert.rejects(
    share.lend(100, async () => {}),
    MemoryFull,
  );
  const lent = share.lend(100, async () => memory.heldBytes);
  share.release(6400);
  assert.equal(await lent, 100);
  assert.equal(memory.heldBytes, 0);
});

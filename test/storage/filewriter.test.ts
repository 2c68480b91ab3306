/** The sink: everything in order, a bounded amount behind, and a failing disk told to whoever comes next. */
import assert from 'node:assert/strict';
import type { FileHandle } from 'node:fs/promises';
import { test } from 'node:test';
import { FileWriter } from '../../storage/filewriter.js';

const piece = Buffer.alloc(1024 * 1024);

/** A disk whose writes end when they are told to. */
function slowDisk() {
  const batches: { bytes: number; end: (error?: Error, written?: number) => void }[] = [];
  const writev = (pieces: Buffer[]) =>
    new Promise((resolve, reject) => {
      const bytes = pieces.reduce((sum, part) => sum + part.length, 0);
      const end = (error?: Error, written = bytes) => (error ? reject(error) : resolve({ bytesWritten: written }));
      batches.push({ bytes, end });
    });
  return { batches, sink: new FileWriter({ writev } as unknown as FileHandle) };
}

/** Whether a promise is settled already. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol();
  return (await Promise.race([promise, new Promise((done) => setImmediate(done, pending))])) !== pending;
}

test('what comes while a batch is written goes out together, and a bounded amount waits', async () => {
  const { batches, sink } = slowDisk();
  sink.push(Buffer.from('a'));
  sink.push(piece);
  sink.push(piece);
  assert.ok(await isSettled(sink.room()));
  sink.push(piece);
  const room = sink.room();
  assert.equal(await isSettled(room), false);
  assert.deepEqual(
    batches.map(({ bytes }) => bytes),
    [1],
  );
  batches[0]!.end();
  await room;
  assert.deepEqual(
    batches.map(({ bytes }) => bytes),
    [1, 3 * piece.length],
  );
  const drained = sink.drain();
  assert.equal(await isSettled(drained), false);
  batches[1]!.end();
  await drained;
});

test('a failed write, and one that the disk took only in part, fail what comes after', async () => {
  for (const fail of [
    (end: (error?: Error, written?: number) => void) => end(new Error('ENOSPC')),
    (end: (error?: Error, written?: number) => void) => end(undefined, 3),
  ]) {
    const { batches, sink } = slowDisk();
    sink.push(Buffer.from('abcdef'));
    sink.push(piece);
    fail(batches[0]!.end);
    await assert.rejects(sink.drain(), /ENOSPC|the disk took 3 of 6 bytes/);
    await assert.rejects(sink.room(), /ENOSPC|the disk took 3 of 6 bytes/);
    sink.push(piece);
    assert.equal(batches.length, 1);
    await sink.settle();
  }
});

test('settling waits for the write under way and begins no other', async () => {
  const { batches, sink } = slowDisk();
  sink.push(piece);
  sink.push(piece);
  const settled = sink.settle();
  assert.equal(await isSettled(settled), false);
  batches[0]!.end();
  await settled;
  assert.equal(batches.length, 1);
});

/** An upload's content against a plain buffer: any writes, sizes and reads give what a file would hold. */
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { readdirSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import { Content } from '../../intake/content.js';
import { createBlob, openBlob } from '../../storage/blobs.js';
import { chunkBytes } from '../../storage/chunk.js';
import type { SealedBlob } from '../../storage/sealedwriter.js';
import { ampleMemory } from '../support/memory.js';
import { fc } from '../support/properties.js';
import { createStore, randomContent, type TestStore } from '../support/sealing.js';

const limits = { maxFileBytes: 100 * 1024 * 1024, uploadWindowBytes: 16 * 1024 * 1024, memory: ampleMemory() };
const noStep = () => {};

async function beginContent(store: TestStore, base: Buffer | null, change: Partial<typeof limits> = {}) {
  const blob = base === null ? null : await store.seal(base);
  const opened =
    blob === null ? null : { size: blob.size, reader: await openBlob(store.paths, blob.id, store.identity) };
  return Content.begin(() => createBlob(store.paths, store.recipient), opened, { ...limits, ...change });
}

async function readBack(store: TestStore, blob: SealedBlob): Promise<Buffer> {
  const reader = await openBlob(store.paths, blob.id, store.identity);
  const bytes = await reader.read(0, reader.size);
  await reader.close();
  assert.deepEqual(readdirSync(store.paths.partials), []);
  assert.equal(blob.sha256, crypto.createHash('sha256').update(bytes).digest('hex'));
  return bytes;
}

const offset = fc.oneof(
  fc.nat(200),
  fc.nat(4 * chunkBytes),
  fc.nat(4).map((chunks) => chunks * chunkBytes),
);
const length = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 2 * chunkBytes }));
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('write' as const), offset, length }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('append' as const), offset: fc.constant(0), length }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('size' as const), offset, length }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('read' as const), offset, length }) },
);

test('any sequence of writes, sizes and reads, with and without a base, and no chunk sealed twice', async (t) => {
  const store = await createStore(t);
  const original = crypto.createCipheriv;
  const pairs = new Set<string>();
  crypto.createCipheriv = ((name: string, key: Buffer, nonce: Buffer, options: object) => {
    const pair = `${key.toString('hex')} ${nonce.toString('hex')}`;
    assert.ok(!pairs.has(pair), 'a chunk was sealed twice under one key');
    pairs.add(pair);
    return original(name as 'chacha20-poly1305', key, nonce, options as { authTagLength: number });
  }) as typeof crypto.createCipheriv;
  syncBuiltinESMExports();
  t.after(() => {
    crypto.createCipheriv = original;
    syncBuiltinESMExports();
  });
  const bases = fc.option(fc.oneof(fc.nat(300), fc.nat(3 * chunkBytes)));
  await fc.assert(
    fc.asyncProperty(bases, fc.array(step, { maxLength: 12 }), async (baseBytes, steps) => {
      let model = baseBytes === null ? Buffer.alloc(0) : randomContent(baseBytes);
      const content = await beginContent(store, baseBytes === null ? null : model);
      for (const { kind, offset, length } of steps) {
        if (kind === 'read') {
          assert.ok(model.subarray(offset, offset + length).equals(await content.read(offset, length)), 'read back');
        } else if (kind === 'size') {
          model = Buffer.concat([model.subarray(0, offset), Buffer.alloc(Math.max(0, offset - model.length))]);
          await content.setSize(offset);
        } else {
          const at = kind === 'append' ? model.length : offset;
          const bytes = randomContent(length);
          model = Buffer.concat([model, Buffer.alloc(Math.max(0, at + length - model.length))]);
          bytes.copy(model, at);
          await content.write(at, bytes);
        }
        assert.equal(content.size, model.length);
      }
      assert.ok(model.equals(await readBack(store, await content.finish(noStep))), 'finished');
    }),
    { numRuns: 150 },
  );
});

test('writes in any order, as clients with many in flight send them', async (t) => {
  const store = await createStore(t);
  const pieceBytes = 32 * 1024;
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray(
        Array.from({ length: 24 }, (_, at) => at),
        { minLength: 24 },
      ),
      async (order) => {
        const whole = randomContent(24 * pieceBytes - 100);
        const content = await beginContent(store, null);
        for (const at of order)
          await content.write(at * pieceBytes, whole.subarray(at * pieceBytes, (at + 1) * pieceBytes));
        assert.ok(whole.equals(await readBack(store, await content.finish(noStep))));
      },
    ),
    { numRuns: 20 },
  );
});

test('byte by byte', async (t) => {
  const store = await createStore(t);
  const whole = randomContent(3000);
  const content = await beginContent(store, null);
  for (let at = whole.length - 1; at >= 0; at -= 2) await content.write(at, whole.subarray(at, at + 1));
  for (let at = 0; at < whole.length; at += 2) await content.write(at, whole.subarray(at, at + 1));
  assert.ok(whole.equals(await readBack(store, await content.finish(noStep))));
});

test('scp without truncate: the new content exactly, also when it is shorter', async (t) => {
  const store = await createStore(t);
  const content = await beginContent(store, randomContent(300_000));
  const shorter = randomContent(200_000);
  await content.write(0, shorter);
  await content.setSize(shorter.length);
  assert.ok(shorter.equals(await readBack(store, await content.finish(noStep))));
});

test('a resume behind the base goes straight on, however small the window', async (t) => {
  const store = await createStore(t);
  const whole = randomContent(1_000_000);
  const content = await beginContent(store, whole.subarray(0, 600_000), { uploadWindowBytes: 1000 });
  for (let at = 600_000; at < whole.length; at += 30_000) await content.write(at, whole.subarray(at, at + 30_000));
  assert.ok(whole.equals(await readBack(store, await content.finish(noStep))));
});

test('a resume before the end of the base keeps the part before it', async (t) => {
  const store = await createStore(t);
  const whole = randomContent(1_000_000);
  const base = Buffer.concat([whole.subarray(0, 500_000), randomContent(100_000)]);
  const content = await beginContent(store, base, { uploadWindowBytes: 100_000 });
  for (let at = 500_000; at < whole.length; at += 30_000) await content.write(at, whole.subarray(at, at + 30_000));
  assert.ok(whole.equals(await readBack(store, await content.finish(noStep))));
});

test('a gap that nobody fills: refused when the window is full, zeros at the end', async (t) => {
  const store = await createStore(t);
  const full = await beginContent(store, null, { uploadWindowBytes: 10_000 });
  await full.write(100, randomContent(8000));
  await assert.rejects(full.write(20_000, randomContent(8000)), { name: 'SpaceError', code: 'unsupported' });
  await full.discard();
  const sparse = await beginContent(store, null);
  await sparse.write(chunkBytes * 3, Buffer.from('end'));
  const expected = Buffer.concat([Buffer.alloc(chunkBytes * 3), Buffer.from('end')]);
  assert.ok(expected.equals(await readBack(store, await sparse.finish(noStep))));
});

test('rewriting: a small file as often as one likes, a large one only a few times', async (t) => {
  const store = await createStore(t);
  const small = await beginContent(store, null);
  await small.write(0, Buffer.alloc(1000));
  for (let at = 0; at < 1000; at++) await small.write(at, Buffer.from([at & 255]));
  const expected = Buffer.from(Array.from({ length: 1000 }, (_, at) => at & 255));
  assert.ok(expected.equals(await readBack(store, await small.finish(noStep))));
  const large = await beginContent(store, null);
  await large.write(0, Buffer.alloc(8 * 1024 * 1024));
  const rewriteAll = async () => {
    for (let at = 0; at < 1000; at++) await large.write(at, Buffer.from('x'));
  };
  await assert.rejects(rewriteAll(), { code: 'unsupported' });
  await large.discard();
  assert.deepEqual(readdirSync(store.paths.partials), []);
});

test('the size limit holds for writes and sizes, wherever they begin', async (t) => {
  const store = await createStore(t);
  const content = await beginContent(store, null, { maxFileBytes: 1000 });
  await content.write(0, Buffer.alloc(1000));
  await assert.rejects(content.write(1000, Buffer.alloc(1)), { code: 'too_large' });
  await assert.rejects(content.write(2 ** 52, Buffer.alloc(1)), { code: 'too_large' });
  await assert.rejects(content.setSize(1001), { code: 'too_large' });
  assert.equal(content.size, 1000);
  await content.discard();
});

test('a base that can not be opened only hurts the upload that needs it', async (t) => {
  const store = await createStore(t);
  const begin = () =>
    Content.begin(() => createBlob(store.paths, store.recipient), { size: 1000, reader: null }, limits);
  const replacing = await begin();
  await replacing.write(0, Buffer.from('all new'));
  await replacing.setSize(7);
  assert.equal((await readBack(store, await replacing.finish(noStep))).toString(), 'all new');
  const resuming = await begin();
  await assert.rejects(resuming.write(1000, Buffer.from('more')), { code: 'keyless' });
  await assert.rejects(resuming.read(0, 10), { code: 'keyless' });
  await resuming.discard();
});

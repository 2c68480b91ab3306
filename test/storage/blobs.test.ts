/** Blobs: what was sealed comes back, at any offset and however it was written, or else the damage is told. */
import assert from 'node:assert/strict';
import crypto, { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import { blobPath, createBlob, openBlob, removeBlob } from '../../storage/blobs.js';
import { chunkBytes, sealedChunkBytes } from '../../storage/chunk.js';
import type { BlobReader } from '../../storage/sealedreader.js';
import { fc } from '../support/properties.js';
import { createStore, randomContent, type TestStore } from '../support/sealing.js';

async function readAll(reader: BlobReader): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of reader.stream()) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function withReader<T>(store: TestStore, id: string, work: (reader: BlobReader) => Promise<T>): Promise<T> {
  const reader = await openBlob(store.paths, id, store.identity);
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}

test('a blob tells its sizes and hash, lies in its place, private, and leaves no partial', async (t) => {
  const store = await createStore(t);
  for (const size of [0, 1, chunkBytes, 5 * chunkBytes + 3]) {
    const content = randomContent(size);
    const blob = await store.seal(content);
    assert.equal(blob.size, size);
    assert.equal(blob.sha256, createHash('sha256').update(content).digest('hex'));
    const file = statSync(blobPath(store.paths, blob.id));
    assert.equal(file.size, blob.sealedSize);
    assert.equal(file.mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(store.paths.partials), []);
    await withReader(store, blob.id, async (reader) => {
      assert.equal(reader.size, size);
      assert.ok(content.equals(await readAll(reader)));
    });
    await removeBlob(store.paths, blob.id);
    await removeBlob(store.paths, blob.id);
    assert.equal(existsSync(blobPath(store.paths, blob.id)), false);
  }
});

test('bytes that come one by one are sealed as those that come at once', async (t) => {
  const store = await createStore(t);
  const content = randomContent(chunkBytes + 100);
  const blob = await store.seal(content, 1);
  assert.ok(content.equals(await withReader(store, blob.id, readAll)));
});

test('any pieces in, any ranges out', async (t) => {
  const store = await createStore(t);
  const sizes = fc.oneof(
    fc.nat(300),
    fc.nat(20 * chunkBytes),
    fc.nat(4).map((chunks) => chunks * chunkBytes),
  );
  const ranges = fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(sizes, fc.integer({ min: 1, max: 3 * chunkBytes }), ranges, async (size, pieceBytes, asked) => {
      const content = randomContent(size);
      const blob = await store.seal(content, Math.max(pieceBytes, Math.ceil(size / 200)));
      await withReader(store, blob.id, async (reader) => {
        for (const [from, length] of asked) {
          const offset = Math.floor((from / 999) * size);
          const wanted = Math.floor((length / 999) * size);
          const bytes = await reader.read(offset, wanted);
          assert.ok(content.subarray(offset, offset + wanted).equals(bytes), `${wanted} from ${offset} of ${size}`);
        }
        assert.ok(content.equals(await readAll(reader)));
      });
    }),
    { numRuns: 40 },
  );
});

test('sequential reads of every size see the whole file, and concurrent reads do not disturb each other', async (t) => {
  const store = await createStore(t);
  const content = randomContent(40 * chunkBytes + 5);
  const blob = await store.seal(content);
  await withReader(store, blob.id, async (reader) => {
    for (const length of [1000, 32 * 1024, chunkBytes, 255 * 1024]) {
      const pieces: Buffer[] = [];
      for (let at = 0; at < content.length; at += length) pieces.push(await reader.read(at, length));
      assert.ok(content.equals(Buffer.concat(pieces)), `pieces of ${length}`);
    }
    const offsets = Array.from({ length: 40 }, (_, turn) => (turn * 7919 * 131) % content.length);
    const pieces = await Promise.all(offsets.map((offset) => reader.read(offset, 100_000)));
    for (const [turn, offset] of offsets.entries())
      assert.ok(content.subarray(offset, offset + 100_000).equals(pieces[turn]!));
    assert.equal((await reader.read(content.length, 10)).length, 0);
    assert.equal((await reader.read(content.length + 10, 10)).length, 0);
  });
});

test('a flipped bit anywhere is damage, never other content', async (t) => {
  const store = await createStore(t);
  const content = randomContent(2 * chunkBytes + 50);
  const blob = await store.seal(content);
  const path = blobPath(store.paths, blob.id);
  const sealed = readFileSync(path);
  await fc.assert(
    fc.asyncProperty(fc.nat(sealed.length - 1), fc.nat(7), async (at, bit) => {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1 << bit;
      writeFileSync(path, changed);
      await assert.rejects(withReader(store, blob.id, readAll), { name: 'SpaceError', code: 'damaged' });
    }),
    {
      numRuns: 60,
      examples: [
        [sealed.length - 1, 0],
        [0, 0],
        [205, 3],
      ],
    },
  );
});

test('a blob that is cut off anywhere does not even open', async (t) => {
  const store = await createStore(t);
  const blob = await store.seal(randomContent(3 * chunkBytes));
  const path = blobPath(store.paths, blob.id);
  const sealed = readFileSync(path);
  const start = blob.sealedSize - 3 * sealedChunkBytes;
  const cuts = [0, 10, start - 1, start, start + 1, start + 16, start + 17, sealed.length - 1];
  for (const chunks of [1, 2]) cuts.push(start + chunks * sealedChunkBytes, start + chunks * sealedChunkBytes + 16);
  for (const cut of cuts) {
    writeFileSync(path, sealed.subarray(0, cut));
    await assert.rejects(openBlob(store.paths, blob.id, store.identity), { code: 'damaged' }, `cut at ${cut}`);
  }
});

test('chunks out of order, twice, or with something behind them are damage', async (t) => {
  const store = await createStore(t);
  const blob = await store.seal(randomContent(4 * chunkBytes));
  const path = blobPath(store.paths, blob.id);
  const sealed = readFileSync(path);
  const start = blob.sealedSize - 4 * sealedChunkBytes;
  const header = sealed.subarray(0, start);
  const chunk = (index: number) =>
    sealed.subarray(start + index * sealedChunkBytes, start + (index + 1) * sealedChunkBytes);
  const variants: Record<string, Buffer[]> = {
    swapped: [chunk(1), chunk(0), chunk(2), chunk(3)],
    repeated: [chunk(0), chunk(1), chunk(1), chunk(2), chunk(3)],
    'left out': [chunk(0), chunk(2), chunk(3)],
    'a byte behind': [chunk(0), chunk(1), chunk(2), chunk(3), Buffer.from('x')],
    'an empty chunk behind': [chunk(0), chunk(1), chunk(2), chunk(3), Buffer.alloc(16)],
    'the last one twice': [chunk(0), chunk(1), chunk(2), chunk(3), chunk(3)],
  };
  for (const [name, chunks] of Object.entries(variants)) {
    writeFileSync(path, Buffer.concat([header, ...chunks]));
    await assert.rejects(withReader(store, blob.id, readAll), { code: 'damaged' }, name);
  }
});

test('a blob that shrinks while it is read is damage', async (t) => {
  const store = await createStore(t);
  const blob = await store.seal(randomContent(40 * chunkBytes));
  await withReader(store, blob.id, async (reader) => {
    truncateSync(blobPath(store.paths, blob.id), 10 * sealedChunkBytes);
    await assert.rejects(readAll(reader), { code: 'damaged' });
    await assert.rejects(reader.read(20 * chunkBytes, 10), { code: 'damaged' });
  });
});

test('a missing blob, and one that another identity sealed, are damage', async (t) => {
  const store = await createStore(t);
  const other = await createStore(t);
  const lost = () => openBlob(store.paths, '0'.repeat(32), store.identity);
  await assert.rejects(lost, { code: 'failed' }, 'without the folder its volume is away');
  await store.seal(Buffer.from('ours'));
  await assert.rejects(lost, { code: 'damaged' });
  const blob = await other.seal(Buffer.from('theirs'));
  await assert.rejects(openBlob(other.paths, blob.id, store.identity), {
    code: 'damaged',
    message: /no identity matched/,
  });
});

test('no two chunks are ever sealed under one key and nonce', async (t) => {
  const store = await createStore(t);
  const seen = new Map<string, number>();
  const original = crypto.createCipheriv;
  crypto.createCipheriv = ((name: string, key: Buffer, nonce: Buffer, options: object) => {
    const pair = `${key.toString('hex')} ${nonce.toString('hex')}`;
    seen.set(pair, (seen.get(pair) ?? 0) + 1);
    return original(name as 'chacha20-poly1305', key, nonce, options as { authTagLength: number });
  }) as typeof crypto.createCipheriv;
  syncBuiltinESMExports();
  t.after(() => {
    crypto.createCipheriv = original;
    syncBuiltinESMExports();
  });
  for (const size of [0, 1, chunkBytes, 3 * chunkBytes, 5 * chunkBytes + 1])
    await store.seal(randomContent(size), 70_000);
  assert.ok(seen.size > 12);
  assert.deepEqual(
    [...seen.values()].filter((times) => times > 1),
    [],
  );
});

test('a blob in progress reads back, is patched and cut where it is not sealed yet', async (t) => {
  const store = await createStore(t);
  const content = randomContent(2 * chunkBytes + 100);
  const writer = await createBlob(store.paths, store.recipient);
  await writer.write(content);
  assert.ok(content.equals(await writer.read(0, content.length + 10)));
  assert.ok(content.subarray(chunkBytes - 5, chunkBytes + 5).equals(await writer.read(chunkBytes - 5, 10)));
  assert.equal(writer.patch(2 * chunkBytes - 1, Buffer.from('xx')), false);
  assert.equal(writer.patch(2 * chunkBytes + 99, Buffer.from('xx')), false);
  assert.equal(writer.patch(2 * chunkBytes + 10, Buffer.from('new')), true);
  assert.equal(writer.truncate(2 * chunkBytes), false);
  assert.equal(writer.truncate(2 * chunkBytes + 50), true);
  content.write('new', 2 * chunkBytes + 10);
  const blob = await writer.finish();
  const expected = content.subarray(0, 2 * chunkBytes + 50);
  assert.ok(expected.equals(await withReader(store, blob.id, readAll)));
  assert.equal(blob.sha256, createHash('sha256').update(expected).digest('hex'));
});

test('what is discarded is cleared away', async (t) => {
  const store = await createStore(t);
  const discarded = await createBlob(store.paths, store.recipient);
  await discarded.write(randomContent(10 * 1024 * 1024));
  await discarded.discard();
  assert.deepEqual(readdirSync(store.paths.partials), []);
});

test('the steps of finishing come in their order', async (t) => {
  const store = await createStore(t);
  const writer = await createBlob(store.paths, store.recipient);
  const steps: string[] = [];
  const isThere = () => existsSync(blobPath(store.paths, writer.id));
  await writer.write(Buffer.from('x'));
  await writer.finish((step) => steps.push(`${step} ${isThere()}`));
  assert.deepEqual(steps, ['sealed false', 'synced false', 'moved true']);
});

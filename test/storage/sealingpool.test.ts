/** Large uploads sealed by threads: the bytes are those that one thread seals, and a thread that dies takes only its own. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { createHeader, type NewHeader } from '../../storage/age.js';
import { chunkBytes } from '../../storage/chunk.js';
import { fileDestination } from '../../storage/destination.js';
import { type Disk, systemDisk } from '../../storage/disk.js';
import { BlobReader } from '../../storage/sealedreader.js';
import { BlobWriter } from '../../storage/sealedwriter.js';
import { SealingThreads } from '../../storage/sealingpool.js';
import { fc } from '../support/properties.js';
import { createStore, randomContent, type TestStore } from '../support/sealing.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';
import { startThreadFromSource } from '../support/thread.js';

function createThreads(scope: Scope, threads = 2): { sealingThreads: SealingThreads; workers: Worker[] } {
  const workers: Worker[] = [];
  const start = () => {
    const worker = startThreadFromSource();
    workers.push(worker);
    return worker;
  };
  const sealingThreads = new SealingThreads({ start, threads });
  scope.after(() => sealingThreads.close());
  return { sealingThreads, workers };
}

let next = 0;

async function beginWriter(
  folder: string,
  header: NewHeader,
  sealingThreads: SealingThreads | null,
  disk: Disk = systemDisk,
): Promise<BlobWriter> {
  const id = String(next++).padStart(32, '0');
  const partialPath = join(folder, `${id}.part`);
  const file = await disk.create(partialPath);
  const place = { id, partialPath, blobPath: join(folder, 'done', id), disk };
  return new BlobWriter(fileDestination(place, file), header, sealingThreads);
}

async function writeAll(writer: BlobWriter, content: Buffer, pieceBytes: number): Promise<void> {
  for (let at = 0; at < content.length; at += pieceBytes) await writer.write(content.subarray(at, at + pieceBytes));
}

const newHeader = (store: TestStore) => createHeader(store.recipient);

test('a sealingThreads seals the same bytes as one thread, whatever the sizes', async (t) => {
  const store = await createStore(t);
  const { sealingThreads } = createThreads(t);
  const folder = temporaryFolder(t);
  const sizes = fc.oneof(
    fc.nat(3 * chunkBytes),
    fc.nat(100 * chunkBytes),
    fc
      .tuple(fc.nat(40), fc.integer({ min: -1, max: 1 }))
      .map(([chunks, off]) => Math.max(0, chunks * chunkBytes + off)),
  );
  await fc.assert(
    fc.asyncProperty(sizes, fc.integer({ min: 20_000, max: 3_000_000 }), async (size, pieceBytes) => {
      const content = randomContent(size);
      const header = await newHeader(store);
      const sealed = [];
      for (const sealer of [sealingThreads, null]) {
        const writer = await beginWriter(folder, header, sealer);
        await writeAll(writer, content, pieceBytes);
        const { id, ...blob } = await writer.finish();
        sealed.push({ blob, bytes: readFileSync(join(folder, 'done', id)) });
      }
      assert.deepEqual(sealed[0]!.blob, sealed[1]!.blob);
      assert.ok(sealed[0]!.bytes.equals(sealed[1]!.bytes));
      assert.equal(sealed[0]!.blob.sha256, createHash('sha256').update(content).digest('hex'));
    }),
    { numRuns: 40 },
  );
});

test('writes, patches, cuts and reads of a large upload are those of a plain buffer', async (t) => {
  const store = await createStore(t);
  const { sealingThreads } = createThreads(t);
  const folder = temporaryFolder(t);
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('write' as const), bytes: fc.nat(9 * chunkBytes), at: fc.nat(0) }),
    },
    fc.record({
      do: fc.constantFrom('patch', 'cut', 'read'),
      bytes: fc.nat(3 * chunkBytes),
      at: fc.nat(30 * chunkBytes),
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const writer = await beginWriter(folder, await newHeader(store), sealingThreads);
      let model = Buffer.alloc(0);
      for (const { do: what, bytes, at } of steps) {
        const content = randomContent(bytes);
        if (what === 'write') {
          await writer.write(content);
          model = Buffer.concat([model, content]);
        } else if (what === 'patch') {
          if (writer.patch(at, content)) content.copy(model, at);
        } else if (what === 'cut') {
          if (writer.truncate(at)) model = model.subarray(0, at);
        } else {
          assert.ok(model.subarray(at, at + bytes).equals(await writer.read(at, bytes)));
        }
        assert.equal(writer.size, model.length);
      }
      assert.ok(model.equals(await writer.read(0, model.length + 1)));
      const blob = await writer.finish();
      assert.equal(blob.sha256, createHash('sha256').update(model).digest('hex'));
    }),
    { numRuns: 40 },
  );
});

test('a thread that dies fails the uploads it seals, which can be discarded, and the next ones get another', async (t) => {
  const store = await createStore(t);
  const { sealingThreads, workers } = createThreads(t, 1);
  const folder = temporaryFolder(t);
  const content = randomContent(30 * chunkBytes);
  const writers = [
    await beginWriter(folder, await newHeader(store), sealingThreads),
    await beginWriter(folder, await newHeader(store), sealingThreads),
  ];
  for (const writer of writers) await writer.write(content);
  await workers[0]!.terminate();
  await assert.rejects(writeAll(writers[0]!, content, 100_000), { code: 'failed', message: /sealing thread ended/ });
  await assert.rejects(writers[1]!.finish(), { code: 'failed', message: /sealing thread ended/ });
  for (const writer of writers) await writer.discard();
  assert.deepEqual(readdirSync(folder), []);
  const after = await beginWriter(folder, await newHeader(store), sealingThreads);
  await writeAll(after, content, 100_000);
  assert.equal((await after.finish()).sha256, createHash('sha256').update(content).digest('hex'));
  assert.equal(workers.length, 2);
});

test('a disk that fails under a sealingThreads fails the upload, and nothing waits for ever', async (t) => {
  const store = await createStore(t);
  const { sealingThreads } = createThreads(t, 1);
  const folder = temporaryFolder(t);
  let isFull = false;
  const disk: Disk = {
    ...systemDisk,
    create: async (path) => {
      const file = await systemDisk.create(path);
      const writev = async (pieces: readonly Buffer[]) => {
        if (isFull) throw new Error('ENOSPC: no space left on device');
        return file.writev(pieces);
      };
      return { ...bindAll(file), writev };
    },
  };
  const writer = await beginWriter(folder, await newHeader(store), sealingThreads, disk);
  await writer.write(randomContent(20 * chunkBytes));
  isFull = true;
  await assert.rejects(writeAll(writer, randomContent(400 * chunkBytes), 200_000), {
    code: 'failed',
    message: /ENOSPC/,
  });
  await writer.discard();
  assert.deepEqual(readdirSync(folder), []);
});

test('more large uploads than there are places are sealed all the same', async (t) => {
  const store = await createStore(t);
  const { sealingThreads, workers } = createThreads(t, 2);
  const folder = temporaryFolder(t);
  const content = randomContent(12 * chunkBytes + 7);
  const writers = await Promise.all(
    Array.from({ length: 40 }, async () => beginWriter(folder, await newHeader(store), sealingThreads)),
  );
  await Promise.all(writers.map((writer) => writeAll(writer, content, 90_000)));
  const blobs = await Promise.all(writers.map((writer) => writer.finish()));
  const expected = createHash('sha256').update(content).digest('hex');
  assert.deepEqual([...new Set(blobs.map((blob) => blob.sha256))], [expected]);
  assert.equal(workers.length, 2);
});

/** The methods of a FileHandle, which live on its prototype. */
function bindAll(file: Awaited<ReturnType<Disk['create']>>): Awaited<ReturnType<Disk['create']>> {
  return {
    read: (...given) => file.read(...given),
    writev: (pieces) => file.writev(pieces),
    stat: () => file.stat(),
    sync: () => file.sync(),
    datasync: () => file.datasync(),
    close: () => file.close(),
  };
}

test('a parked upload opens whatever its length, with a thread and without', async (t) => {
  const store = await createStore(t);
  const { sealingThreads } = createThreads(t);
  const folder = temporaryFolder(t);
  for (const keepsLast of [true, false])
    for (const sealer of [sealingThreads, null])
      for (const chunks of [1, 20])
        for (const off of [0, 1, 2]) {
          const content = randomContent(chunks * chunkBytes + off);
          const writer = await beginWriter(folder, await newHeader(store), sealer);
          const { id, secret } = writer;
          await writeAll(writer, content, 1_000_000);
          const kept = await writer.park(keepsLast);
          assert.equal(kept, content.length - (keepsLast ? 0 : 1));
          const reader = await BlobReader.openPartial(
            id,
            await systemDisk.open(join(folder, `${id}.part`)),
            secret,
            kept,
          );
          assert.ok((await reader.read(0, kept)).equals(content.subarray(0, kept)), `${chunks} chunks and ${off}`);
          await reader.close();
        }
});

test('where the system has no room for a thread each upload is sealed without one', async (t) => {
  const store = await createStore(t);
  const start = () => {
    throw Object.assign(new Error('Worker initialization failure: EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
  };
  const sealingThreads = new SealingThreads({ start, threads: 2 });
  const content = randomContent(70 * chunkBytes);
  const folder = temporaryFolder(t);
  for (let upload = 0; upload < 2; upload++) {
    const writer = await beginWriter(folder, await newHeader(store), sealingThreads);
    await writeAll(writer, content, 1_000_000);
    await writer.finish();
  }
});

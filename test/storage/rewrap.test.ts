/** A new header before the same payload: another identity opens the file, and the old one no more. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Decrypter, generateHybridIdentity, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { measureHeader } from '../../storage/age.js';
import { blobPath, createBlob, openBlob, openBlobOf } from '../../storage/blobs.js';
import { chunkBytes } from '../../storage/chunk.js';
import { systemDisk } from '../../storage/disk.js';
import { fitsPlainSize, rewrapBlob, sweepRewraps } from '../../storage/rewrap.js';
import { createStore, randomContent, type TestStore } from '../support/sealing.js';

const sizes = [0, 1, chunkBytes, 3 * chunkBytes + 17, 40 * chunkBytes];
const generators = { x25519: generateX25519Identity, hybrid: generateHybridIdentity };

async function keysFor(store: TestStore, generate: () => Promise<string>) {
  const identity = await generate();
  const recipient = await identityToRecipient(identity);
  return { identity, recipient, identities: `${identity}\n${store.identity}` };
}

function payloadOf(bytes: Buffer): Buffer {
  return bytes.subarray(measureHeader(bytes)! - 16);
}

/** The blob's, without those of other blobs in its folder, which it shares with one of 256. */
function filesOf({ paths }: TestStore, id: string): string[] {
  return readdirSync(dirname(blobPath(paths, id))).filter((name) => name.startsWith(id));
}

for (const [type, generate] of Object.entries(generators))
  test(`rewrapped for ${type}: nonce and payload byte for byte, the content for the new identity alone`, async (t) => {
    const store = await createStore(t);
    for (const size of sizes) {
      const content = randomContent(size);
      const { id, sealedSize } = await store.seal(content);
      const path = blobPath(store.paths, id);
      const before = readFileSync(path);
      const keys = await keysFor(store, generate);
      const result = await rewrapBlob(store.paths, id, keys);
      const after = readFileSync(path);
      assert.deepEqual(result, { kind: 'sealed', sealedSize: after.length, isNew: true });
      assert.ok(payloadOf(before).equals(payloadOf(after)));
      if (type === 'x25519') assert.equal(after.length, sealedSize);
      else assert.ok(after.length > sealedSize + 1400);
      assert.deepEqual(filesOf(store, id), [id]);

      const reader = await openBlob(store.paths, id, keys.identity);
      assert.ok(content.equals(await reader.read(0, size + 1)));
      await reader.close();
      await assert.rejects(openBlob(store.paths, id, store.identity), { code: 'damaged' });
      const decrypter = new Decrypter();
      decrypter.addIdentity(keys.identity);
      assert.ok(content.equals(await decrypter.decrypt(after)), 'the age library opens it');

      assert.equal(await fitsPlainSize(store.paths, id, size), true);
      assert.equal(await fitsPlainSize(store.paths, id, size + 1), false);
      assert.deepEqual(await rewrapBlob(store.paths, id, keys), { ...result, isNew: false });
    }
  });

test('new files for a post-quantum recipient, of every size', async (t) => {
  const store = await createStore(t);
  const identity = await generateHybridIdentity();
  const recipient = await identityToRecipient(identity);
  for (const size of sizes) {
    const content = randomContent(size);
    const writer = await createBlob(store.paths, recipient);
    await writer.write(content);
    const { id } = await writer.finish();
    const reader = await openBlob(store.paths, id, `${store.identity}\n${identity}`);
    assert.ok(content.equals(await reader.read(0, size + 1)));
    await reader.close();
  }
});

test('the age command opens what was rewrapped', async (t) => {
  const store = await createStore(t);
  const content = randomContent(100_000);
  const { id } = await store.seal(content);
  const keys = await keysFor(store, generateX25519Identity);
  await rewrapBlob(store.paths, id, keys);
  writeFileSync(join(store.paths.data, 'identity'), `${keys.identity}\n`);
  const opened = spawnSync('age', ['-d', '-i', join(store.paths.data, 'identity'), blobPath(store.paths, id)]);
  if ((opened.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT')
    return t.skip('the age command is NOT INSTALLED: nothing was proven');
  assert.ok(content.equals(opened.stdout));
});

test('who has the file open reads on, and who opens it in that moment gets it', async (t) => {
  const store = await createStore(t);
  const content = randomContent(3 * chunkBytes);
  const { id } = await store.seal(content);
  const open = await openBlob(store.paths, id, store.identity);
  const keys = await keysFor(store, generateX25519Identity);
  // The identities are asked for, then the file gets its new header, then it is opened.
  let asked = 0;
  const late = await openBlobOf(store.paths, id, async () => {
    if (++asked > 1) return keys.identities;
    await rewrapBlob(store.paths, id, keys);
    return store.identity;
  });
  for (const reader of [open, late]) {
    assert.ok(content.equals(await reader.read(0, content.length)));
    await reader.close();
  }
});

test('a file that is missing or damaged is told, and stays as it is', async (t: TestContext) => {
  const store = await createStore(t);
  const keys = await keysFor(store, generateX25519Identity);
  const { id } = await store.seal(randomContent(chunkBytes * 2));
  const other = { ...keys, identities: keys.identity };
  assert.equal((await rewrapBlob(store.paths, id, other)).kind, 'damaged', 'sealed to somebody else');
  truncateSync(blobPath(store.paths, id), chunkBytes);
  const before = readFileSync(blobPath(store.paths, id));
  assert.equal((await rewrapBlob(store.paths, id, keys)).kind, 'damaged', 'cut off');
  assert.ok(before.equals(readFileSync(blobPath(store.paths, id))));
  writeFileSync(blobPath(store.paths, id), 'nonsense');
  assert.equal((await rewrapBlob(store.paths, id, keys)).kind, 'damaged', 'no age file');
  rmSync(blobPath(store.paths, id));
  assert.deepEqual(await rewrapBlob(store.paths, id, keys), { kind: 'missing' });
  assert.deepEqual(filesOf(store, id), []);
});

test('a disk that fails at any step leaves the old file or the new one, and nothing beside it', async (t) => {
  const store = await createStore(t);
  const content = randomContent(100);
  for (const step of ['create', 'rename', 'syncFolder'] as const) {
    const { id } = await store.seal(content);
    const keys = await keysFor(store, generateX25519Identity);
    const failure = Object.assign(new Error('no space'), { code: 'ENOSPC' });
    const disk = { ...systemDisk, [step]: () => Promise.reject(failure) };
    await assert.rejects(rewrapBlob(store.paths, id, keys, { disk }), { code: 'failed' });
    assert.deepEqual(filesOf(store, id), [id]);
    const reader = await openBlob(store.paths, id, keys.identities);
    assert.ok(content.equals(await reader.read(0, 200)));
    await reader.close();
  }
});

test('what a killed rotation left is swept', async (t) => {
  const store = await createStore(t);
  const { id } = await store.seal(randomContent(5));
  const path = blobPath(store.paths, id);
  writeFileSync(`${path}.0123456789ab.rewrap`, 'half');
  assert.equal(await sweepRewraps(store.paths), 1);
  assert.deepEqual(filesOf(store, id), [id]);
});

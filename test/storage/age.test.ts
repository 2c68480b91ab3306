/** Sealed files are age files: the library and the real `age` command open ours, and we open theirs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { keyIdOf } from '../../keys/master/orgidentity.js';
import { createHeader, openHeader } from '../../storage/age.js';
import { blobPath, openBlob } from '../../storage/blobs.js';
import { chunkBytes } from '../../storage/chunk.js';
import { createStore, randomContent, type TestStore } from '../support/sealing.js';

const sizes = [0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3 * chunkBytes + 17];

/** Runs the real command; skips the test, loudly, where it is not installed. */
function runAge(t: TestContext, args: string[], input?: Buffer): Buffer | null {
  const result = spawnSync('age', args, { input, maxBuffer: 64 * 1024 * 1024 });
  if ((result.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
    t.skip('the age command is NOT INSTALLED: nothing was proven');
    return null;
  }
  assert.equal(result.status, 0, result.stderr.toString());
  return result.stdout;
}

/** Puts a file made elsewhere where blobs lie. */
function placeBlob(store: TestStore, bytes: Uint8Array): string {
  const id = 'f'.repeat(32);
  mkdirSync(dirname(blobPath(store.paths, id)), { recursive: true });
  writeFileSync(blobPath(store.paths, id), bytes);
  return id;
}

test('the age library opens what we seal, and we open what it seals', async (t) => {
  const store = await createStore(t);
  for (const size of sizes) {
    const content = randomContent(size);
    const blob = await store.seal(content);
    const decrypter = new Decrypter();
    decrypter.addIdentity(store.identity);
    const opened = await decrypter.decrypt(readFileSync(blobPath(store.paths, blob.id)));
    assert.ok(content.equals(opened), `${size} bytes`);

    const encrypter = new Encrypter();
    encrypter.addRecipient(await identityToRecipient(await generateX25519Identity()));
    encrypter.addRecipient(store.recipient);
    const reader = await openBlob(
      store.paths,
      placeBlob(store, await encrypter.encrypt(new Uint8Array(content))),
      store.identity,
    );
    assert.ok(content.equals(await reader.read(0, size + 1)), `${size} bytes`);
    await reader.close();
  }
});

test('the age command opens what we seal', async (t) => {
  const store = await createStore(t);
  const identityFile = join(store.paths.data, 'identity');
  writeFileSync(identityFile, `${store.identity}\n`);
  for (const size of sizes) {
    const content = randomContent(size);
    const blob = await store.seal(content);
    const opened = runAge(t, ['-d', '-i', identityFile, blobPath(store.paths, blob.id)]);
    if (opened === null) return;
    assert.ok(content.equals(opened), `${size} bytes`);
  }
});

test('we open what the age command seals', async (t) => {
  const store = await createStore(t);
  for (const size of sizes) {
    const content = randomContent(size);
    const sealed = runAge(t, ['-r', store.recipient], content);
    if (sealed === null) return;
    const reader = await openBlob(store.paths, placeBlob(store, sealed), store.identity);
    assert.ok(content.equals(await reader.read(0, size + 1)), `${size} bytes`);
    await reader.close();
  }
});

test('a header opens for its recipient alone, and only unchanged', async () => {
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  const { sealedTo, ...header } = await createHeader(recipient);
  assert.equal(sealedTo, keyIdOf(recipient));
  assert.deepEqual(await openHeader(header.bytes, identity), header);
  assert.equal(await openHeader(header.bytes.subarray(0, -1), identity), null);
  await assert.rejects(openHeader(header.bytes, await generateX25519Identity()), /no identity matched/);
  for (let at = 0; at < header.bytes.length - 16; at++) {
    const changed = Buffer.from(header.bytes);
    changed[at]! ^= 1;
    const opened = await openHeader(changed, identity).catch(() => null);
    assert.equal(opened, null, `a flipped bit at ${at} went unseen`);
  }
});

test('a header of many recipients is read whole', async (t) => {
  const store = await createStore(t);
  const encrypter = new Encrypter();
  for (let turn = 0; turn < 20; turn++)
    encrypter.addRecipient(await identityToRecipient(await generateX25519Identity()));
  encrypter.addRecipient(store.recipient);
  const reader = await openBlob(store.paths, placeBlob(store, await encrypter.encrypt('hello')), store.identity);
  assert.equal((await reader.read(0, 10)).toString(), 'hello');
  await reader.close();
});

test('each file has a key of its own', async (t) => {
  const store = await createStore(t);
  const headers = await Promise.all(Array.from({ length: 20 }, () => createHeader(store.recipient)));
  assert.equal(new Set(headers.map((header) => header.payloadKey.toString('hex'))).size, 20);
  await assert.rejects(createHeader('age1nonsense'));
  await assert.rejects(createHeader(store.identity));
});

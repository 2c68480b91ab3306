/** Sealed files in a real object store: OpenStack Swift with its S3 API. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { generateHybridIdentity, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { createBlob, openBlob, removeBlob } from '../../../storage/blobs.js';
import { type BlobStore, placesOf, type StoreError } from '../../../storage/blobstore.js';
import { systemDisk } from '../../../storage/disk.js';
import { rewrapBlob } from '../../../storage/rewrap.js';
import { SpaceError } from '../../../storage/types.js';
import { openStorePlace, type StorePlace } from '../../support/objectstore.js';
import { randomContent } from '../../support/sealing.js';
import { until } from '../../support/session.js';
import { bucket, missingSwift, type Swift, startSwift } from '../../support/swift.js';

const mebibyte = 1024 ** 2;
const options = { skip: missingSwift };
const swift = missingSwift === false ? await startSwift({ after }) : (null as never as Swift);

const actionsOf = ({ proxy }: StorePlace) => proxy.seen.map(({ action }) => action);
const unfinishedIn = async (store: BlobStore) => {
  let count = 0;
  for await (const _ of store.listUnfinished()) count++;
  return count;
};
const leftIn = ({ paths }: StorePlace) => (existsSync(paths.partials) ? readdirSync(paths.partials) : []);

test(
  'a small file is one object, a standard age file, and nothing of it is left on the local disk',
  options,
  async (t) => {
    const place = await openStorePlace(t, swift);
    for (const size of [0, 1, 65_536, 1_000_000]) {
      const content = randomContent(size);
      const { id, sealedSize } = await place.seal(content);
      assert.ok(content.equals(await place.read(id)));
      assert.equal((await place.store.stat(id))?.size, sealedSize);
      const Key = `${place.prefix}/${id.slice(0, 2)}/${id}`;
      const object = await swift.client.send(new GetObjectCommand({ Bucket: bucket, Key }));
      assert.match(await object.Body!.transformToString('latin1'), /^age-encryption\.org\/v1\n/);
    }
    assert.deepEqual(leftIn(place), []);
    assert.ok(!actionsOf(place).includes('CreateMultipartUpload'));
  },
);

test('a large file is sent in parts while it is written, and read by ranges', options, async (t) => {
  const place = await openStorePlace(t, swift);
  const content = randomContent(12 * mebibyte + 17);
  const writer = await createBlob(place.paths, place.recipient);
  await writer.write(content.subarray(0, 11 * mebibyte));
  for (let tries = 0; tries < 500 && !actionsOf(place).includes('UploadPart'); tries++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(actionsOf(place).includes('UploadPart'), 'the first part is sent before the file is whole');
  assert.ok(content.subarray(100, 200).equals(await writer.read(100, 100)));
  await writer.write(content.subarray(11 * mebibyte));
  const { id } = await writer.finish();
  assert.ok(content.equals(await place.read(id)));
  assert.deepEqual(leftIn(place), []);
  assert.equal(await unfinishedIn(place.store), 0);
  const reader = await openBlob(place.paths, id, place.identity);
  assert.ok(content.subarray(9_000_000, 9_000_500).equals(await reader.read(9_000_000, 500)));
  assert.ok(content.subarray(-20).equals(await reader.read(content.length - 20, 100)));
  await reader.close();
});

test('lists and removes; a missing blob is damaged, a missing bucket and wrong keys are named', options, async (t) => {
  const place = await openStorePlace(t, swift);
  const { id } = await place.seal(Buffer.from('one'));
  const found: string[] = [];
  for await (const one of place.store.list(id.slice(0, 2))) found.push(one.id);
  assert.deepEqual(found, [id]);
  await removeBlob(place.paths, id);
  await removeBlob(place.paths, id);
  assert.equal(await place.store.stat(id), null);
  await assert.rejects(
    place.read(id),
    (error: SpaceError) => error.code === 'damaged' && /missing/.test(error.message),
  );
  const wrong = await openStorePlace(t, swift, { secret: 'wrong' });
  await assert.rejects(
    wrong.store.probe(),
    (error: StoreError) => error.code === 'denied' && /blobSecretKey/.test(error.message),
  );
  await assert.rejects(wrong.seal(Buffer.from('x')), (error: SpaceError) => error.code === 'failed');
  assert.deepEqual(leftIn(wrong), []);
  await place.store.probe();
});

test('a reader reads on in a blob that is removed, and in one that gets a new header', options, async (t) => {
  const place = await openStorePlace(t, swift);
  const content = randomContent(3 * mebibyte);
  const { id } = await place.seal(content);
  const reader = await openBlob(place.paths, id, place.identity);
  await removeBlob(place.paths, id);
  assert.ok(content.subarray(2_000_000, 2_000_100).equals(await reader.read(2_000_000, 100)));
  await reader.close();
  assert.equal(await place.store.stat(id), null);
});

for (const size of [100_000, 3 * mebibyte])
  test(`a file of ${size} bytes gets a new header, which the new identity alone opens`, options, async (t) => {
    const place = await openStorePlace(t, swift);
    const content = randomContent(size);
    const { id } = await place.seal(content);
    const open = await openBlob(place.paths, id, place.identity);
    const identity = await generateX25519Identity();
    const recipient = await identityToRecipient(identity);
    const identities = `${place.identity}\n${identity}`;
    // Longer than the old one, so that every byte moves.
    const result = await rewrapBlob(place.paths, id, { identities, identity, recipient });
    assert.equal(result.kind, 'sealed');
    assert.equal((await place.store.stat(id))?.size, result.kind === 'sealed' && result.sealedSize);
    const reader = await openBlob(place.paths, id, identity);
    const pieces: Buffer[] = [];
    for await (const bytes of reader.stream()) pieces.push(bytes);
    await reader.close();
    assert.ok(content.equals(Buffer.concat(pieces)));
    await assert.rejects(openBlob(place.paths, id, place.identity), SpaceError);
    assert.ok(content.subarray(size - 50).equals(await open.read(size - 50, 50)), 'an open reader reads on');
    await open.close();
    const again = await rewrapBlob(place.paths, id, { identities, identity, recipient });
    assert.deepEqual([again.kind, again.kind === 'sealed' && again.isNew], ['sealed', false]);
  });

test('a small file whose answer is lost is there once; reads are repeated', options, async (t) => {
  const place = await openStorePlace(t, swift);
  await place.seal(Buffer.from('the first write of a process asks the store for its abilities'));
  const left = new Set(['PutObject', 'GetObject']);
  place.proxy.trouble = ({ action }) => (left.delete(action) ? 'lost' : 'pass');
  const { id } = await place.seal(Buffer.from('small'));
  assert.equal(String(await place.read(id)), 'small');
  assert.equal(left.size, 0);
});

for (const how of ['hang', 'trickle'] as const)
  test(`reads ${how}: they have so many places, and end with their reader`, options, async (t) => {
    const place = await openStorePlace(t, swift, { retrySeconds: 30 });
    const content = randomContent(3 * mebibyte);
    const { id } = await place.seal(content);
    const acme = placesOf(place.paths, 'acme');
    const leaving = new AbortController();
    setMaxListeners(0, leaving.signal);
    const open = () => openBlob(acme, id, place.identity, systemDisk, { signal: leaving.signal });
    const readers = await Promise.all(Array.from({ length: 13 }, open));
    place.proxy.trouble = ({ action }) => (action === 'GetObject' ? how : 'pass');
    const reads = readers.map((reader): Promise<unknown> => reader.read(0, 100));
    const told = [...reads, open()].map((one) => one.catch((error: Error) => error.message));
    await until(() => place.proxy.open.size === 12, 'the places of one organization');
    const asked = place.proxy.seen.length;
    leaving.abort();
    for (const message of await Promise.all(told)) assert.match(String(message), /its reader has left/);
    await until(() => place.proxy.open.size === 0, 'the end of all requests');
    assert.equal(place.proxy.seen.length, asked);
    place.proxy.trouble = null;
    assert.ok(content.equals(await place.read(id)));
    for (const reader of readers) await reader.close();
  });

test(
  'two rotations give a file headers of other lengths at once: one fails, and the file opens',
  options,
  async (t) => {
    const place = await openStorePlace(t, swift, { retrySeconds: 60 });
    const content = randomContent(100_000);
    const { id } = await place.seal(content);
    const identity = await generateHybridIdentity();
    const keys = {
      ...{ identities: `${identity}\n${place.identity}`, identity },
      recipient: await identityToRecipient(identity),
    };
    const onStep = async (step: string) => {
      if (step !== 'written') return;
      const other = await rewrapBlob(place.paths, id, keys);
      assert.deepEqual([other.kind, other.kind === 'sealed' && other.isNew], ['sealed', true]);
    };
    await assert.rejects(rewrapBlob(place.paths, id, keys, { onStep }), /another header/);
    const reader = await openBlob(place.paths, id, identity);
    assert.ok(content.equals(await reader.read(0, content.length)));
    await reader.close();
  },
);

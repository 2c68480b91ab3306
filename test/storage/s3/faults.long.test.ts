/** Failures of each request to a real object store, OpenStack Swift, by a proxy before it. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { createBlob, openBlob } from '../../../storage/blobs.js';
import type { BlobStore } from '../../../storage/blobstore.js';
import { rewrapBlob } from '../../../storage/rewrap.js';
import { SpaceError } from '../../../storage/types.js';
import { openStorePlace, type StorePlace } from '../../support/objectstore.js';
import { randomContent } from '../../support/sealing.js';
import { bucket, errorBody, missingSwift, type Passing, type Swift, startSwift } from '../../support/swift.js';

const mebibyte = 1024 ** 2;
const options = { skip: missingSwift };
const swift = missingSwift === false ? await startSwift({ after }) : (null as never as Swift);

const unfinishedIn = async (store: BlobStore) => {
  let count = 0;
  for await (const _ of store.listUnfinished()) count++;
  return count;
};
/** Such a request has begun its answer before it fails. */
const lateError = { status: 200, body: errorBody('InternalError') };
const leftIn = ({ paths }: StorePlace) => (existsSync(paths.partials) ? readdirSync(paths.partials) : []);

/** Every request that seals a file of 12 MiB: a failure of each passes, or nothing of the file is left. */
const actions = ['CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload', 'HeadObject'];
for (const trouble of [500, 503, 'cut', 'lost'] as const)
  test(`${trouble}: each request of a large file fails once, and the file is there once`, options, async (t) => {
    const place = await openStorePlace(t, swift);
    const content = randomContent(11 * mebibyte);
    const failed = new Set<string>();
    place.proxy.trouble = ({ action, url }: Passing) => {
      const request = `${action} ${/partNumber=\d+/.exec(url) ?? ''}`;
      if (!actions.includes(action) || failed.has(request)) return 'pass';
      failed.add(request);
      return trouble;
    };
    const { id } = await place.seal(content);
    assert.ok(failed.size >= 5, [...failed].join());
    // The store has begun one upload more than it has told of.
    const left: boolean[] = [];
    for await (const one of place.store.listUnfinished()) left.push(await place.store.hasParts(one));
    assert.deepEqual(left, trouble === 'lost' ? [false] : []);
    assert.ok(content.equals(await place.read(id)));
    const small = await place.seal(Buffer.from('small'));
    assert.equal(String(await place.read(small.id)), 'small');
  });

/** Of Amazon's 409 the object is not there; Swift never answers it. */
const finalAnswers = [
  { status: 409, name: 'ConditionalRequestConflict' },
  { status: 404, name: 'NoSuchUpload' },
];
for (const answer of finalAnswers)
  test(`${answer.name}: a file in parts is sent again from its start, a small one once more`, options, async (t) => {
    const place = await openStorePlace(t, swift);
    const content = randomContent(7 * mebibyte);
    const failing = new Set(['CompleteMultipartUpload', ...(answer.status === 409 ? ['PutObject'] : [])]);
    place.proxy.trouble = ({ action }) => (failing.delete(action) ? answer : 'pass');
    const { id } = await place.seal(content);
    const small = await place.seal(Buffer.from('small'));
    assert.equal(failing.size, 0);
    assert.ok(content.equals(await place.read(id)));
    assert.equal(String(await place.read(small.id)), 'small');
    const sent = (name: string) => place.proxy.seen.filter(({ action }) => action === name).length;
    assert.deepEqual([sent('CreateMultipartUpload'), sent('UploadPart'), sent('CompleteMultipartUpload')], [2, 4, 2]);
    assert.equal(await unfinishedIn(place.store), 0, 'the first upload was aborted');
    assert.deepEqual(leftIn(place), []);
  });

test('409 for good: the file is refused, and nothing of it is left', options, async (t) => {
  const place = await openStorePlace(t, swift, { retrySeconds: 1 });
  place.proxy.trouble = ({ action }) => (action === 'CompleteMultipartUpload' ? finalAnswers[0]! : 'pass');
  await assert.rejects(place.seal(randomContent(6 * mebibyte)), (error: SpaceError) => error.code === 'failed');
  assert.equal(place.proxy.seen.filter(({ action }) => action === 'CompleteMultipartUpload').length, 3);
  assert.equal(await unfinishedIn(place.store), 0);
  assert.deepEqual(leftIn(place), []);
});

for (const failing of [...actions, 'PutObject'])
  test(`${failing} fails for good: the file is refused, and nothing of it is left`, options, async (t) => {
    const place = await openStorePlace(t, swift, { retrySeconds: 1 });
    const first = await place.seal(Buffer.from('the first write of a process asks the store for its abilities'));
    await place.store.remove(first.id);
    place.proxy.trouble = ({ action }) => (action === failing ? 500 : 'pass');
    const size = failing === 'PutObject' ? 10 : 6 * mebibyte;
    await assert.rejects(place.seal(randomContent(size)), (error: SpaceError) => error.code === 'failed');
    place.proxy.trouble = null;
    assert.equal(await unfinishedIn(place.store), 0);
    const { Contents = [] } = await swift.client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: `${place.prefix}/` }),
    );
    assert.deepEqual(Contents, []);
    assert.deepEqual(leftIn(place), []);
    const { id } = await place.seal(Buffer.from('the next one'));
    assert.equal(String(await place.read(id)), 'the next one');
  });

for (const size of [17 * mebibyte])
  test(`a file of ${size} bytes gets a new header, which the new identity alone opens`, options, async (t) => {
    const place = await openStorePlace(t, swift);
    const content = randomContent(size);
    const { id } = await place.seal(content);
    const open = await openBlob(place.paths, id, place.identity);
    const identity = await generateX25519Identity();
    const recipient = await identityToRecipient(identity);
    const identities = `${place.identity}\n${identity}`;
    const failing = new Set(['UploadPartCopy']);
    place.proxy.trouble = ({ action }) => (failing.delete(action) ? lateError : 'pass');
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
    assert.equal(failing.size, 0, 'the store copies the payload');
    const again = await rewrapBlob(place.paths, id, { identities, identity, recipient });
    assert.deepEqual([again.kind, again.kind === 'sealed' && again.isNew], ['sealed', false]);
  });

test('while the store is away parts wait on the local disk, and follow when it is back', options, async (t) => {
  const place = await openStorePlace(t, swift, { retrySeconds: 10 });
  await place.proxy.stop();
  const content = randomContent(7 * mebibyte);
  const writer = await createBlob(place.paths, place.recipient);
  await writer.write(content);
  const finished = writer.finish();
  await place.proxy.start();
  const { id } = await finished;
  assert.ok(content.equals(await place.read(id)));
});

test('a file of a backup is added, small or large', options, async (t) => {
  const place = await openStorePlace(t, swift);
  for (const size of [10, 6 * mebibyte]) {
    const content = randomContent(size);
    const { id } = await place.seal(content);
    const Key = `${place.prefix}/${id.slice(0, 2)}/${id}`;
    const object = await swift.client.send(new GetObjectCommand({ Bucket: bucket, Key }));
    const file = join(place.paths.data, id);
    writeFileSync(file, await object.Body!.transformToByteArray());
    await place.store.remove(id);
    await place.store.add(id, file);
    assert.ok(content.equals(await place.read(id)));
  }
});

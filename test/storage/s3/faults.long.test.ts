/** Failures of each request to a real object store, OpenStack Swift, by a proxy before it. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { BlobStore } from '../../../storage/blobstore.js';
import type { SpaceError } from '../../../storage/types.js';
import { openStorePlace, type StorePlace } from '../../support/objectstore.js';
import { randomContent } from '../../support/sealing.js';
import { bucket, missingSwift, type Passing, type Swift, startSwift } from '../../support/swift.js';

const mebibyte = 1024 ** 2;
const options = { skip: missingSwift };
const swift = missingSwift === false ? await startSwift({ after }) : (null as never as Swift);

const unfinishedIn = async (store: BlobStore) => {
  let count = 0;
  for await (const _ of store.listUnfinished()) count++;
  return count;
};
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
    assert.ok(content.equals(await place.read(id)));
    const small = await place.seal(Buffer.from('small'));
    assert.equal(String(await place.read(small.id)), 'small');
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

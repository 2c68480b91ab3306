/** Answers that Swift does not give: a proxy before it gives them. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { StoreError } from '../../../storage/blobstore.js';
import { AccessKeys } from '../../../storage/s3/accesskeys.js';
import { openStorePlace, type StorePlace } from '../../support/objectstore.js';
import { randomContent } from '../../support/sealing.js';
import {
  accessKey,
  bucket,
  errorBody,
  missingSwift,
  type Passing,
  type Swift,
  startSwift,
  type Trouble,
} from '../../support/swift.js';

const options = { skip: missingSwift };
const limits = { min_segment_size: 1 };
const swift = missingSwift === false ? await startSwift({ after }, limits) : (null as never as Swift);

const partBytes = 128 * 1024;
const openPlace = (...[t, change = {}]: [Parameters<typeof openStorePlace>[0], { retrySeconds?: number }?]) =>
  openStorePlace(t, swift, { retrySeconds: 60, partBytes, ...change });
const sent = ({ proxy }: StorePlace, name: string) => proxy.seen.filter(({ action }) => action === name);
const unfinishedIn = async ({ store }: StorePlace) => {
  let count = 0;
  for await (const _ of store.listUnfinished()) count++;
  return count;
};

/** Each is given so often to each of the requests, and then the store's own. */
const passing: [told: string, actions: string[], answer: Trouble, times: number][] = [
  ['an error after a 200', ['CompleteMultipartUpload'], { status: 200, body: errorBody('InternalError') }, 2],
  [
    'SlowDown for a while',
    ['PutObject', 'CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload', 'HeadObject', 'GetObject'],
    { status: 503, name: 'SlowDown' },
    3,
  ],
  ['a token that has expired', ['PutObject', 'UploadPart', 'GetObject'], { status: 400, name: 'ExpiredToken' }, 2],
  ['a clock that differs', ['PutObject', 'UploadPart', 'GetObject'], { status: 403, name: 'RequestTimeTooSkewed' }, 2],
];
for (const [told, actions, answer, times] of passing)
  test(`${told}: the request is repeated, and the file is there once`, options, async (t) => {
    const place = await openPlace(t);
    const left = new Map(actions.map((action) => [action, times]));
    place.proxy.trouble = ({ action }) => {
      const rest = left.get(action) ?? 0;
      left.set(action, rest - 1);
      return rest > 0 ? answer : 'pass';
    };
    const content = randomContent(2 * partBytes);
    const { id } = await place.seal(content);
    const small = await place.seal(Buffer.from('small'));
    assert.ok(content.equals(await place.read(id)));
    assert.equal(String(await place.read(small.id)), 'small');
    for (const action of actions) assert.ok(left.get(action)! <= 0, action);
    assert.equal(await unfinishedIn(place), 0);
  });

test('a HEAD without a body: why it is refused is asked by another request', options, async (t) => {
  const place = await openPlace(t);
  const { id, sealedSize } = await place.seal(Buffer.from('x'));
  // The store does not take the token again before it has answered so often.
  let left = 4;
  place.proxy.trouble = () => (left-- > 0 ? { status: 400, name: 'ExpiredToken' } : 'pass');
  assert.equal((await place.store.stat(id))?.size, sealedSize);
  assert.ok(left < 0);
});

test('a clock that jumps by an hour stops no request: the client goes by that of the store', options, async (t) => {
  const place = await openPlace(t);
  const { id, sealedSize } = await place.seal(Buffer.from('x'));
  const { now } = Date;
  t.mock.timers.enable({ apis: ['Date'], now: now() + 3_600_000 });
  assert.equal((await place.store.stat(id))?.size, sealedSize);
  const statuses = sent(place, 'HeadObject').map(({ status }) => status);
  assert.deepEqual(statuses.slice(-2), [403, 200], 'Swift has refused the first one');
});

/** Final ones, and the advice for the operator; `HeadObject` has no body that says which. */
const final: [answer: { status: number; name: string }, code: string, advice: RegExp][] = [
  [{ status: 301, name: 'PermanentRedirect' }, 'unusable', /another region: correct the setting blobRegion/],
  [{ status: 307, name: 'TemporaryRedirect' }, 'unusable', /another region: correct the setting blobRegion/],
  [{ status: 403, name: 'InvalidAccessKeyId' }, 'denied', /InvalidAccessKeyId.*check blobAccessKey/],
  [{ status: 403, name: 'AccessDenied' }, 'denied', /AccessDenied.*check blobAccessKey/],
];
for (const [answer, code, advice] of final)
  test(`${answer.name}: the operator reads it, also where the answer has no body`, options, async (t) => {
    const place = await openPlace(t);
    const { id } = await place.seal(Buffer.from('x'));
    place.proxy.trouble = () => answer;
    const isTold = (error: StoreError) => error.code === code && advice.test(error.message);
    await assert.rejects(place.store.stat(id), isTold);
    await assert.rejects(place.store.probe(), isTold);
    await assert.rejects(place.store.open(id), isTold);
  });

for (const [told, honors] of [
  ['takes', true],
  ['ignores', false],
] as const)
  test(
    `a store that ${told} conditions of a small file is noticed, and nothing is left of the question`,
    options,
    async (t) => {
      const place = await openPlace(t);
      place.proxy.trouble = async ({ action, headers, url, take }: Passing) => {
        if (action !== 'PutObject' || headers['if-none-match'] === undefined) return 'pass';
        const object = { Bucket: bucket, Key: decodeURIComponent(url.split('?')[0]!.slice(bucket.length + 2)) };
        const isThere = await swift.client.send(new HeadObjectCommand(object)).catch(() => null);
        const Body = await take();
        if (honors && isThere !== null) return { status: 412, name: 'PreconditionFailed' };
        const { ETag } = await swift.client.send(new PutObjectCommand({ ...object, Body }));
        return { status: 200, body: '', headers: { etag: ETag! } };
      };
      const { id } = await place.seal(Buffer.from('small'));
      assert.equal(String(await place.read(id)), 'small');
      const put = sent(place, 'PutObject').find(({ url }) => url.includes(id))!;
      assert.equal(put.headers['if-none-match'], honors ? '*' : undefined);
      const looks = place.proxy.seen.filter(({ action, url }) => action === 'HeadObject' && url.includes(id));
      assert.equal(looks.length, honors ? 1 : 2, 'without conditions it looks before it writes');
      const probes = (name: string) => sent(place, name).filter(({ url }) => url.includes('/probe/'));
      assert.deepEqual([probes('PutObject').length, probes('DeleteObject').length], [2, 1]);
    },
  );

test(
  'an upload whose parts were sent again, and which the store did not abort, is aborted at the end',
  options,
  async (t) => {
    const place = await openPlace(t);
    const failing = new Map<string, Trouble>([
      ['CompleteMultipartUpload', { status: 404, name: 'NoSuchUpload' }],
      ['AbortMultipartUpload', 500],
    ]);
    place.proxy.trouble = ({ action }) => {
      const trouble = failing.get(action) ?? 'pass';
      failing.delete(action);
      return trouble;
    };
    const content = randomContent(3 * partBytes);
    const { id } = await place.seal(content);
    assert.equal(failing.size, 0);
    assert.equal(sent(place, 'CreateMultipartUpload').length, 2);
    assert.ok(content.equals(await place.read(id)));
    assert.equal(await unfinishedIn(place), 0);
  },
);

test('key files that are replaced in the middle of a file: it goes on with the new key', options, async (t) => {
  const place = await openPlace(t, { retrySeconds: 5 });
  const second = 'test:second';
  let isReplaced = false;
  place.proxy.trouble = ({ url, headers }) => {
    if (!isReplaced && url.includes('partNumber=2')) {
      isReplaced = true;
      writeFileSync(place.keyFiles.id, `${second}\n`);
    }
    const isOld = headers.authorization?.includes(`Credential=${accessKey.accessKeyId}/`);
    return isReplaced && isOld ? { status: 403, name: 'InvalidAccessKeyId' } : 'pass';
  };
  const content = randomContent(5 * partBytes);
  const { id } = await place.seal(content);
  assert.ok(isReplaced);
  assert.ok(content.equals(await place.read(id)));
  assert.ok(place.proxy.seen.at(-1)!.headers.authorization?.includes(`Credential=${second}/`));
});

test('key files are read every five minutes, and when the store refuses the last key', async () => {
  const clock = { now: 0 };
  const files = { accessKeyId: 'one', secretAccessKey: 'x' };
  let reads = 0;
  const keys = new AccessKeys(
    async () => {
      reads++;
      return { ...files };
    },
    () => clock.now,
  );
  const used = await keys.current();
  clock.now = 5 * 60_000 - 1;
  assert.equal(await keys.current(), used);
  assert.equal(await keys.hasOther(used), false);
  files.secretAccessKey = 'y';
  assert.equal(reads, 2);
  const refused = keys.last!;
  assert.equal(await keys.hasOther(refused), true);
  assert.equal(await keys.hasOther(refused), true, 'for another request that was refused at the same time');
  assert.equal(reads, 3);
  assert.equal((await keys.current()).secretAccessKey, 'y');
  clock.now += 5 * 60_000;
  await keys.current();
  assert.equal(reads, 4);
});

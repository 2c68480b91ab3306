/** The object store by its settings, and the sentences about one that can't be used; no server is needed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '../../../config/load.js';
import { settingsSchema } from '../../../config/settings.js';
import { StoreError } from '../../../storage/blobstore.js';
import { classify } from '../../../storage/s3/fault.js';
import { Lanes } from '../../../storage/s3/lanes.js';
import { openStore } from '../../../storage/s3/openstore.js';

const parse = (blobs: string) => settingsSchema.safeParse({ blobs });

test('a folder is no store; a bucket needs the client, and says how to install it', () => {
  assert.equal(openStore(parse('folder').data!), undefined);
  const store = openStore(parse('s3://acme-files/prod/dropslot/').data!);
  assert.equal(store?.name, 's3://acme-files/prod/dropslot/');
  assert.throws(
    () => openStore(parse('s3://acme-files').data!, () => false),
    (error: StoreError) => error.code === 'unusable' && /npm install @aws-sdk\/client-s3@3/.test(error.message),
  );
});

test('names of buckets and prefixes are checked, and the two keys belong together', () => {
  for (const good of ['s3://abc', 's3://a.b-c9/x', 's3://abc/x/y_z/']) assert.ok(parse(good).success, good);
  for (const bad of ['s3://', 's3://ab', 's3://ABC', 's3://abc/a b', 's3://abc//x', 'abc', 's3:abc', 'https://abc'])
    assert.ok(!parse(bad).success, bad);
  assert.throws(() => loadSettings({ env: {}, overrides: { blobAccessKey: '/a' } }), /belong together/);
});

const answers: [error: object, code: string, isPassing: boolean][] = [
  [{ name: 'NoSuchKey', $metadata: { httpStatusCode: 404 } }, 'ENOENT', false],
  [{ name: 'NoSuchBucket', $metadata: { httpStatusCode: 404 } }, 'unusable', false],
  [{ name: 'NoSuchUpload', $metadata: { httpStatusCode: 404 } }, 'unusable', false],
  [{ name: 'AccessDenied', $metadata: { httpStatusCode: 403 } }, 'denied', false],
  [{ name: 'RequestTimeTooSkewed', $metadata: { httpStatusCode: 403 } }, 'unavailable', true],
  [{ name: 'CredentialsProviderError', message: 'none' }, 'denied', false],
  [{ name: 'SlowDown', $metadata: { httpStatusCode: 503 } }, 'unavailable', true],
  [{ name: 'InternalError', $metadata: { httpStatusCode: 500 } }, 'unavailable', true],
  [{ name: 'NotImplemented', $metadata: { httpStatusCode: 501 } }, 'unsupported', false],
  [{ name: 'PreconditionFailed', $metadata: { httpStatusCode: 412 } }, 'changed', false],
  [{ name: 'Error', code: 'ECONNREFUSED', message: 'refused' }, 'unavailable', true],
  [new TypeError('undefined is no function'), 'unusable', false],
  [new StoreError('denied', 'no key'), 'denied', false],
];
test('each failure is classified', () => {
  for (const [error, code, isPassing] of answers)
    assert.deepEqual({ ...classify(error), reason: '' }, { code, isPassing, reason: '' }, JSON.stringify(error));
});

test('lanes bound the work, keep its order, and go on after a failure', async () => {
  const lanes = new Lanes(2);
  let [running, most] = [0, 0];
  const begun: number[] = [];
  const works = Array.from({ length: 6 }, (_, at) =>
    lanes.run(async () => {
      begun.push(at);
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      if (at === 1) throw new Error('one fails');
    }),
  );
  const outcomes = await Promise.allSettled(works);
  assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 1);
  assert.deepEqual([most, begun], [2, [0, 1, 2, 3, 4, 5]]);
});

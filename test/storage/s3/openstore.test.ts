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
  [{ name: 'ConditionalRequestConflict', $metadata: { httpStatusCode: 409 } }, 'unavailable', true],
  [{ name: 'SlowDown', $metadata: { httpStatusCode: 503 } }, 'unavailable', true],
  [{ name: 'InternalError', $metadata: { httpStatusCode: 500 } }, 'unavailable', true],
  [{ name: 'NotImplemented', $metadata: { httpStatusCode: 501 } }, 'unsupported', false],
  [{ name: 'PreconditionFailed', $metadata: { httpStatusCode: 412 } }, 'changed', false],
  [{ name: 'Error', code: 'ECONNREFUSED', message: 'refused' }, 'unavailable', true],
  [new TypeError('undefined is no function'), 'unusable', false],
  [new StoreError('denied', 'no key'), 'denied', false],
];
test('each failure is classified', () => {
  for (const [error, code, isPassing] of answers) {
    const fault = classify(error);
    assert.deepEqual([fault.code, fault.isPassing], [code, isPassing], JSON.stringify(error));
  }
});

test('lanes bound the work, keep its order, and go on after a failure', async () => {
  const lanes = new Lanes({ count: 2, patienceMs: 1000, isOutage: () => true });
  let [running, most] = [0, 0];
  const begun: number[] = [];
  const works = Array.from({ length: 6 }, (_, at) =>
    lanes.run('acme', async () => {
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

/** Lanes whose work ends when the test says so. */
function openLanes(count: number) {
  const clock = { now: 0 };
  const isOutage = (error: unknown) => (error as Error).message !== 'its own';
  const lanes = new Lanes({ count, patienceMs: 1000, isOutage, now: () => clock.now });
  const running: { name: string; end: (error?: Error) => void }[] = [];
  const outcomes: string[] = [];
  const add = (name: string, signal?: AbortSignal) => {
    const work = () =>
      new Promise<void>((resolve, reject) => {
        const end = (error?: Error) => (error === undefined ? resolve() : reject(error));
        running.push({ name, end });
      });
    void lanes.run(name[0]!, work, signal).then(
      () => outcomes.push(`${name} sent`),
      ({ message }) => outcomes.push(`${name} ${message}`),
    );
  };
  const settle = () => new Promise(setImmediate);
  const names = () => running.map(({ name }) => name).join(' ');
  const end = async (name: string, error?: Error) => {
    running
      .splice(
        running.findIndex((one) => one.name === name),
        1,
      )[0]!
      .end(error);
    await settle();
  };
  return { clock, add, settle, names, end, outcomes };
}

test('one organization never has all lanes, and the one that has the fewest is next', async () => {
  const { add, settle, names, end } = openLanes(4);
  for (const at of [1, 2, 3, 4, 5]) add(`a${at}`);
  await settle();
  assert.equal(names(), 'a1 a2 a3');
  for (const name of ['b1', 'b2', 'c1']) add(name);
  await settle();
  assert.equal(names(), 'a1 a2 a3 b1');
  await end('a1');
  assert.equal(names(), 'a2 a3 b1 c1');
  await end('a2');
  assert.equal(names(), 'a3 b1 c1 a4', 'a had its last turn before b');
  await end('c1');
  assert.equal(names(), 'a3 b1 a4 b2');
});

test('those that have waited too long fail with one of the same organization', async () => {
  const { clock, add, settle, end, outcomes, names } = openLanes(2);
  for (const name of ['a1', 'b1', 'a2', 'a3', 'b2']) add(name);
  await settle();
  assert.equal(names(), 'a1 b1');
  clock.now = 999;
  add('a4');
  clock.now = 1000;
  await end('a1', new Error('hangs'));
  assert.deepEqual(outcomes, ['a1 hangs', 'a2 hangs', 'a3 hangs']);
  assert.equal(names(), 'b1 a4', 'one that has not waited for so long, and those of others, are not told');
});

test('those that wait go on while others of their organization are sent', async () => {
  const { clock, add, settle, end, outcomes } = openLanes(3);
  for (const at of [1, 2, 3, 4, 5, 6]) add(`a${at}`);
  await settle();
  clock.now = 500;
  await end('a1');
  clock.now = 4000;
  await end('a2', new Error('fails'));
  assert.deepEqual(outcomes, ['a1 sent', 'a2 fails']);
});

test('an error of one file, or while others of its organization are under way, fails none that wait', async () => {
  const { clock, add, settle, end, outcomes } = openLanes(4);
  for (const at of [1, 2, 3, 4, 5, 6, 7]) add(`a${at}`);
  await settle();
  clock.now = 5000;
  await end('a1', new Error('its own'));
  await end('a2', new Error('hangs'));
  await end('a3', new Error('hangs'));
  assert.deepEqual(outcomes, ['a1 its own', 'a2 hangs', 'a3 hangs']);
  await end('a4', new Error('hangs'));
  assert.deepEqual(
    outcomes.slice(3).sort(),
    ['a4 hangs', 'a7 hangs'],
    'all that it had have failed; a5 and a6 have begun',
  );
});

test('one that leaves while it waits takes no place, and nothing of it is left', async () => {
  const { add, settle, end, outcomes, names } = openLanes(2);
  const left = new AbortController();
  for (const name of ['a1', 'a2']) add(name);
  add('a3', left.signal);
  add('b1', left.signal);
  add('a4');
  await settle();
  left.abort(new Error('left'));
  await settle();
  assert.deepEqual(outcomes, ['a3 left', 'b1 left']);
  add('a5', left.signal);
  await settle();
  assert.deepEqual(outcomes, ['a3 left', 'b1 left', 'a5 left']);
  await end('a1');
  assert.equal(names(), 'a2 a4');
});

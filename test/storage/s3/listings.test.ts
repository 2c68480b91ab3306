/** Listings of a real object store, OpenStack Swift, whose pages are short. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { CreateMultipartUploadCommand, PutObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import { adoptControl } from '../../../db/control/pair.js';
import type { StoreError } from '../../../storage/blobstore.js';
import { sweepOrphans } from '../../../storage/orphans.js';
import { claimStore } from '../../../storage/storeclaim.js';
import { onBothDatabases } from '../../support/databases.js';
import { openIntake, replacing } from '../../support/intake.js';
import { openStorePlace, type StorePlace } from '../../support/objectstore.js';
import { randomContent } from '../../support/sealing.js';
import { bucket, missingSwift, type Swift, startSwift } from '../../support/swift.js';

const options = { skip: missingSwift };
const limits = { max_bucket_listing: 3, max_parts_listing: 3, min_segment_size: 1 };
const swift = missingSwift === false ? await startSwift({ after }, limits) : (null as never as Swift);

const newId = () => randomBytes(16).toString('hex');
const keyOf = (place: StorePlace, id: string) => `${place.prefix}/${id.slice(0, 2)}/${id}`;
const put = (Key: string) => swift.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' }));
const idsIn = async ({ store }: StorePlace) => {
  const ids: string[] = [];
  for await (const { id } of store.list()) ids.push(id);
  return ids;
};
/** Begins an upload in parts of that blob, outside of Dropslot. */
const beginUpload = async (place: StorePlace, id: string, parts: number) => {
  const object = { Bucket: bucket, Key: keyOf(place, id) };
  const { UploadId } = await swift.client.send(new CreateMultipartUploadCommand(object));
  for (let PartNumber = 1; PartNumber <= parts; PartNumber++)
    await swift.client.send(new UploadPartCommand({ ...object, UploadId, PartNumber, Body: 'part' }));
  return UploadId!;
};
const unfinishedIn = async ({ store }: StorePlace) => {
  const uploads: string[] = [];
  for await (const { upload } of store.listUnfinished()) uploads.push(upload);
  return uploads;
};

test('all pages are read, and only blobs are listed', options, async (t) => {
  const place = await openStorePlace(t, swift, { retrySeconds: 60 });
  const ids = Array.from({ length: 8 }, newId);
  for (const id of ids) await put(keyOf(place, id));
  for (const stray of [`probe/${newId()}`, newId(), `00/${newId()}x`, 'installation'])
    await put(`${place.prefix}/${stray}`);
  assert.deepEqual(await idsIn(place), ids.sort());
  assert.ok(place.proxy.seen.length >= 4, 'of three keys each');
  const id = newId();
  await beginUpload(place, id, 7);
  assert.equal(await place.store.measureUnfinished(id), 28);
});

test(
  'an upload that was begun twice, as after a lost answer, has the parts of the one that was used',
  options,
  async (t) => {
    const place = await openStorePlace(t, swift, { retrySeconds: 60 });
    const id = newId();
    await beginUpload(place, id, 0);
    await beginUpload(place, id, 5);
    await beginUpload(place, id, 0);
    assert.equal(await place.store.measureUnfinished(id), 20);
    await beginUpload(place, id, 0);
    assert.equal(await place.store.completeUnfinished(id), true);
    assert.deepEqual(await idsIn(place), [id]);
  },
);

test('a page that does not say where the next one begins is an error, and no end', options, async (t) => {
  const place = await openStorePlace(t, swift, { retrySeconds: 1 });
  const body = '<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>';
  place.proxy.trouble = ({ action }) => {
    assert.ok(place.proxy.seen.length < 10, 'it is asked again and again');
    return action === 'ListObjects' ? { status: 200, body } : 'pass';
  };
  const isTold = ({ code, message }: StoreError) => code === 'unusable' && /next one begins/.test(message);
  await assert.rejects(idsIn(place), isTold);
  const again = '<NextContinuationToken>same</NextContinuationToken></ListBucketResult>';
  place.proxy.trouble = () => {
    assert.ok(place.proxy.seen.length < 10, 'it is asked again and again');
    return { status: 200, body: body.replace('</ListBucketResult>', again) };
  };
  await assert.rejects(idsIn(place), isTold);
});

onBothDatabases('what dead processes leave in a store', (open) => {
  test('a probe does not make the store a foreign one, and the sweep removes it', options, async (t) => {
    const databases = await open(t);
    const place = await openStorePlace(t, swift, { retrySeconds: 60 });
    await adoptControl(databases.control.write, 'this-one');
    const probes = Array.from({ length: 4 }, () => `${place.prefix}/probe/${newId()}`);
    for (const key of probes) await put(key);
    await claimStore(place.store, databases.control);
    assert.equal(await place.store.readInstallation(), 'this-one');
    const readKept = async () => new Set<string>();
    const sweep = { control: databases.control, paths: place.paths, readKept };
    await sweepOrphans({ ...sweep, before: Date.now() - 3_600_000 });
    const removed = () => place.proxy.seen.filter(({ action, url }) => action === 'DeleteObject' && /probe/.test(url));
    const own = removed().length;
    await sweepOrphans({ ...sweep, before: Date.now() + 3_600_000 });
    assert.equal(removed().length, own + probes.length);
    assert.equal(await place.store.readInstallation(), 'this-one');
  });

  test('of a published file uploads without parts are aborted, and others stay', options, async (t) => {
    const databases = await open(t);
    const place = await openStorePlace(t, swift, { retrySeconds: 60, partBytes: 256 * 1024 });
    const { intake, get, control } = await openIntake(t, databases, { paths: place.paths });
    await adoptControl(control.write, 'this-one');
    const content = randomContent(400_000).toString('hex');
    const failing = new Set(['CreateMultipartUpload']);
    place.proxy.trouble = ({ action }) => (failing.delete(action) ? 'lost' : 'pass');
    const upload = await intake.begin('/users.csv', replacing);
    await upload.write(0, Buffer.from(content));
    await upload.finish();
    assert.equal(failing.size, 0);
    const [id] = await idsIn(place);
    assert.equal((await unfinishedIn(place)).length, 1, 'the upload whose first answer was lost');
    const withParts = await beginUpload(place, id!, 1);
    const later = Date.now() + 3 * 24 * 3_600_000;
    await sweepOrphans({ control, paths: place.paths, readKept: async () => new Set(), before: later });
    assert.deepEqual(await unfinishedIn(place), [withParts]);
    assert.equal(await get('/users.csv'), content);
  });
});

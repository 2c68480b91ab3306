/** Parts of large files, in a real object store, OpenStack Swift, that takes few of them. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { partBytesAfter } from '../../../storage/s3/shipment.js';
import { openStorePlace } from '../../support/objectstore.js';
import { randomContent } from '../../support/sealing.js';
import { missingSwift, type Swift, startSwift } from '../../support/swift.js';

const mebibyte = 1024 ** 2;
const mostParts = 150;
const options = { skip: missingSwift };
const limits = { max_upload_part_num: mostParts, min_segment_size: 1 };
const swift = missingSwift === false ? await startSwift({ after }, limits) : (null as never as Swift);

function sizesOf(partBytes: number, count: number): number[] {
  const sizes: number[] = [];
  for (let [sent, parts] = [0, 0]; parts < count; parts++) {
    sizes.push(partBytesAfter(sent, partBytes));
    sent += sizes.at(-1)!;
  }
  return sizes;
}

test('a thousand parts hold more than a tebibyte, the first ones are equal, and none is too large for a store', () => {
  for (const partBytes of [5 * mebibyte, 8 * mebibyte, 512 * mebibyte]) {
    const sizes = sizesOf(partBytes, 1000);
    assert.ok(sizes.reduce((sum, size) => sum + size) > 1024 ** 4);
    assert.deepEqual(new Set(sizes.slice(0, 101)), new Set([partBytes]));
    assert.ok(sizes.every((size) => size >= partBytes && size < 5 * 1024 ** 3));
  }
  assert.ok(sizesOf(5 * mebibyte, 10_000).reduce((sum, size) => sum + size) > 5 * 1024 ** 4, 'the most of Amazon');
});

test('a file of more parts than the store takes is sent in larger ones', options, async (t) => {
  const partBytes = 16 * 1024;
  const place = await openStorePlace(t, swift, { retrySeconds: 60, partBytes });
  const content = randomContent(2_500_000);
  assert.ok(content.length > mostParts * partBytes);
  const lost = new Set(['partNumber=120', 'partNumber=130']);
  place.proxy.trouble = ({ url }) => (lost.delete(/partNumber=\d+/.exec(url)?.[0] ?? '') ? 'lost' : 'pass');
  const { id } = await place.seal(content);
  assert.equal(lost.size, 0);
  assert.ok(content.equals(await place.read(id)));
  const parts = place.proxy.seen.filter(({ action }) => action === 'UploadPart');
  const sizes = parts.map(({ headers }) => Number(headers['content-length']));
  assert.ok(parts.length <= mostParts, String(parts.length));
  assert.ok(Math.max(...sizes) > partBytes && Math.max(...sizes) < 3 * partBytes, String(Math.max(...sizes)));
});

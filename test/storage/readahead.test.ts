/** What readers read ahead: each organization has so much, and a reader that gets none reads the same bytes. */
import assert from 'node:assert/strict';
import { truncateSync } from 'node:fs';
import { test } from 'node:test';
import { blobPath, openBlob } from '../../storage/blobs.js';
import { chunkBytes } from '../../storage/chunk.js';
import { systemDisk } from '../../storage/disk.js';
import { ReadAhead } from '../../storage/readahead.js';
import { createStore, randomContent } from '../support/sealing.js';

const mebibyte = 1024 ** 2;

test('many open readers of one organization keep no more than its share, and those of another one have theirs', async (t) => {
  const store = await createStore(t);
  const content = randomContent(3 * mebibyte + 5);
  const { id } = await store.seal(content);
  const limits = { orgBytes: 5 * mebibyte, processBytes: 8 * mebibyte };
  const all = new ReadAhead(limits);
  const open = (org: string) => openBlob(store.paths, id, store.identity, systemDisk, { ahead: all.of(org) });
  const readers = await Promise.all(Array.from({ length: 100 }, () => open('acme')));
  // As a client of SFTP reads: one range after the other.
  const step = 100_000;
  for (let offset = 0; offset < content.length; offset += step)
    for (const reader of readers) {
      const bytes = await reader.read(offset, step);
      assert.ok(bytes.equals(content.subarray(offset, offset + step)), String(offset));
      assert.ok(all.heldBytes <= limits.orgBytes, String(all.heldBytes));
    }
  assert.ok(all.heldBytes > 4 * mebibyte);
  const other = await open('globex');
  const before = all.heldBytes;
  assert.ok((await other.read(0, step)).equals(content.subarray(0, step)));
  assert.ok(all.heldBytes >= before + mebibyte);
  for (const reader of [...readers, other]) await reader.close();
  assert.equal(all.heldBytes, 0);
});

test('readers at any offset, with too little memory for one of them, and after a file that does not open', async (t) => {
  const store = await createStore(t);
  const content = randomContent(20 * chunkBytes + 1);
  const { id } = await store.seal(content);
  const all = new ReadAhead({ orgBytes: 3 * chunkBytes, processBytes: 3 * chunkBytes });
  const reader = await openBlob(store.paths, id, store.identity, systemDisk, { ahead: all.of('acme') });
  for (const [offset, length] of [
    [0, 10],
    [10, 5 * chunkBytes],
    [7 * chunkBytes - 1, 2],
    [content.length - 1, 10],
    [3, 20 * chunkBytes],
  ] as const)
    assert.ok((await reader.read(offset, length)).equals(content.subarray(offset, offset + length)));
  await reader.close();
  const cut = await store.seal(content);
  truncateSync(blobPath(store.paths, cut.id), 300_000);
  const damaged = openBlob(store.paths, cut.id, store.identity, systemDisk, { ahead: all.of('acme') });
  await assert.rejects(damaged, { code: 'damaged' });
  assert.equal(all.heldBytes, 0);
});

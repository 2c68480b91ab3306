/** Uploads that were cut off, with an object store: every server resumes them, and a server that was taken for dead publishes none. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { pathsOf } from '../../config/paths.js';
import { renewPartial } from '../../db/control/partiallease.js';
import { listPartialIds } from '../../db/control/partials.js';
import { sweepOrphans } from '../../storage/orphans.js';
import { type Space, SpaceError } from '../../storage/types.js';
import { onBothDatabases } from '../support/databases.js';
import { keeping, openIntake, replacing } from '../support/intake.js';
import { openStorePlace } from '../support/objectstore.js';
import { randomContent } from '../support/sealing.js';
import { missingSwift, type Swift, startSwift } from '../support/swift.js';
import { temporaryFolder } from '../support/temporary.js';

const mebibyte = 1024 ** 2;
const options = { skip: missingSwift };
const swift = missingSwift === false ? await startSwift({ after }) : (null as never as Swift);

onBothDatabases('uploads that were cut off, in an object store', (open) => {
  /** Two servers with data folders of their own. */
  const openNodes = async (t: Parameters<typeof open>[0]) => {
    const databases = await open(t);
    const { store, proxy } = await openStorePlace(t, swift);
    const pathsFor = () => ({ ...pathsOf({ data: temporaryFolder(t), masterKey: undefined }), store });
    const place = await openIntake(t, databases, { paths: pathsFor() });
    const others = pathsFor();
    const second = place.secondServer({ paths: others });
    /** As if the server of every upload in progress had died a minute ago. */
    const die = () => place.control.write('partials').where({ state: 'open' }).update({ beat_at: 0 });
    return { ...place, store, proxy, second, others, die };
  };

  test('one whose connection ended is resumed on another server', options, async (t) => {
    const { intake, second, space, get, paths, control, store } = await openNodes(t);
    for (const size of [300_000, 7 * mebibyte]) {
      const content = randomContent(size).toString('hex').slice(0, size);
      const upload = await intake.begin('/users.csv', replacing);
      await upload.write(0, Buffer.from(content.slice(0, size - 1000)));
      await upload.abort();
      const { size: kept } = await space.stat('/users.csv');
      assert.equal(kept, size - 1001);
      assert.deepEqual(readdirSync(paths.partials), []);
      const reader = await space.openRead('/users.csv');
      assert.equal(String(await reader.read(kept - 10, 10)), content.slice(kept - 10, kept));
      await reader.close();
      const [id] = await listPartialIds(control.read);
      assert.notEqual(await store.stat(id!), null);
      const resumed = await second.begin('/users.csv', keeping);
      await resumed.write(kept, Buffer.from(content.slice(kept)));
      await resumed.finish();
      assert.equal(await get('/users.csv'), content);
      assert.deepEqual(await listPartialIds(control.read), []);
      assert.equal(await store.stat(id!), null, 'the partial is removed');
      await intake.remove('/users.csv');
    }
  });

  test(
    'parts that a dead server sent are resumed on another one, and it publishes nothing more',
    options,
    async (t) => {
      const { intake, second, space, get, control, die, store, proxy } = await openNodes(t);
      const content = randomContent(6 * mebibyte).toString('hex');
      const upload = await intake.begin('/users.csv', replacing);
      await upload.write(0, Buffer.from(content));
      for (let tries = 0; tries < 1000 && (await listPartialIds(control.read)).length === 0; tries++)
        await new Promise((resolve) => setTimeout(resolve, 10));
      const [id] = await listPartialIds(control.read);
      for (let tries = 0; tries < 1000 && (await store.measureUnfinished(id!)) < 10 * mebibyte; tries++)
        await new Promise((resolve) => setTimeout(resolve, 10));
      await assert.rejects(space.stat('/users.csv'), (error: SpaceError) => error.code === 'not_found');
      await die();
      await renewPartial(control.write, id!);
      await assert.rejects(space.stat('/users.csv'), SpaceError, 'a server that has renewed its lease lives');
      const kept = await dieAndMeasure({ die, space });
      assert.ok(kept >= 9.9 * mebibyte && kept < content.length, String(kept));
      // The server was only paused: what it closes now may be gone.
      await assert.rejects(upload.finish(), /another server has taken over/);
      const again = await intake.begin('/users.csv', replacing);
      await again.abort();
      proxy.trouble = null;
      const resumed = await second.begin('/users.csv', { ...keeping, truncate: true });
      await resumed.write(0, Buffer.from(content));
      const receipt = await resumed.finish();
      assert.equal(receipt.queued, true);
      assert.equal(await get('/users.csv'), content);
      const queued = await control.read('uploads').where({ state: 'queued' });
      assert.equal(queued.length, 1);
    },
  );

  test('of a dead server nothing is kept under a name that its sender has sent again since', options, async (t) => {
    const { intake, second, space, control, die, store, clock } = await openNodes(t);
    const upload = await intake.begin('/users.csv', replacing);
    await upload.write(0, randomContent(6 * mebibyte));
    for (let tries = 0; tries < 1000 && (await listPartialIds(control.read)).length === 0; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    const [id] = await listPartialIds(control.read);
    clock.now += 1000;
    const again = await second.begin('/users.csv', replacing);
    await again.write(0, Buffer.from('complete'));
    await again.finish();
    await die();
    assert.equal((await space.stat('/users.csv')).size, 8);
    await second.remove('/users.csv');
    await assert.rejects(space.stat('/users.csv'), (error: SpaceError) => error.code === 'not_found');
    assert.deepEqual(await listPartialIds(control.read), []);
    assert.equal(await store.measureUnfinished(id!), 0);
    await assert.rejects(upload.finish(), SpaceError);
  });

  test(
    'a dead server: the bytes of its parts are readable, and the rest is sent to another one',
    options,
    async (t) => {
      const { intake, second, space, get, control, die, store } = await openNodes(t);
      const content = randomContent(6 * mebibyte).toString('hex');
      const upload = await intake.begin('/users.csv', replacing);
      await upload.write(0, Buffer.from(content));
      for (let tries = 0; tries < 1000; tries++) {
        const [id] = await listPartialIds(control.read);
        if (id !== undefined && (await store.measureUnfinished(id)) >= 10 * mebibyte) break;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      const kept = await dieAndMeasure({ die, space });
      const resumed = await second.begin('/users.csv', keeping);
      await resumed.write(kept, Buffer.from(content.slice(kept)));
      await resumed.finish();
      assert.equal(await get('/users.csv'), content);
      await upload.abort();
      assert.equal(await get('/users.csv'), content);
      const names = await space.list('/', null, 10);
      assert.ok(names.some(({ name }) => name === 'users.csv'));
    },
  );

  test('the sweep keeps partials, and aborts uploads that no row names', options, async (t) => {
    const { intake, control, paths, store, put, get } = await openNodes(t);
    await put('/kept.csv', 'published');
    const upload = await intake.begin('/users.csv', replacing);
    await upload.write(0, randomContent(300_000));
    await upload.abort();
    const orphan = 'ab'.padEnd(32, '0');
    const spool = {
      file: {
        read: async (memory: Buffer, offset: number, length: number) => ({
          bytesRead: memory.fill(0, offset, offset + length) && length,
        }),
        writev: async (pieces: readonly Buffer[]) => ({
          bytesWritten: pieces.reduce((sum, one) => sum + one.length, 0),
        }),
        stat: async () => ({ size: 0 }),
        sync: async () => {},
        datasync: async () => {},
        close: async () => {},
      },
      remove: async () => {},
    };
    const left = store.begin(orphan, spool);
    await left.file.writev([Buffer.alloc(5 * mebibyte)]);
    await left.file.sync();
    assert.equal(await store.measureUnfinished(orphan), 5 * mebibyte);
    const day = 86_400_000;
    const sweep = (before: number) => sweepOrphans({ control, paths, readKept: async () => new Set(), before });
    assert.equal(await sweep(Date.now()), 0);
    assert.equal(await store.measureUnfinished(orphan), 5 * mebibyte, 'younger than a day');
    assert.equal(await sweep(Date.now() + 2 * day), 0, 'neither the file nor the partial');
    assert.equal(await store.measureUnfinished(orphan), 0);
    assert.equal(await get('/kept.csv'), 'published');
    const [id] = await listPartialIds(control.read);
    assert.notEqual(await store.stat(id!), null);
  });
});

/** Bytes that are left of an upload whose server is taken for dead, which may renew its lease in between. */
async function dieAndMeasure({
  die,
  space,
}: {
  die(): PromiseLike<unknown>;
  space: Pick<Space, 'stat'>;
}): Promise<number> {
  for (let tries = 0; ; tries++) {
    await die();
    try {
      return (await space.stat('/users.csv')).size;
    } catch (error) {
      if (tries === 20 || (error as SpaceError).code !== 'not_found') throw error;
    }
  }
}

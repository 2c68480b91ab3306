/**
 * A server that was taken for dead, and goes on: whatever it does with an upload that another server has taken over, the other one keeps
 * the bytes. And an upload whose record in the database had no answer: its published file keeps them.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { pathsOf } from '../../config/paths.js';
import type { Db } from '../../db/connection.js';
import { findPartial, listPartialIds } from '../../db/control/partials.js';
import type { Intake, Upload } from '../../intake/types.js';
import { removePartials } from '../../storage/partials.js';
import type { Space } from '../../storage/types.js';
import { onBothDatabases } from '../support/databases.js';
import { keeping, openIntake, replacing } from '../support/intake.js';
import { openStorePlace } from '../support/objectstore.js';
import { randomContent } from '../support/sealing.js';
import { missingSwift, type Swift, startSwift } from '../support/swift.js';
import { temporaryFolder } from '../support/temporary.js';

const mebibyte = 1024 ** 2;
const options = { skip: missingSwift };
const swift = missingSwift === false ? await startSwift({ after }) : (null as never as Swift);
const path = '/users.csv';

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 3000; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('it has not come true');
}

/** Until another server has the upload, whose lease its own may renew in between; the bytes that are kept. */
async function takenOver(silence: () => PromiseLike<unknown>, space: Pick<Space, 'stat'>): Promise<number> {
  let size = 0;
  await until(async () => {
    await silence();
    size = (await space.stat(path).catch(() => null))?.size ?? 0;
    return size > 0;
  });
  return size;
}

/** What the first server does with its upload once the other one has it. */
const deeds: Readonly<Record<string, (upload: Upload, intake: Intake) => Promise<unknown>>> = {
  closes: (upload) => assert.rejects(upload.finish(), { code: 'failed' }),
  'loses its client': (upload) => upload.abort(),
  pauses: (upload) => upload.pause(),
  'discards it': (upload) => upload.discard(),
  'fails, and closes': async (upload) => {
    await assert.rejects(upload.setSize(1e15));
    await assert.rejects(upload.finish(), { code: 'too_large' });
  },
  'seals it again, and closes': async (upload) => {
    await upload.write(0, Buffer.from('changed'));
    await assert.rejects(upload.finish(), /another server has taken over/);
  },
  'seals it again, writes on, and loses its client': async (upload) => {
    await upload.write(0, Buffer.from('changed'));
    await upload.write(upload.entry().size, Buffer.alloc(mebibyte));
    await upload.abort();
  },
  'renames it, writes on, and closes': async (upload, intake) => {
    await intake.rename(path, '/other.csv', true);
    await upload.write(upload.entry().size, Buffer.alloc(mebibyte));
    await assert.rejects(upload.finish(), { code: 'failed' });
  },
  'shares it with another writer, and both close': async (upload, intake) => {
    const other = await intake.begin(path, keeping);
    await other.write(10, Buffer.from('shared'));
    await upload.write(upload.entry().size, Buffer.from('more'));
    await assert.rejects(upload.finish(), /another server has taken over/);
    await other.abort();
  },
};

onBothDatabases('uploads that another server has taken over', (open) => {
  const openNodes = async (t: Parameters<typeof open>[0], wrap: (control: Db) => Db = (control) => control) => {
    const databases = await open(t);
    const { store, proxy } = await openStorePlace(t, swift);
    const pathsFor = () => ({ ...pathsOf({ data: temporaryFolder(t), masterKey: undefined }), store });
    const control = wrap(databases.control);
    const place = await openIntake(t, { ...databases, control }, { paths: pathsFor() });
    const second = place.secondServer({ paths: pathsFor(), control: databases.control });
    /** As if its server were silent for a minute. */
    const silence = () => place.control.write('partials').where({ state: 'open' }).update({ beat_at: 0 });
    const begin = async (content: string) => {
      const upload = await place.intake.begin(path, replacing);
      await upload.write(0, Buffer.from(content));
      return upload;
    };
    return { ...place, store, proxy, second, silence, begin };
  };

  for (const [deed, act] of Object.entries(deeds))
    for (const isOpened of [false, true])
      test(`the first one ${deed}; the bytes are ${isOpened ? '' : 'not yet '}an object`, options, async (t) => {
        const { begin, intake, second, space, get, control, store, silence } = await openNodes(t);
        const content = randomContent(2.6 * mebibyte).toString('hex');
        const upload = await begin(content);
        await until(async () => {
          const [id] = await listPartialIds(control.read);
          return id !== undefined && (await store.measureUnfinished(id)) >= 5 * mebibyte;
        });
        const kept = await takenOver(silence, space);
        assert.ok(kept > 4.9 * mebibyte);
        if (isOpened) await (await space.openRead(path)).close();
        await act(upload, intake);
        const partial = await findPartial(control.read, 'acme', path);
        assert.equal(partial?.size, kept);
        const resumed = await second.begin(path, keeping);
        await resumed.write(kept, Buffer.from(content.slice(kept)));
        await resumed.finish();
        assert.equal(await get(path), content);
        const queued = await control.read('uploads').where({ state: 'queued' });
        assert.equal(queued.length, 1);
      });

  const lost = () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  /** The first transaction that writes a partial gives no answer. */
  const losing = (when: 'before' | 'after') => (control: Db) => {
    let hasLost = false;
    const transact: Db['transact'] = async (work) => {
      const result = await control.transact(async (tx) => {
        const done = await work(tx);
        if (hasLost || (await tx('partials').first('id')) === undefined || when === 'after') return done;
        hasLost = true;
        throw lost();
      });
      if (!hasLost && when === 'after' && (await listPartialIds(control.read)).length > 0) {
        hasLost = true;
        throw lost();
      }
      return result;
    };
    return { ...control, transact };
  };

  for (const when of ['before', 'after'] as const)
    test(
      `the record of an upload had no answer (${when} the commit): its published file keeps its bytes`,
      options,
      async (t) => {
        const { begin, space, get, control, silence } = await openNodes(t, losing(when));
        const content = randomContent(mebibyte).toString('hex');
        const upload = await begin(content);
        await until(async () => (await listPartialIds(control.read)).length > 0);
        await silence();
        await upload.finish().catch(() => {});
        // Another server looks for uploads of servers that died.
        const found = await space.stat(path).catch(() => null);
        if (found === null) return assert.deepEqual(await control.read('uploads'), []);
        assert.equal(await get(path), content);
        await silence();
        await space.stat(path);
        assert.equal(await get(path), content);
      },
    );

  test('it had no answer, and another server took it over: what it closes then is refused', options, async (t) => {
    const { begin, second, space, get, control, silence, store } = await openNodes(t, losing('after'));
    const content = randomContent(2.6 * mebibyte).toString('hex');
    const upload = await begin(content);
    await until(async () => (await listPartialIds(control.read)).length > 0);
    const [id] = await listPartialIds(control.read);
    await until(async () => (await store.measureUnfinished(id!)) >= 5 * mebibyte);
    await takenOver(silence, space);
    await assert.rejects(upload.finish(), /another server has taken over/);
    const { size: kept } = await space.stat(path);
    const resumed = await second.begin(path, keeping);
    await resumed.write(kept, Buffer.from(content.slice(kept)));
    await resumed.finish();
    assert.equal(await get(path), content);
  });

  test('a partial of the same name as a published object is removed without the object', options, async (t) => {
    const { put, get, control, paths, store } = await openNodes(t);
    await put(path, 'User Email\n');
    const { blob_id: id } = await control.read('entries').where({ kind: 'file' }).first('blob_id');
    await removePartials({ control, paths }, [id]);
    assert.equal(await get(path), 'User Email\n');
    assert.notEqual(await store.stat(id), null);
  });

  test(
    'a server that died between the end of the object and its commit leaves an upload to resume',
    options,
    async (t) => {
      const { begin, space, control, silence, second, get, store } = await openNodes(t);
      const content = randomContent(2.6 * mebibyte).toString('hex');
      await begin(content);
      await until(async () => (await listPartialIds(control.read)).length > 0);
      const [id] = await listPartialIds(control.read);
      await until(async () => (await store.measureUnfinished(id!)) > 0);
      await store.completeUnfinished(id!);
      const kept = await takenOver(silence, space);
      assert.ok(kept > 4.9 * mebibyte);
      const resumed = await second.begin(path, keeping);
      await resumed.write(kept, Buffer.from(content.slice(kept)));
      await resumed.finish();
      assert.equal(await get(path), content);
    },
  );
});

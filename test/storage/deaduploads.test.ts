/** Remains of dead servers where the sealed files are in an object store: uploads in it, and files on the local disk. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { watchSpools } from '../../app/spoolwatch.js';
import { createSilentLogger } from '../../config/logger.js';
import { pathsOf } from '../../config/paths.js';
import { settingsSchema } from '../../config/settings.js';
import { insertOpenPartial, keepPartial, type NewPartial } from '../../db/control/partials.js';
import { loadOrCreatePartialKey } from '../../keys/master/partialkey.js';
import { createBlob } from '../../storage/blobs.js';
import { forgetProcess } from '../../storage/deadprocess.js';
import { openStore } from '../../storage/s3/openstore.js';
import { SpoolSweep } from '../../storage/spools.js';
import { openFresh } from '../support/databases.js';
import { openIntake } from '../support/intake.js';
import { until } from '../support/session.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

/** A store that takes no connection, or answers none. */
async function openAwayStore(t: TestContext, how: 'refuses' | 'hangs') {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on('error', () => {})));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  if (how === 'hangs') t.after(close);
  else close();
  const key = join(temporaryFolder(t), 'key');
  writeFileSync(key, 'key\n', { mode: 0o600 });
  const place = { blobs: 's3://away', blobEndpoint: `http://127.0.0.1:${port}`, blobRetrySeconds: 3 };
  const store = openStore(settingsSchema.parse({ ...place, blobAccessKey: key, blobSecretKey: key }))!;
  t.after(() => store.close());
  return store;
}

async function openAway(t: TestContext, how: 'refuses' | 'hangs' = 'refuses') {
  const databases = await openFresh(t, 'sqlite');
  const store = await openAwayStore(t, how);
  const paths = { ...pathsOf({ data: temporaryFolder(t), masterKey: undefined }), store };
  const place = await openIntake(t, databases, { paths });
  const { recipient: node } = await loadOrCreatePartialKey({ control: place.control, paths });
  const partial = (id: string, name: string): NewPartial => ({
    ...{ id, org: 'acme', dir: '/', name, basedOn: null, node, payloadKey: 'sealed', headerBytes: 200 },
    ...{ mode: 0o600, mtimeMs: 1, atimeMs: 1, updatedAt: 1, begunAt: 1, lastUpload: null, process: 'worker 1' },
  });
  return { ...place, paths, partial };
}

for (const how of ['refuses', 'hangs'] as const)
  test(`a store that ${how} ends no listing: uploads of dead servers are left out until it answers`, async (t) => {
    const { control, space, partial } = await openAway(t, how);
    for (const number of [1, 2, 3]) await insertOpenPartial(control.write, partial(`dead${number}`, `d${number}.csv`));
    await control.write('partials').update({ beat_at: 0 });
    await control.transact((tx) => keepPartial(tx, partial('kept', 'kept.csv'), 500));
    const shown = (await space.list('/', null, 100)).filter(({ kind }) => kind === 'file');
    assert.deepEqual(
      shown.map(({ name, size }) => [name, size]),
      [['kept.csv', 500]],
    );
    await assert.rejects(space.stat('/d1.csv'), { code: 'not_found' });
    await assert.rejects(space.openRead('/d1.csv'), { code: 'failed' });
    assert.equal((await control.read('partials').where({ state: 'open' })).length, 3);
  });

function fill(t: Scope) {
  const paths = { partials: join(temporaryFolder(t), 'partials') };
  mkdirSync(paths.partials);
  for (const name of ['dead', 'alive']) writeFileSync(join(paths.partials, name), 'sealed');
  return paths;
}

test('a local file that was not touched between two looks is of a dead process', async (t) => {
  const paths = fill(t);
  const sweep = new SpoolSweep(paths);
  assert.equal(await sweep.sweep(), 0);
  utimesSync(join(paths.partials, 'alive'), 1000, 1000);
  writeFileSync(join(paths.partials, 'new'), 'sealed');
  assert.equal(await sweep.sweep(), 1);
  assert.deepEqual(readdirSync(paths.partials).sort(), ['alive', 'new']);
});

test('a server looks for dead files again and again', async (t) => {
  const paths = fill(t);
  const watch = watchSpools({ paths } as Parameters<typeof watchSpools>[0], createSilentLogger(), 10);
  t.after(() => watch.stop());
  await until(() => readdirSync(paths.partials).length === 0, 'the removal');
  writeFileSync(join(paths.partials, 'later'), 'sealed');
  await until(() => readdirSync(paths.partials).length === 0, 'the removal of a later one');
});

test('a living process touches the file of an upload until its end', async (t) => {
  const { paths, org } = await openAway(t);
  t.mock.timers.enable({ apis: ['setInterval'] });
  const writer = await createBlob(paths, org.recipient);
  const path = join(paths.partials, writer.id);
  utimesSync(path, 1000, 1000);
  t.mock.timers.tick(6 * 60_000);
  await until(() => statSync(path).mtimeMs > 1_000_000, 'the touch');
  await writer.discard();
  t.mock.timers.reset(); // the timers of the database are real ones
  assert.ok(!existsSync(path));
});

test('of a worker that dies the local files are removed at once, and its uploads are left to whoever takes them over', async (t) => {
  const { control, paths, partial, settings } = await openAway(t);
  await insertOpenPartial(control.write, partial('dead', 'users.csv'));
  await insertOpenPartial(control.write, { ...partial('other', 'other.csv'), process: 'worker 2' });
  mkdirSync(paths.partials, { recursive: true });
  for (const name of ['dead', 'other']) writeFileSync(join(paths.partials, name), 'sealed');
  await forgetProcess({ control, paths, settings }, 'worker 1');
  assert.deepEqual(readdirSync(paths.partials), ['other']);
  assert.equal((await control.read('partials')).length, 2);
});

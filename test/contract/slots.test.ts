/** Slots that are opened while other transactions have rows of the same organizations. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Queryable } from '../../db/connection.js';
import { insertBlob } from '../../db/control/blobs.js';
import { insertOrg, lockOrg } from '../../db/control/orgs.js';
import { openSlotRuns, openUploadRun } from '../../db/control/slots.js';
import { insertUpload } from '../../db/control/uploads.js';
import { isLockAwaited, onBothDatabases, type TestDatabases } from '../support/databases.js';
import { sampleOrg } from '../support/samples.js';
import { until } from '../support/session.js';

const slot = { date: '2026-03-10', time: '02:00', at: 1_000 };

async function queueFile(tx: Queryable, org: string, path = '/users.csv'): Promise<void> {
  const id = `${org}${path}`;
  await insertBlob(tx, { id, org, size: 1, sealedSize: 1, sha256: '', sealedTo: null, createdAt: 0 });
  const sent = { keyFingerprint: null, address: null, client: null, begunAt: 0, closedAt: 0 };
  await insertUpload(tx, { org, path, blobId: id, state: 'queued', ...sent });
}

onBothDatabases('slots', (open, dialect) => {
  async function prepare({ control }: TestDatabases) {
    for (const id of ['acme', 'beech']) {
      await insertOrg(control.write, sampleOrg(id));
      await queueFile(control.write, id);
    }
    return control;
  }

  test('of many organizations have their runs, once', async (t) => {
    const { write } = await prepare(await open(t));
    assert.deepEqual([...(await openSlotRuns(write, ['acme', 'beech'], slot, 2_000)).keys()].sort(), ['acme', 'beech']);
    assert.equal((await openSlotRuns(write, ['acme', 'beech'], slot, 2_000)).size, 0);
  });

  // SQLite has one writer at a time.
  if (dialect === 'sqlite') return;

  test('wait for no transaction whose rows only refer to their organizations', async (t) => {
    const { write, transact } = await prepare(await open(t));
    await transact(async (tx) => {
      await queueFile(tx, 'beech', '/more.csv');
      assert.equal((await openSlotRuns(write, ['acme', 'beech'], slot, 2_000)).size, 2);
      await queueFile(tx, 'acme', '/more.csv');
    });
  });

  test('are opened though PostgreSQL ends their transaction to resolve a deadlock', async (t) => {
    const { read, write, transact } = await prepare(await open(t));
    let opening: ReturnType<typeof openSlotRuns> | undefined;
    await transact(async (tx) => {
      await lockOrg(tx, 'beech', true);
      opening ??= openSlotRuns(write, ['acme', 'beech'], slot, 2_000);
      await until(() => isLockAwaited(read), 'it waits for beech');
      await lockOrg(tx, 'acme', true);
    });
    assert.equal((await opening!).size, 2);
  });

  test('for new uploads are opened beside rows that only refer to the organization', async (t) => {
    const { write, transact } = await prepare(await open(t));
    await transact(async (tx) => {
      await queueFile(tx, 'acme', '/more.csv');
      assert.notEqual(await openUploadRun(write, 'acme', 2_000), null);
    });
  });
});

/** An object store belongs to one installation: another database never takes its files for orphans. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Db } from '../../db/connection.js';
import { insertBlob } from '../../db/control/blobs.js';
import { adoptControl } from '../../db/control/pair.js';
import type { BlobStore } from '../../storage/blobstore.js';
import { sweepOrphans } from '../../storage/orphans.js';
import { claimStore } from '../../storage/storeclaim.js';
import { onBothDatabases } from '../support/databases.js';
import { openIntake } from '../support/intake.js';

const [one, other] = ['0f'.repeat(16), 'f0'.repeat(16)];

/** A store with these files. */
function storeWith(ids: string[], installation: string | null = null) {
  const state = { ids: [...ids], installation };
  const store = {
    name: 's3://acme/x',
    readInstallation: async () => state.installation,
    writeInstallation: async (id: string) => {
      state.installation = id;
    },
    async *list(start = '') {
      for (const id of state.ids) if (id.startsWith(start)) yield { id, size: 1, mtimeMs: 0 };
    },
    async *listUnfinished() {},
    removeProbes: async () => {},
    remove: async (id: string) => {
      state.ids = state.ids.filter((each) => each !== id);
    },
  } as unknown as BlobStore;
  return { state, store };
}

onBothDatabases('the installation of a store', (open) => {
  const prepare = async (...[t]: Parameters<typeof open>) => {
    const place = await openIntake(t, await open(t));
    await adoptControl(place.control.write, 'this-one');
    const note = (id: string) => {
      const sizes = { size: 0, sealedSize: 0, sha256: '' };
      return insertBlob(place.control.write, { id, org: place.org.id, ...sizes, createdAt: 0 });
    };
    return { ...place, note };
  };
  const sweep = (control: Db, paths: Parameters<typeof sweepOrphans>[0]['paths']) =>
    sweepOrphans({ control, paths, readKept: async () => new Set(), before: 1 });

  test('an empty store, and one with a file that the database knows, are noted', async (t) => {
    const { control, note } = await prepare(t);
    const empty = storeWith([]);
    await claimStore(empty.store, control);
    assert.equal(empty.state.installation, 'this-one');
    await note(one);
    const used = storeWith([other, one]);
    await claimStore(used.store, control);
    assert.equal(used.state.installation, 'this-one');
    await claimStore(used.store, control);
  });

  test('a new database does not take the files of a store for its own, and no sweep removes them', async (t) => {
    const { control, paths } = await prepare(t);
    const used = storeWith([one]);
    await assert.rejects(claimStore(used.store, control), { code: 'foreign', message: /does not know/ });
    await assert.rejects(sweep(control, { ...paths, store: used.store }), { code: 'foreign' });
    assert.deepEqual(used.state, { ids: [one], installation: null });
  });

  test('the note of another installation counts, whatever the database knows', async (t) => {
    const { control, paths, note } = await prepare(t);
    await note(one);
    const used = storeWith([one, other], 'another-one');
    const refused = {
      code: 'foreign',
      message: /of another installation \(another-one, and this database is this-one\)/,
    };
    await assert.rejects(claimStore(used.store, control), refused);
    await assert.rejects(sweep(control, { ...paths, store: used.store }), { code: 'foreign' });
    assert.equal(used.state.ids.length, 2);
  });

  test('one that has removed all its files sweeps an orphan away', async (t) => {
    const { control, paths, note } = await prepare(t);
    await note(one);
    const used = storeWith([other]);
    assert.equal(await sweep(control, { ...paths, store: used.store }), 1);
    assert.deepEqual(used.state, { ids: [], installation: 'this-one' });
  });
});

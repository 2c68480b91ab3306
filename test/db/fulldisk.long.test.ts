/** The disk of the database server is full: what is refused is not there, the reason is named, and with room again it is over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsSchema } from '../../config/settings.js';
import { openControl } from '../../db/connection.js';
import { insertOrg } from '../../db/control/orgs.js';
import { describeDatabaseFailure, isOutcomeUnknown } from '../../db/error.js';
import { findWriteFault } from '../../db/postgres/writable.js';
import { classifyFailure } from '../../importer/run/failureclass.js';
import { statusOf } from '../../server/sftp/status.js';
import { lacksCluster, startCluster } from '../support/cluster.js';
import { sampleOrg } from '../support/samples.js';
import { lacksMounts, mountDisk } from '../support/smalldisk.js';
import { temporaryFolder } from '../support/temporary.js';

test('a full disk of the database server', { skip: lacksCluster || lacksMounts() }, async (t) => {
  const disk = mountDisk(160);
  const start = async () => {
    try {
      return await startCluster(t, ['checkpoint_timeout=1h'], 15, { parent: disk.folder });
    } finally {
      t.after(() => disk.remove());
    }
  };
  const cluster = await start();
  const control = await openControl(
    settingsSchema.parse({ data: temporaryFolder(t), database: cluster.url, databasePool: 2 }),
  );
  t.after(() => control.close());
  assert.equal(await findWriteFault(control.write), null);
  disk.fill();
  const added: string[] = [];
  let failure: Error | null = null;
  while (failure === null) {
    const id = `org${added.length}`;
    // Each one needs some of a page.
    const org = sampleOrg(id, { name: 'n'.repeat(1_500) });
    failure = await control
      .transact((tx) => insertOrg(tx, org))
      .then(
        () => {
          added.push(id);
          return null;
        },
        (error: Error) => error,
      );
  }
  assert.match(
    describeDatabaseFailure(failure) ?? String(failure),
    /^the database failed: .*No space left on device \(make room on the disk of the database server\)$/,
  );
  assert.equal(classifyFailure(failure), 'machine');
  assert.equal(isOutcomeUnknown(failure), false);
  assert.match(statusOf(failure).sentence, /short of disk space/);
  assert.match((await findWriteFault(control.write)) ?? 'none', /No space left on device/);
  const stored = async () => (await control.read('orgs').select('id')).map(({ id }) => id as string).sort();
  assert.deepEqual(await stored(), [...added].sort());
  disk.makeRoom();
  await control.transact((tx) => insertOrg(tx, sampleOrg('later')));
  assert.equal(await findWriteFault(control.write), null);
  assert.deepEqual(await stored(), [...added, 'later'].sort());
});

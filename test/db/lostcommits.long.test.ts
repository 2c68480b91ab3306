/** A fail-over to a standby that no commit waited for: some uploads are lost, the node that runs on says so, and all work again. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { settingsSchema } from '../../config/settings.js';
import { findEntry } from '../../db/control/entries.js';
import { findUpload, listQueue } from '../../db/control/uploads.js';
import { joinPair } from '../../db/pair.js';
import { acceptDatabases } from '../../operations/databases.js';
import { blobPath } from '../../storage/blobs.js';
import { sweepOrphans } from '../../storage/orphans.js';
import {
  askServer,
  followCluster,
  holdStandby,
  lacksVersion,
  promoteStandby,
  startCluster,
} from '../support/cluster.js';
import { Company, csv } from '../support/company.js';
import { openBoth } from '../support/databases.js';
import { until } from '../support/session.js';
import { temporaryFolder } from '../support/temporary.js';
import { examine, workplaceOn } from '../support/workplace.js';

/** A machine with other work is slow. */
const patienceMs = 300_000;

for (const version of [15, 18])
  test(`an asynchronous fail-over of PostgreSQL ${version} loses uploads: Dropslot counts them, and imports those that are sent again once`, {
    skip: lacksVersion(version),
  }, async (t) => {
    const primary = await startCluster(t, [], version);
    const standby = await followCluster(t, primary);
    const database = `postgres://postgres@127.0.0.1:${primary.port},127.0.0.1:${standby.port}/postgres`;
    const settings = settingsSchema.parse({ data: temporaryFolder(t), database, databasePool: 4 });
    const { control, directory } = await openBoth(t, settings);
    await joinPair({ control, directory });
    const acme = await Company.join({ settings, control, directory });
    const send = (name: string) => acme.drop(`/${name}.csv`, csv('User Email', `${name}@acme.test`));
    const blobOf = async (path: string) => {
      const { uploadId } = (await findEntry(control.read, 'acme', path))!;
      return blobPath(acme.deps.paths, (await findUpload(control.read, uploadId!))!.blobId);
    };
    await send('ann');
    await acme.import();
    await send('bob');
    const [end] = await askServer(primary.url, 'SELECT pg_current_wal_flush_lsn()::text AS lsn');
    const isReplayed = async () =>
      (await askServer(standby.url, `SELECT 1 WHERE pg_last_wal_replay_lsn() >= '${end!.lsn}'`)).length > 0;
    await until(isReplayed, 'the standby has the uploads so far', patienceMs);
    const lostBlobs: string[] = [];
    await holdStandby(standby, async (hold) => {
      for (const name of ['cy', 'dee']) {
        await send(name);
        lostBlobs.push(await blobOf(`/${name}.csv`));
      }
      assert.equal((await acme.import()).users.created, 3, 'the loss takes an import too, with its users');
      await primary.kill();
      hold.end();
    });
    await promoteStandby(standby);
    // The node runs on; as a client does, it repeats.
    const isAnswered = async () => {
      await send('eve');
      return true;
    };
    await until(() => isAnswered().catch(() => false), 'an upload is answered again', patienceMs);

    const { uploads, records } = control.mark!.lost!;
    assert.equal(uploads, 2);
    assert.ok(records >= 2);
    const queue = await listQueue(control.read, 'acme');
    assert.deepEqual(
      queue.map(({ path }) => path),
      ['/bob.csv', '/eve.csv'],
    );
    assert.ok(queue.at(-1)!.id > 4, 'no number of a lost upload is given out again');
    const later = () => Date.now() + 2 * 3_600_000;
    const findings = await examine(settings, { now: later, mayMend: async () => true });
    const loss = findings.filter(({ message }) =>
      /lost \d+ records .* up to 2 uploads that were acknowledged/.test(message),
    );
    assert.deepEqual(
      loss.map(({ level }) => level),
      ['wrong'],
    );
    const place = await workplaceOn(t, settings);
    assert.equal(await sweepOrphans({ ...place, readKept: async () => new Set(), before: later() }), 0);
    assert.deepEqual(
      lostBlobs.map((file) => existsSync(file)),
      [true, true],
      'neither a repair nor the clean-up removes them',
    );

    assert.equal(
      (await acme.import()).users.created,
      2,
      'imports are not refused: bob again, whose import was lost, and eve',
    );
    for (const name of ['cy', 'dee']) await send(name);
    assert.equal((await acme.import()).users.created, 2);
    const emails = Object.keys(await acme.users()).filter((email) => /^(ann|bob|cy|dee|eve)@/.test(email));
    assert.deepEqual(
      emails.sort(),
      ['ann', 'bob', 'cy', 'dee', 'eve'].map((name) => `${name}@acme.test`),
    );
    assert.equal((await directory.read('applied_uploads')).length, 5, 'each file is imported once');

    assert.equal((await acceptDatabases(place)).lostUploads, 2);
    const after = await examine(settings, { now: later, deep: true, mayMend: async () => true });
    assert.deepEqual(
      after.filter(({ check, level }) => ['databases', 'blobs'].includes(check) && level === 'wrong'),
      [],
    );
    assert.deepEqual(
      lostBlobs.map((file) => existsSync(file)),
      [false, false],
      'once the loss is accepted, "doctor --mend" removes them',
    );
  });

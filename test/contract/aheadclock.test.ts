/** Times that were written while the clock was ahead: once it is right again, nothing waits for them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lockEntry } from '../../db/control/entries.js';
import { findMoved, rememberMoved } from '../../db/control/movednames.js';
import type { Run } from '../../db/control/runs.js';
import { listUntold, listUntoldOrgs, noteTold } from '../../db/control/storedfiles.js';
import { findUpload } from '../../db/control/uploads.js';
import { addCounted, type Counted, readCounted } from '../../db/directory/guardcounts.js';
import { inScript } from '../../db/script.js';
import { isApproved } from '../../importer/run/approval.js';
import { onBothDatabases } from '../support/databases.js';
import { openIntake } from '../support/intake.js';

const hour = 3_600_000;
const day = 24 * hour;

onBothDatabases('a clock that was ahead', (open) => {
  test('the guard counts its changes for 20 hours, and not for a year', async (t) => {
    const { directory } = await open(t);
    const [now, ahead] = [1_000 * day, 1_365 * day];
    const counted = (deactivations: number): Counted => ({
      ...{ deactivations, adminChanges: 0, creations: 0, reactivations: 0, updates: {} },
    });
    const count = (run: number, at: number) =>
      directory.transact((tx) => inScript(tx, (script) => addCounted(script, 'acme', run, at, counted(1))));
    const sum = async (at: number) => (await readCounted(directory.read, 'acme', at)).deactivations;
    await count(1, ahead);
    await count(2, now);
    assert.equal(await sum(now + 19 * hour), 2);
    assert.equal(await sum(now + 21 * hour), 0);
  });

  test('the sender of a file that is not imported is told, and a name that moved is forgotten', async (t) => {
    const { control, put, clock, org } = await openIntake(t, await open(t));
    const now = clock.now;
    clock.now += 365 * day;
    const { uploadId } = await put('/photo.jpg', 'x');
    const upload = (await findUpload(control.read, uploadId))!;
    await control.transact(async (tx) => {
      const entry = (await lockEntry(tx, org.id, '/photo.jpg'))!;
      await inScript(tx, (script) => rememberMoved(script, entry, upload, clock.now));
    });
    assert.ok(await findMoved(control.read, org.id, '/photo.jpg', clock.now));
    assert.equal(await findMoved(control.read, org.id, '/photo.jpg', now), null);
    assert.deepEqual(await listUntoldOrgs(control.read, clock.now), []);
    assert.deepEqual(await listUntoldOrgs(control.read, now), [org.id]);
    assert.equal((await listUntold(control.read, org.id, now, 9)).length, 1);
    assert.deepEqual(await noteTold(control.write, [uploadId], now), [uploadId]);
  });
});

test('an approval from then is void', () => {
  const approval = { by: 'jo', at: 365 * day, until: 366 * day, digest: 'd', note: null };
  const run = { approval } as Run;
  assert.equal(isApproved(run, 'd', 365 * day + 1), true);
  assert.equal(isApproved(run, 'd', 365 * day - 60_000), true, 'of a node whose clock is a minute ahead');
  assert.equal(isApproved(run, 'd', 1), false);
});

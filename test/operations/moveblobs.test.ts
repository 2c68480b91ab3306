/** Moves of the sealed files from two machines at the same time, and beside runs that have not ended. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsSchema } from '../../config/settings.js';
import { readBlobPlace, refusePlacesBefore, writeBlobPlace } from '../../db/control/blobplace.js';
import { findRun, openManualRun } from '../../db/control/runs.js';
import { workNext } from '../../importer/run/worker.js';
import { giveUpBlobMove, moveBlobs } from '../../operations/move/blobs.js';
import { blobPath } from '../../storage/blobs.js';
import type { BlobStore } from '../../storage/blobstore.js';
import { systemDisk } from '../../storage/disk.js';
import { findFolderFault } from '../../storage/folderclaim.js';
import { Company, csv } from '../support/company.js';
import { onBothDatabases } from '../support/databases.js';
import { beforeStatement } from '../support/interleave.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';
import { workplaceOn } from '../support/workplace.js';

const store = 's3://acme/x';
const unmoved = { number: 0, place: null, movingTo: null, copiedTo: null };

onBothDatabases('moves of the sealed files', (open) => {
  /** No file is in it, so that none is asked for of the store, which does not exist. */
  const openPlace = async (t: Scope, blobs: string) => {
    const { settings } = await open(t);
    const away = { blobEndpoint: 'http://127.0.0.1:1', blobAccessKey: 'a', blobSecretKey: 'b', blobRetrySeconds: 1 };
    const place = await workplaceOn(t, settings);
    return { ...place, settings: settingsSchema.parse({ ...settings, ...away, blobs }) };
  };

  test('one that ends while it is given up on another machine is not taken back in part', async (t) => {
    const place = await openPlace(t, 'folder');
    const { control } = place;
    await writeBlobPlace(control.write, { ...unmoved, movingTo: store }, 0);
    const end = () =>
      control.transact(async (tx) => {
        await refusePlacesBefore(tx, 1);
        await writeBlobPlace(tx, { ...unmoved, number: 1, place: store }, 0);
      });
    const late = { ...place, control: { ...control, write: beforeStatement(control.write, 1, end) } };
    await assert.rejects(giveUpBlobMove(late, store), /ended or given up on another machine/);
    assert.deepEqual(await readBlobPlace(control.read), { ...unmoved, number: 1, place: store });
    await assert.rejects(giveUpBlobMove(place, store), /the sealed files are in s3:\/\/acme\/x already/);
  });

  for (const at of ['marked', 'copied'] as const)
    test(`one that is given up on another machine does not go on (${at})`, async (t) => {
      const place = await openPlace(t, store);
      // The other machine has a lock of its own.
      const giveUp = () => writeBlobPlace(place.control.write, unmoved, 1);
      const onStep = (step: string) => (step === at ? giveUp() : undefined);
      await assert.rejects(moveBlobs(place, 'folder', { onProgress: () => {}, onStep }), /given up on another machine/);
      assert.deepEqual(await readBlobPlace(place.control.read), unmoved);
    });

  test('one that another machine has ended does not begin again', async (t) => {
    const place = await openPlace(t, store);
    const end = () => writeBlobPlace(place.control.write, { ...unmoved, number: 1, place: 'folder' }, 1);
    const onStep = (step: string) => (step === 'opened' ? end() : undefined);
    await assert.rejects(
      moveBlobs(place, 'folder', { onProgress: () => {}, onStep }),
      /the sealed files are in folder: set "blobs" to it/,
    );
    assert.equal((await readBlobPlace(place.control.read)).number, 1);
  });

  test('a run that is applied is settled before the switch, which waits for it and says how to end it', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    const id = await openManualRun(control.write, 'acme', acme.clock);
    const onStep = async (step: string) => {
      if (step === 'applied') throw Object.assign(new Error('the disk is full'), { code: 'ENOSPC' });
    };
    assert.equal(await workNext({ ...acme.deps, onStep }), 'left');
    assert.equal((await findRun(control.read, id))!.state, 'open');
    const place = await workplaceOn(t, acme.databases.settings);
    const { paths } = place;
    // Its files are those of the folder, so that the move finds all of them there.
    const openBlob = (blob: string) => systemDisk.open(blobPath(paths, blob));
    const from = { name: store, open: openBlob } as unknown as BlobStore;
    const source = { ...place, paths: { ...paths, store: from }, settings: { ...place.settings, blobs: store } };
    const advice = `run ${id} of acme is applied, and its end is not recorded yet: start a server that does it, or run "dropslot import acme"`;
    await assert.rejects(moveBlobs(source, 'folder', { onProgress: () => {}, waitMs: 0 }), {
      message: `${advice}, and repeat the move`,
    });
    assert.equal((await readBlobPlace(control.read)).place, null);
    let result = 'not tried';
    const settle = async () => {
      for (let tries = 0; tries < 20 && result !== 'ended'; tries++) {
        acme.clock += 3_600_000; // its pause is over
        result = await workNext(acme.deps, id);
      }
    };
    let settling: Promise<void> | undefined;
    const onProgress = (text: string) => {
      if (text === advice) settling ??= settle();
    };
    await moveBlobs(source, 'folder', { onProgress });
    await settling;
    assert.equal(result, 'ended');
    assert.equal((await findRun(control.read, id))!.state, 'done');
    assert.equal((await readBlobPlace(control.read)).place, 'folder');
    // Nodes with another folder are refused.
    assert.equal(await findFolderFault(paths, control), null);
    const fault = await findFolderFault({ blobs: temporaryFolder(t) }, control);
    if (control.dialect === 'postgres') assert.match(fault!, /is not the folder/);
    else assert.equal(fault, null);
  });
});

/** The place of the sealed files: after a move no process publishes a file that it wrote into the old place. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  readBlobPlace,
  refusePlacesBefore,
  renameBlobPlace,
  requireBlobPlace,
  writeBlobPlace,
} from '../../db/control/blobplace.js';
import { listQueue } from '../../db/control/uploads.js';
import { describeDatabaseFailure, placeRefusal } from '../../db/error.js';
import { onBothDatabases } from '../support/databases.js';
import { openIntake, replacing } from '../support/intake.js';

const filesIn = (blobs: string) => readdirSync(blobs).flatMap((folder) => readdirSync(join(blobs, folder)));

onBothDatabases('the place of the sealed files', (open) => {
  test('before the first move every place of the settings is right', async (t) => {
    const { control } = await open(t);
    assert.deepEqual(await readBlobPlace(control.read), { number: 0, place: null, movingTo: null, copiedTo: null });
    assert.equal(await requireBlobPlace(control.read, 'folder'), 0);
    assert.equal(await requireBlobPlace(control.read, 's3://acme/x'), 0);
  });

  test('a server that began before the move is refused, its bytes are removed, and one that knows the place publishes', async (t) => {
    const place = await openIntake(t, await open(t));
    const { control, paths } = place;
    await place.put('/before.csv', 'User Email\n');
    const late = await place.intake.begin('/late.csv', replacing);
    await late.write(0, Buffer.from('User Email\n'));
    for (const number of [1, 2])
      await control.write.transaction(async (tx) => {
        await refusePlacesBefore(tx, number);
        await writeBlobPlace(tx, { number, place: 's3://acme/x', movingTo: null, copiedTo: null }, 0);
      });
    const refused = (error: Error) => {
      assert.match(error.message, new RegExp(placeRefusal));
      return true;
    };
    await assert.rejects(late.finish(), refused);
    await assert.rejects(place.put('/again.csv', 'User Email\n'), refused);
    const files = filesIn(paths.blobs);
    assert.equal(files.length, 1, 'the file of before');
    await assert.rejects(requireBlobPlace(control.read, 'folder'), /were moved to s3:\/\/acme\/x: set "blobs" to it/);
    const placeNumber = await requireBlobPlace(control.read, 's3://acme/x');
    assert.equal(placeNumber, 2);
    // With a name of the machine's start small files take a way of their own.
    for (const [path, boot] of [
      ['/late.csv', null],
      ['/small.csv', 'this-boot'],
    ] as const) {
      const second = place.secondServer({ paths: { ...paths, placeNumber }, boot });
      const upload = await second.begin(path, replacing);
      await upload.write(0, Buffer.from('User Email\n'));
      await upload.finish();
    }
    const queue = await listQueue(control.read, 'acme');
    assert.deepEqual(
      queue.map(({ path }) => path),
      ['/before.csv', '/late.csv', '/small.csv'],
    );
  });

  test('the refusal is a failure of the machine, and uses up no attempt of a file', async (t) => {
    const { control } = await open(t);
    await control.write.transaction((tx) => refusePlacesBefore(tx, 1));
    const row = { id: 'a', size: 0, sealed_size: 0, sha256: '', created_at: 0, org_id: 'acme' };
    await control
      .write('blobs')
      .insert(row)
      .then(
        () => assert.fail('it was taken'),
        (error) => assert.match(describeDatabaseFailure(error) ?? '', new RegExp(placeRefusal)),
      );
  });

  test('a restore names the place into which it put the files', async (t) => {
    const { control } = await open(t);
    await renameBlobPlace(control.write, 'folder');
    assert.equal((await readBlobPlace(control.read)).place, null);
    await writeBlobPlace(
      control.write,
      { number: 3, place: 's3://acme/x', movingTo: 's3://acme/y', copiedTo: 'ff' },
      0,
    );
    await renameBlobPlace(control.write, 'folder');
    assert.deepEqual(await readBlobPlace(control.read), { number: 3, place: 'folder', movingTo: null, copiedTo: null });
    assert.equal(await requireBlobPlace(control.read, 'folder'), 3);
  });
});

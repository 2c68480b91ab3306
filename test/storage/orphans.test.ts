/** The sweep of blobs that a killed process left without a row: nothing that is needed ever goes. */
import assert from 'node:assert/strict';
import { existsSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { insertBlob } from '../../db/control/blobs.js';
import { insertEntry } from '../../db/control/entries.js';
import { claimUploads } from '../../db/control/uploads.js';
import { blobPath, createBlob } from '../../storage/blobs.js';
import { systemDisk } from '../../storage/disk.js';
import { sweepOrphans } from '../../storage/orphans.js';
import { onBothDatabases } from '../support/databases.js';
import { openIntake } from '../support/intake.js';

onBothDatabases('orphans', (open) => {
  test('only old files that neither a name nor a waiting upload needs are removed', async (t) => {
    const place = await openIntake(t, await open(t));
    const { control, paths, org } = place;
    const sweep = (before: number, kept: string[] = []) =>
      sweepOrphans({ control, paths, readKept: async () => new Set(kept), before });
    assert.equal(await sweep(0), 0);
    await place.put('/users.csv', 'first');
    await place.put('/users.csv', 'superseded the first');
    await place.put('/x.part', 'stored');
    await claimUploads(control.write, org.id, 1);
    await place.intake.remove('/users.csv'); // the run still has it
    const orphan = async () => {
      const writer = await createBlob(paths, org.recipient);
      const { id } = await writer.finish();
      return blobPath(paths, id);
    };
    const old = await orphan();
    const young = await orphan();
    const foreign = join(paths.blobs, 'notes.txt');
    writeFileSync(foreign, 'of the operator');
    const before = statSync(young).mtimeMs - 60_000;
    utimesSync(old, new Date(before - 1000), new Date(before - 1000));
    assert.equal(await sweep(before), 1);
    assert.deepEqual([old, young, foreign].map(existsSync), [false, true, true]);
    const after = statSync(young).mtimeMs + 1000;
    assert.equal(await sweep(after, [basename(young)]), 0);
    assert.equal(await sweep(after), 1);
    assert.equal(existsSync(young), false);
    assert.equal(await place.get('/archive/2026-02-01/superseded/users.csv'), 'first');
    assert.equal(await place.get('/x.part'), 'stored');
    const [running] = await claimUploads(control.write, org.id, 1);
    assert.ok(existsSync(blobPath(paths, running!.blobId)));
  });

  test('in whichever folder an orphan is, it is found, and each live file is left there unseen', async (t) => {
    const place = await openIntake(t, await open(t));
    const { control, paths, org } = place;
    for (let n = 0; n < 40; n++) {
      await place.put(`/${n}.csv`, `live ${n}`);
      await (await createBlob(paths, org.recipient)).finish();
    }
    const asked: string[] = [];
    const disk = {
      ...systemDisk,
      stat: (path: string) => {
        asked.push(basename(path));
        return systemDisk.stat(path);
      },
    };
    const sweep = { control, paths, readKept: async () => new Set<string>(), before: Date.now() + 86_400_000, disk };
    assert.equal(await sweepOrphans(sweep), 40);
    const live: string[] = await control.read('uploads').pluck('blob_id');
    assert.equal(live.length, 40);
    assert.ok(live.every((id) => existsSync(blobPath(paths, id))));
    assert.deepEqual(
      asked.filter((id) => live.includes(id)),
      [],
      'the rows of its folder were read',
    );
  });

  test('a blob whose row is committed while the sweep waits is kept, however old the disk says it is', async (t) => {
    const { control, paths, org } = await openIntake(t, await open(t));
    const kept = new Set<string>();
    const deps = { control, paths, readKept: async () => kept, before: Date.now() + 86_400_000 };
    const seal = async () => (await createBlob(paths, org.recipient)).finish();
    const [late, applied, orphan] = [await seal(), await seal(), await seal()];
    assert.equal(await sweepOrphans({ ...deps, rest: async () => false }), 0, 'a server that stops removes nothing');
    const commit = async () => {
      await insertBlob(control.write, { ...late, org: org.id, createdAt: 0 });
      const file = { kind: 'file' as const, blobId: late.id, uploadId: null, size: 0, mode: 0o600 };
      await insertEntry(control.write, {
        ...file,
        org: org.id,
        dir: '/',
        name: 'a',
        mtimeMs: 0,
        atimeMs: 0,
        createdAt: 0,
      });
      kept.add(applied.id); // a report of a run that is applied meanwhile
      return true;
    };
    assert.equal(await sweepOrphans({ ...deps, rest: commit }), 1);
    assert.deepEqual(
      [late, applied, orphan].map(({ id }) => existsSync(blobPath(paths, id))),
      [true, true, false],
    );
  });
});

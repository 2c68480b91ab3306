/** Sealing blobs with the rows that name them: no blob is left without a row, and no row loses its blob. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { findBlob, insertBlob } from '../../db/control/blobs.js';
import { isInControl, sealAndCommit } from '../../storage/blobcommit.js';
import { blobPath, createBlob } from '../../storage/blobs.js';
import { type Disk, systemDisk } from '../../storage/disk.js';
import type { SealedBlob } from '../../storage/sealedwriter.js';
import { onBothDatabases } from '../support/databases.js';
import { openIntake } from '../support/intake.js';
import type { Scope } from '../support/temporary.js';

const broken = (message: string, code?: string) =>
  Object.assign(new Error(message), code === undefined ? {} : { code });

onBothDatabases('blob commit', (open) => {
  const setUp = async (t: Scope) => {
    const place = await openIntake(t, await open(t));
    const { control, paths, org } = place;
    const warnings: { blobs: string[]; reason: string }[] = [];
    const seal = async () => (await createBlob(paths, org.recipient)).finish();
    const insert = (blob: SealedBlob) =>
      control.transact((tx) => insertBlob(tx, { ...blob, org: org.id, createdAt: place.clock.now }));
    const store = {
      paths,
      logger: { warn: (_: string, detail: (typeof warnings)[number]) => warnings.push(detail) } as never,
      isNamed: isInControl(control),
    };
    const sealed: SealedBlob[] = [];
    /** Seals two blobs and runs `commit`; then for each blob whether its bytes and its row exist. */
    const attempt = async (commit: (blobs: readonly SealedBlob[]) => Promise<unknown>, change: object = {}) => {
      sealed.length = 0;
      const result = await sealAndCommit({
        ...store,
        seal: async (keep) => sealed.push(await keep(seal()), await keep(seal())),
        commit: (_, blobs) => commit(blobs),
        ...change,
      }).catch((error: Error) => error.message);
      const states = [];
      for (const { id } of sealed)
        states.push(`${existsSync(blobPath(paths, id))} ${(await findBlob(control.read, id)) !== null}`);
      return { result, states };
    };
    return { attempt, insert, warnings, control, sealed, store, seal, paths };
  };

  test('blobs stay with their rows, and go when the commit fails or declines them', async (t) => {
    const { attempt, insert, warnings, control } = await setUp(t);
    const whole = await attempt(async (blobs) => {
      for (const blob of blobs) await insert(blob);
      return blobs.length;
    });
    assert.deepEqual(whole, { result: 2, states: ['true true', 'true true'] });
    assert.deepEqual(await attempt(async () => null), { result: null, states: ['false false', 'false false'] });
    assert.deepEqual(await attempt(async () => false), { result: false, states: ['true false', 'true false'] });
    const failing = await attempt(() =>
      control.transact(async (tx) => {
        await tx('blobs').insert({ id: 'x' });
      }),
    );
    assert.deepEqual(failing.states, ['false false', 'false false']);
    assert.deepEqual(warnings, []);
  });

  test('what was sealed before sealing failed is removed without a commit', async (t) => {
    const { store, seal, paths } = await setUp(t);
    let first = '';
    const work = sealAndCommit({
      ...store,
      seal: async (keep) => {
        first = (await keep(seal())).id;
        assert.ok(existsSync(blobPath(paths, first)));
        await keep(Promise.reject(new Error('the disk is full')));
      },
      commit: () => assert.fail('nothing to commit'),
    });
    await assert.rejects(work, /the disk is full/);
    assert.equal(existsSync(blobPath(paths, first)), false);
  });

  test('a commit whose answer was lost keeps the blobs whose rows it wrote', async (t) => {
    const { attempt, insert, warnings } = await setUp(t);
    for (const error of [broken('read ECONNRESET', 'ECONNRESET'), broken('disk I/O error', 'SQLITE_IOERR')]) {
      const lost = await attempt(async ([first]) => {
        await insert(first!);
        throw error;
      });
      assert.equal(lost.result, error.message);
      // The second row may still be on its way, or in the log of SQLite: its blob waits for the sweep.
      assert.deepEqual(lost.states, ['true true', 'true false']);
    }
    assert.deepEqual(
      warnings.map(({ blobs, reason }) => `${blobs.length} ${reason}`),
      ['1 read ECONNRESET', '1 disk I/O error'],
    );
  });

  test('blobs are left to the sweep when their rows cannot be looked for, or their bytes not removed', async (t) => {
    const { attempt, warnings, sealed } = await setUp(t);
    const fail = async () => {
      throw broken('the commit failed');
    };
    const isNamed = async () => {
      throw broken('the database is gone');
    };
    const blind = await attempt(fail, { isNamed });
    assert.deepEqual(blind, { result: 'the commit failed', states: ['true false', 'true false'] });
    assert.deepEqual(warnings.splice(0), [{ blobs: sealed.map(({ id }) => id), reason: 'the database is gone' }]);
    const disk: Disk = {
      ...systemDisk,
      remove: async () => {
        throw broken('EIO');
      },
    };
    const stuck = await attempt(fail, { disk });
    assert.deepEqual(stuck, { result: 'the commit failed', states: ['true false', 'true false'] });
    assert.deepEqual(
      warnings[0]!.blobs,
      sealed.map(({ id }) => id),
    );
  });
});

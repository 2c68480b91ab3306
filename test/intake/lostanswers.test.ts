/** A file whose client was told a failure, or gets no answer, is not published later; one that was published is told so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Db } from '../../db/connection.js';
import { listQueue } from '../../db/control/uploads.js';
import { openKnex } from '../../db/knex.js';
import { createClient } from '../../db/sqlite/client.js';
import { openSqlite } from '../../db/sqlite/drivers.js';
import { onBothDatabases, sqliteDrivers } from '../support/databases.js';
import { openIntake, replacing } from '../support/intake.js';
import { temporaryFolder } from '../support/temporary.js';

const lost = () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });

/** The transactions of `control`; the answers to those that `loses` names by their numbers, from 1, get lost. */
function losing(control: Db, loses: (turn: number) => 'before' | 'after' | null): Db & { turns(): number } {
  let turn = 0;
  const transact: Db['transact'] = async (work) => {
    turn++;
    const when = loses(turn);
    if (when === 'before') throw lost();
    const result = await control.transact(work);
    if (when === 'after') throw lost();
    return result;
  };
  return { ...control, transact, turns: () => turn };
}

onBothDatabases('answers that get lost', (open) => {
  test('the session is ended while the commit waits for a lock: nothing is published, then or later', async (t) => {
    const place = await openIntake(t, await open(t));
    const upload = await place.intake.begin('/users.csv', replacing);
    await upload.write(0, Buffer.from('User Email\n'));
    const holder = await place.control.write.transaction();
    // Its transaction waits for the table, or for the database.
    if (place.control.dialect === 'postgres') await holder.raw('LOCK TABLE orgs, entries, uploads IN EXCLUSIVE MODE');
    let isAborted = false;
    const finishing = upload.finish(() => !isAborted);
    finishing.catch(() => {});
    await new Promise(setImmediate);
    isAborted = true;
    await holder.rollback();
    await assert.rejects(finishing, /the session ended before \/users.csv was published/);
    assert.deepEqual(await listQueue(place.control.read, 'acme'), []);
    await assert.rejects(place.space.stat('/users.csv'), { code: 'not_found' });
    assert.equal((await place.put('/users.csv', 'User Email\n')).queued, true);
  });

  for (const when of ['before', 'after'] as const)
    test(`the connection ends ${when} the commit took place: the client is told OK, and the file is queued once`, async (t) => {
      const databases = await open(t);
      const control = losing(databases.control, (turn) => (turn === 1 ? when : null));
      const place = await openIntake(t, { ...databases, control });
      const receipt = await place.put('/users.csv', 'User Email\n');
      const queue = await listQueue(databases.control.read, 'acme');
      assert.deepEqual(
        queue.map(({ id, sha256 }) => [id, sha256]),
        [[receipt.uploadId, receipt.sha256]],
      );
      assert.equal(receipt.queued, true);
      assert.equal(await place.get('/users.csv'), 'User Email\n');
      assert.equal(control.turns(), 2);
    });
});

for (const driver of sqliteDrivers)
  test(`a COMMIT that fails leaves no transaction that a later one commits (${driver})`, async (t) => {
    const file = `${temporaryFolder(t)}/x.db`;
    let fails = false;
    const connect = async () => {
      const connection = await openSqlite(driver, file, { waitMs: 0 });
      const run: typeof connection.run = async (sql, values, wantsRows) => {
        if (fails && /^COMMIT/.test(sql)) throw Object.assign(new Error('SQLITE_FULL: full'), { code: 'SQLITE_FULL' });
        return connection.run(sql, values, wantsRows);
      };
      return { ...connection, run };
    };
    const client = createClient(connect, 'immediate');
    const db = openKnex({ client, connection: { filename: file }, useNullAsDefault: true, pool: { min: 0, max: 1 } });
    t.after(() => db.destroy());
    await db.raw('CREATE TABLE told (word TEXT)');
    fails = true;
    await assert.rejects(
      db.transaction((tx) => tx('told').insert({ word: 'failed' })),
      { code: 'SQLITE_FULL' },
    );
    fails = false;
    await db('told').insert({ word: 'alone' });
    await db.transaction((tx) => tx('told').insert({ word: 'whole' }));
    assert.deepEqual(await db('told').orderBy('word').pluck('word'), ['alone', 'whole']);
  });

/** A file whose client was told a failure, or gets no answer, is not published later; one that was published is told so. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { type Db, openControl } from '../../db/connection.js';
import { listQueue } from '../../db/control/uploads.js';
import { isOutcomeUnknown } from '../../db/error.js';
import { openKnex } from '../../db/knex.js';
import { runLater } from '../../db/script.js';
import { runAhead } from '../../db/sqlite/ahead.js';
import { createClient } from '../../db/sqlite/client.js';
import { openSqlite } from '../../db/sqlite/drivers.js';
import { runTransaction } from '../../db/transaction.js';
import { onBothDatabases, sqliteDrivers } from '../support/databases.js';
import { keeping, openIntake, replacing } from '../support/intake.js';
import { countRefusals } from '../support/refusals.js';
import { until } from '../support/session.js';
import { temporaryFolder } from '../support/temporary.js';

const lost = () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });

/** The transactions of `control`; the answers to those that `loses` names by their numbers, from 1, get lost. */
function losing(control: Db, loses: (turn: number) => 'before' | 'after' | null): Db & { turns(): number } {
  let turn = 0;
  const transact: Db['transact'] = async (work, options) => {
    turn++;
    const when = loses(turn);
    if (when === 'before') throw lost();
    const result = await control.transact(work, options);
    if (when === 'after') throw lost();
    return result;
  };
  return { ...control, transact, turns: () => turn };
}

/** Calls `first` once, before the transaction reads or locks a name. */
function beforeEntries<Tx extends object>(tx: Tx, first: () => Promise<unknown>): Tx {
  let called: Promise<unknown> | null = null;
  return new Proxy(tx, {
    apply(target, self, words) {
      const query = Reflect.apply(target as never, self, words) as Promise<unknown>;
      if (words[0] !== 'entries') return query;
      const run = query.then.bind(query);
      const later: Promise<unknown>['then'] = (done, failed) => {
        called ??= first();
        return called.then(() => run()).then(done, failed);
      };
      return Object.defineProperty(query, 'then', { value: later });
    },
  });
}

onBothDatabases('answers that get lost', (open) => {
  for (const whose of ['of this process', 'of another process'])
    test(`the session is ended while the commit waits for a lock ${whose}: nothing is published, then or later`, async (t) => {
      const databases = await open(t);
      const place = await openIntake(t, databases);
      const other = await openControl(databases.settings);
      t.after(() => other.close());
      const upload = await place.intake.begin('/users.csv', replacing);
      await upload.write(0, Buffer.from('User Email\n'));
      const isOther = whose === 'of another process';
      const holder = await (isOther ? other : place.control).write.transaction();
      // Its transaction waits for the table, or for the database.
      const isSqlite = place.control.dialect === 'sqlite';
      if (!isSqlite) await holder.raw('LOCK TABLE orgs, entries, uploads IN EXCLUSIVE MODE');
      const refusals = isSqlite && isOther ? await countRefusals(place.control) : null;
      let isAborted = false;
      const finishing = upload.finish(() => !isAborted);
      finishing.catch(() => {});
      await new Promise(setImmediate);
      // It has read, and would write now.
      if (refusals !== null) await until(() => refusals() === 1, 'the first attempt');
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

  test('a COMMIT takes place while its upload asks whether it did: the bytes are appended once', async (t) => {
    const databases = await open(t);
    // On SQLite no transaction takes place within another one.
    if (databases.control.dialect === 'sqlite') return;
    const { control } = databases;
    let turn = 0;
    let isLate = false;
    let held: () => Promise<unknown> = async () => {};
    const transact: Db['transact'] = async (work) => {
      turn++;
      if (turn === 2) {
        held = () => control.transact(work);
        throw lost();
      }
      if (turn !== 3) return control.transact(work);
      return control.transact((tx) => work(beforeEntries(tx, () => held().then(() => (isLate = true)))));
    };
    const place = await openIntake(t, { ...databases, control: { ...control, transact } });
    await place.put('/users.csv', 'User Email\n');
    const upload = await place.intake.begin('/users.csv', { ...keeping, append: true });
    await upload.write(0, Buffer.from('a@acme.test\n'));
    const receipt = await upload.finish();
    assert.ok(isLate);
    assert.equal(await place.get('/users.csv'), 'User Email\na@acme.test\n');
    assert.deepEqual(
      (await listQueue(control.read, 'acme')).map(({ id }) => id),
      [receipt.uploadId],
    );
    assert.equal((await control.read('uploads')).length, 2);
  });

  for (const [first, blobs] of [
    ['COMMIT', 1],
    ['BEGIN', 0],
  ] as const)
    test(`${first} is lost, and the next transaction fails otherwise: ${blobs} blobs are left to the sweep`, async (t) => {
      const databases = await open(t);
      const failures = [
        first === 'COMMIT'
          ? () => Promise.reject(lost())
          : () => databases.control.transact(() => Promise.reject(lost())),
        () => Promise.reject(Object.assign(new Error('the pool is empty'), { name: 'KnexTimeoutError' })),
      ];
      const transact: Db['transact'] = (work) => failures.shift()?.() ?? databases.control.transact(work);
      const place = await openIntake(t, { ...databases, control: { ...databases.control, transact } });
      await assert.rejects(place.put('/users.csv', 'User Email\n'), /ECONNRESET|pool is empty/);
      assert.equal(failures.length, 0);
      const files = readdirSync(place.paths.blobs, { recursive: true, withFileTypes: true });
      assert.equal(files.filter((file) => file.isFile()).length, blobs);
    });
});

/** A database whose connections ask `fail` before each statement. */
async function openFailing(t: TestContext, driver: (typeof sqliteDrivers)[number], fail: (sql: string) => void) {
  const file = `${temporaryFolder(t)}/x.db`;
  const connect = async () => {
    const connection = await openSqlite(driver, file, { waitMs: 0 });
    const run: typeof connection.run = async (sql, values, wantsRows) => {
      fail(sql);
      return connection.run(sql, values, wantsRows);
    };
    const executeNow: typeof connection.executeNow = async (begin, statements) => {
      await connection.executeNow(begin, statements.slice(0, -1));
      fail(statements.at(-1)!);
      await connection.execute('COMMIT');
    };
    return { ...connection, run, executeNow };
  };
  const client = createClient(connect, 'immediate');
  const db = openKnex({ client, connection: { filename: file }, useNullAsDefault: true, pool: { min: 0, max: 1 } });
  t.after(() => db.destroy());
  await db.raw('CREATE TABLE told (word TEXT)');
  return db;
}

for (const driver of sqliteDrivers)
  test(`a COMMIT that fails leaves no transaction that a later one commits (${driver})`, async (t) => {
    let fails = false;
    const db = await openFailing(t, driver, (sql) => {
      if (fails && /^COMMIT/.test(sql)) throw Object.assign(new Error('SQLITE_FULL: full'), { code: 'SQLITE_FULL' });
    });
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

for (const driver of sqliteDrivers)
  test(`nor does the COMMIT of a short transaction, whose outcome is unknown where the disk failed (${driver})`, async (t) => {
    let code: string | null = null;
    const db = await openFailing(t, driver, (sql) => {
      if (code !== null && sql === 'COMMIT') throw Object.assign(new Error(`${code}: injected`), { code });
    });
    const tell = (word: string) => runAhead(db, (tx) => runLater(tx, 'INSERT INTO told VALUES (:word)', { word }));
    for (const [each, isUnknown] of [
      ['SQLITE_FULL', false],
      ['SQLITE_IOERR', true],
    ] as const) {
      code = each;
      const failure = await tell('failed').catch((error) => error);
      assert.equal(failure.code, each);
      assert.equal(isOutcomeUnknown(failure), isUnknown);
    }
    code = null;
    await db('told').insert({ word: 'alone' });
    await tell('whole');
    assert.deepEqual(await db('told').orderBy('word').pluck('word'), ['alone', 'whole']);
  });

for (const driver of sqliteDrivers)
  test(`the disk fails in a transaction: only of its COMMIT the outcome is unknown (${driver})`, async (t) => {
    let failing = /^$/;
    const db = await openFailing(t, driver, (sql) => {
      if (failing.test(sql)) throw Object.assign(new Error('SQLITE_IOERR: injected'), { code: 'SQLITE_IOERR' });
    });
    for (const [statement, isUnknown] of [
      [/^BEGIN/, false],
      [/^insert/, false],
      [/^COMMIT/, true],
    ] as const) {
      failing = statement;
      const failure = await runTransaction(db, (tx) => tx('told').insert({ word: 'told' })).catch((error) => error);
      failing = /^$/;
      assert.match(failure.message, /SQLITE_IOERR/);
      assert.equal(isOutcomeUnknown(failure), isUnknown, String(statement));
    }
  });

/** Transactions whose query comes before their BEGIN: they commit what they write, or nothing, and never over what another process has committed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Db, openControl, type Queryable } from '../../db/connection.js';
import { readHead, recordAudit } from '../../db/control/audit.js';
import { rememberHead } from '../../db/control/audittransaction.js';
import { insertLater, readAhead, runLater } from '../../db/script.js';
import { dataVersion } from '../../db/sqlite/ahead.js';
import { openFresh, sqliteDrivers } from '../support/databases.js';
import { countRefusals } from '../support/refusals.js';
import { until } from '../support/session.js';
import type { Scope } from '../support/temporary.js';

interface Counter {
  value: number;
}

const add = 'UPDATE numbers SET value = :value WHERE id = 1';

for (const driver of sqliteDrivers)
  describe(`transactions of one query (${driver})`, () => {
    /** A counter, which `another` connection can raise. */
    async function openCounter(scope: Scope) {
      const { control, settings } = await openFresh(scope, 'sqlite', driver);
      const others = [await openControl(settings), await openControl(settings)];
      const [other] = others as [Db, Db];
      scope.after(async () => {
        for (const each of others) await each.close();
      });
      await control.write.raw('CREATE TABLE numbers (id INTEGER PRIMARY KEY, value INT CHECK (value < 1000))');
      await control.write('numbers').insert({ id: 1, value: 0 });
      const read = async (tx: Queryable) => {
        const query = `SELECT value, ${dataVersion} FROM numbers WHERE id = 1`;
        return (await readAhead<Counter>(tx, query, []))[0]!.value;
      };
      const another = () => other.write.raw('UPDATE numbers SET value = value + 1 WHERE id = 1');
      const value = async () => (await control.read('numbers').where({ id: 1 }).first('value')).value;
      return { control, others, read, another, value };
    }

    test('its writes are there once it resolves, and its work ran once', async (t) => {
      const { control, read, value } = await openCounter(t);
      const begun: boolean[] = [];
      const result = await control.transact(
        async (tx) => {
          const before = await read(tx);
          await runLater(tx, add, { value: before + 1 });
          await insertLater(tx, 'numbers', { id: 2, value: 7 });
          // Another one reads the state before: nothing is locked yet.
          begun.push((await value()) === 0);
          return 'done';
        },
        { isRepeatable: true },
      );
      assert.deepEqual([result, begun, await value()], ['done', [true], 1]);
      assert.deepEqual(await control.read('numbers').orderBy('id').pluck('value'), [1, 7]);
    });

    test('after a commit of another connection between its query and its BEGIN it runs again, and loses nothing', async (t) => {
      const { control, read, another, value } = await openCounter(t);
      const seen: number[] = [];
      await control.transact(
        async (tx) => {
          const before = await read(tx);
          seen.push(before);
          if (seen.length === 1) await another();
          await runLater(tx, add, { value: before + 10 });
        },
        { isRepeatable: true },
      );
      assert.deepEqual([seen, await value()], [[0, 1], 11]);
    });

    test('it does not wait for the lock of another connection: the work runs again when it has its turn', async (t) => {
      const { control, others, read, value } = await openCounter(t);
      const refusals = await countRefusals(control);
      for (const [turn, end] of (['rollback', 'commit'] as const).entries()) {
        const holder = await others[0]!.write.transaction();
        let runs = 0;
        let isWanted = true;
        const work = async (tx: Queryable) => {
          runs++;
          await runLater(tx, add, { value: (await read(tx)) + 1 });
          if (!isWanted) throw new Error('not wanted any more');
        };
        const done = assert.rejects(control.transact(work, { isRepeatable: true }), /not wanted any more/);
        await until(() => refusals() === turn + 1, 'the first run');
        isWanted = false;
        await holder[end]();
        await done;
        assert.equal(runs, 2);
      }
      assert.equal(await value(), 0);
      // The connection waits for locks as before.
      const holder = await others[0]!.write.transaction();
      const adding = control.write.raw('UPDATE numbers SET value = 5');
      setTimeout(() => void holder.rollback(), 50);
      await adding;
      assert.equal(await value(), 5);
    });

    test('of many at once on several connections none loses what another one has committed', async (t) => {
      const { control, others, read, value } = await openCounter(t);
      let runs = 0;
      const each = 30;
      const raise = async (db: Db) => {
        for (let number = 0; number < each; number++)
          await db.transact(
            async (tx) => {
              runs++;
              await runLater(tx, add, { value: (await read(tx)) + 1 });
            },
            { isRepeatable: true },
          );
      };
      const all = [control, ...others];
      await Promise.all(all.map(raise));
      assert.equal(await value(), all.length * each);
      assert.ok(runs > all.length * each, 'none was in the way of another one');
    });

    test('commits of another connection before its query are no reason to run again', async (t) => {
      const { control, read, another, value } = await openCounter(t);
      let runs = 0;
      for (let round = 0; round < 5; round++) {
        await another();
        await control.transact(
          async (tx) => {
            runs++;
            await runLater(tx, add, { value: (await read(tx)) + 1 });
          },
          { isRepeatable: true },
        );
      }
      assert.deepEqual([runs, await value()], [5, 10]);
    });

    test('work that reads or writes otherwise runs in a transaction, even if it catches the refusal', async (t) => {
      const { control, read, value } = await openCounter(t);
      const otherwise: ((tx: Queryable) => Promise<unknown>)[] = [
        (tx) => tx('numbers').where({ id: 1 }).first(),
        (tx) => tx.raw('UPDATE numbers SET value = value'),
        (tx) => readAhead(tx, 'SELECT value FROM numbers', []),
        (tx) => readAhead(tx, `SELECT ${dataVersion} FROM numbers WHERE id = 99`, []),
        (tx) => readAhead(tx, 'UPDATE numbers SET value = value RETURNING value', []),
        (tx) => runLater(tx, 'UPDATE numbers SET value = value + :more', { more: 0.5 - 0.5 + 1e-9 }),
      ];
      for (const [index, work] of otherwise.entries())
        for (const isCaught of [false, true]) {
          let runs = 0;
          await control.transact(
            async (tx) => {
              runs++;
              const before = await read(tx);
              await work(tx).catch((error) => {
                if (!isCaught) throw error;
              });
              await runLater(tx, add, { value: Math.trunc(before) + 1 });
            },
            { isRepeatable: true },
          );
          assert.equal(runs, 2, String(index));
        }
      assert.equal(await value(), 2 * otherwise.length);
    });

    test('an error of the work, or of a statement, is thrown as it is and leaves nothing', async (t) => {
      const { control, read, value } = await openCounter(t);
      const failing = control.transact(
        async (tx) => {
          await runLater(tx, add, { value: (await read(tx)) + 1 });
          throw new Error('no');
        },
        { isRepeatable: true },
      );
      await assert.rejects(failing, /no/);
      for (const wrong of ['UPDATE numbers SET value = 1000', 'INSERT INTO numbers (id) VALUES (1)'])
        await assert.rejects(
          control.transact(
            async (tx) => {
              await runLater(tx, add, { value: (await read(tx)) + 1 });
              await runLater(tx, wrong, {});
            },
            { isRepeatable: true },
          ),
          { code: 'SQLITE_CONSTRAINT' },
        );
      const missing = control.transact((tx) => runLater(tx, 'DELETE FROM nowhere', {}), { isRepeatable: true });
      await assert.rejects(missing, { code: 'SQLITE_ERROR' });
      assert.equal(await value(), 0);
      await control.transact((tx) => runLater(tx, add, { value: 5 }), { isRepeatable: true });
      assert.equal(await value(), 5);
    });

    test('its audit records are chained, and count once for the rate, however often it runs', async (t) => {
      const { control, read, another } = await openCounter(t);
      const records = 5;
      for (let number = 0; number < records; number++) {
        let runs = 0;
        await control.transact(
          async (tx) => {
            if (runs++ === 0) {
              const query = `SELECT count AS seq, hash, ${dataVersion} FROM audit_head WHERE id = 1`;
              const [head] = await readAhead<{ seq: number; hash: string }>(tx, query, []);
              rememberHead(tx, { seq: head!.seq, hash: head!.hash });
              await another();
            } else await read(tx);
            const detail = { number };
            await recordAudit(tx, { at: 0, org: 'acme', actor: 'key:x', action: 'test', subject: 'x', detail });
          },
          { isRepeatable: true },
        );
        assert.equal(runs, 2);
      }
      assert.equal((await readHead(control.read)).count, records);
      assert.deepEqual(
        await control.read('audit').orderBy('seq').pluck('detail'),
        Array.from({ length: records }, (_, number) => JSON.stringify({ number })),
      );
    });
  });

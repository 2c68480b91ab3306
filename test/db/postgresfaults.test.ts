/** PostgreSQL that is away, slow, full, or changes its role: how its client takes it, and that it recovers by itself. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Knex } from 'knex';
import pg from 'pg';
import { settingsSchema } from '../../config/settings.js';
import { openControl } from '../../db/connection.js';
import { insertOrg } from '../../db/control/orgs.js';
import { openManualRun } from '../../db/control/runs.js';
import { describeDatabaseFailure, isAnswerLost, isConnectionLost, isOutcomeUnknown } from '../../db/error.js';
import { forWriting, readHosts } from '../../db/postgres/hosts.js';
import { openSchema } from '../../db/postgres/schema.js';
import { watchConnections } from '../../db/postgres/watch.js';
import { followClock } from '../../db/sharedclock.js';
import { runTransaction } from '../../db/transaction.js';
import { openFresh } from '../support/databases.js';
import { sampleOrg } from '../support/samples.js';
import { freePort, startTcpProxy } from '../support/tcpproxy.js';
import { connected } from '../support/template.js';
import { openScope, type Scope } from '../support/temporary.js';

test('a URL with several servers is one for each, and PostgreSQL’s own programs look for the primary', () => {
  const url = 'postgres://me:pa%2Css@a:5432,b.test:5433/db?sslmode=require';
  assert.deepEqual(readHosts(url), [
    'postgres://me:pa%2Css@a:5432/db?sslmode=require',
    'postgres://me:pa%2Css@b.test:5433/db?sslmode=require',
  ]);
  assert.deepEqual(readHosts('postgres://a/db'), ['postgres://a/db']);
  assert.equal(forWriting('postgres://a,b/db'), 'postgres://a,b/db?target_session_attrs=read-write');
  assert.equal(forWriting('postgres://a/db'), 'postgres://a/db');
});

/** A database of its own, and settings that reach it through `url`. */
async function openThrough(t: Scope, change: (url: string) => string, more: object = {}) {
  const { settings } = await openFresh(t, 'postgres');
  const control = await openControl(
    settingsSchema.parse({ ...settings, database: change(settings.database), ...more }),
  );
  t.after(() => control.close());
  return control;
}

describe('faults', () => {
  test('a server that is not there is passed over, and used again when it is the last one', async (t) => {
    const nowhere = await freePort();
    const control = await openThrough(t, (url) => url.replace(/@([^/]+)/, `@127.0.0.1:${nowhere},$1`));
    await insertOrg(control.write, sampleOrg('acme'));
    assert.equal((await control.read('orgs')).length, 1);
  });

  test('a connection that was cut is replaced; while the network is away each statement says so', async (t) => {
    const server = new URL(process.env.TEST_POSTGRES_URL!);
    const proxy = await startTcpProxy(t, Number(server.port));
    const control = await openThrough(t, proxy.through);
    proxy.cut();
    const failure = await control.read('orgs').then(
      () => null,
      (error: Error) => error,
    );
    assert.ok(failure !== null);
    await assert.rejects(control.read('orgs'), (error) => describeDatabaseFailure(error) !== null);
    proxy.mend();
    assert.equal((await control.read('orgs')).length, 0);
  });

  test('a statement to a server that has gone without a word ends; one that only takes long does not', async (t) => {
    const server = new URL(process.env.TEST_POSTGRES_URL!);
    const proxy = await startTcpProxy(t, Number(server.port));
    const url = proxy.through(server.href);
    const watch = watchConnections(pg.Client, [url], { everyMs: 50, silentMs: 100, answerMs: 200 });
    const client = new pg.Client(url);
    client.on('error', () => {});
    t.after(() => client.end().catch(() => {}));
    await client.connect();
    const send = async (sql: string) => {
      const done = watch.begin(client as never);
      try {
        return await client.query(sql);
      } finally {
        done();
      }
    };
    await send('SELECT pg_sleep(1)');
    proxy.hold(true);
    await assert.rejects(send('SELECT 1'), /does not answer/);
    watch.stop();
  });

  const ends: [text: string, when: 'before' | 'after', isUnknown: boolean, rows: number][] = [
    ['BEGIN', 'before', false, 0],
    ['BEGIN', 'after', false, 0],
    ['insert into "orgs"', 'before', false, 0],
    ['insert into "orgs"', 'after', false, 0],
    ['COMMIT', 'before', true, 0],
    ['COMMIT', 'after', true, 1],
  ];
  for (const isPooled of [false, true])
    test(`a connection that ends in a transaction: only of a COMMIT that was sent the outcome is unknown${isPooled ? ', as behind a pooler' : ''}`, async (t) => {
      const proxy = await startTcpProxy(t, Number(new URL(process.env.TEST_POSTGRES_URL!).port));
      const more = isPooled ? { databasePooler: 'transaction' } : {};
      const control = await openThrough(t, proxy.through, more);
      const directory = {
        transact: <T>(work: (tx: Knex.Transaction) => Promise<T>) => runTransaction(control.write, work),
      };
      for (const [text, when, isUnknown, rows] of ends)
        for (const [name, db] of Object.entries({ control, directory })) {
          proxy.cutAt(text, when);
          const failure = await db.transact((tx) => insertOrg(tx, sampleOrg('acme'))).catch((error: unknown) => error);
          proxy.cutAt(null);
          const told = `${name}, ${text}, ${when}: ${failure}`;
          assert.ok(isConnectionLost(failure), told);
          assert.deepEqual([isAnswerLost(failure), isOutcomeUnknown(failure)], [isUnknown, isUnknown], told);
          assert.equal(await control.write('orgs').del(), rows, told);
        }
      proxy.cutAt('COMMIT');
      const inner = await control
        .transact(() => directory.transact((tx) => insertOrg(tx, sampleOrg('acme'))))
        .catch((error: unknown) => error);
      assert.ok(isAnswerLost(inner), 'that of a transaction in a transaction');
    });

  test('a transaction whose process stands still gives its locks back', async (t) => {
    const { settings } = await openFresh(t, 'postgres');
    const scope = openScope();
    t.after(() => scope.close());
    const open = async () => {
      const options = { url: settings.database, schema: 'dropslot_control', connections: 2, isPooled: false };
      const { instance } = await openSchema({ ...options, idleMs: 300 });
      scope.after(() => instance.destroy());
      return instance;
    };
    const [still, other] = [await open(), await open()];
    const tx = await still.transaction();
    await tx('audit_head').where({ id: 1 }).forUpdate().first();
    // It does nothing more. The other one waits for the lock, and gets it.
    await other.transaction(async (own) => {
      assert.ok((await own('audit_head').where({ id: 1 }).forUpdate().first()) !== undefined);
    });
    await assert.rejects(tx('audit_head').update({ count: 7 }));
    await tx.rollback().catch(() => {});
    const moment = await still.transaction(undefined, { readOnly: true });
    await moment.raw('SELECT 1');
    await other.raw('SELECT pg_sleep(0.6)');
    assert.equal((await moment('orgs')).length, 0, 'one that only reads may rest');
    await moment.rollback();
    assert.equal((await still('orgs')).length, 0, 'and the pool has another connection');
  });

  test('no connection to spare: it waits for one', async (t) => {
    const { settings } = await openFresh(t, 'postgres');
    const name = new URL(settings.database).pathname.slice(1);
    await connected(settings.database, async (client) => {
      // Superusers are not limited: a user of its own.
      await client.query(`CREATE ROLE few_${name} LOGIN PASSWORD 'x' CONNECTION LIMIT 1`);
      await client.query(`GRANT CREATE ON DATABASE ${name} TO few_${name}`);
    });
    t.after(() =>
      connected(settings.database, (client) =>
        client.query(`DROP OWNED BY few_${name}; DROP ROLE few_${name}`).catch(() => {}),
      ),
    );
    const url = new URL(settings.database);
    url.username = `few_${name}`;
    url.password = 'x';
    const holder = new pg.Client(url.href);
    await holder.connect();
    const opening = openSchema({ url: url.href, schema: 'few', connections: 1, isPooled: false, idleMs: 10_000 });
    await connected(settings.database, async (client) => {
      const waits = 'SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = $1';
      assert.equal((await client.query(waits, [`few_${name}`])).rows[0].n, 1);
    });
    await holder.end();
    const { instance } = await opening;
    await instance.destroy();
  });

  test('two transactions that wait for each other both succeed', async (t) => {
    const { control } = await openFresh(t, 'postgres');
    for (const id of ['one', 'two']) await insertOrg(control.write, sampleOrg(id));
    const attempts: string[] = [];
    let both = 0;
    let meet = () => {};
    const met = new Promise<void>((resolve) => {
      meet = resolve;
    });
    const change = (first: string, second: string) =>
      control.transact(async (tx) => {
        attempts.push(first);
        await tx('orgs').where({ id: first }).update({ name: first });
        if (++both >= 2) meet();
        await met;
        await tx('orgs').where({ id: second }).update({ name: first });
      });
    await Promise.all([change('one', 'two'), change('two', 'one')]);
    assert.equal(attempts.length, 3, 'the one that PostgreSQL ended was repeated');
  });
});

describe('nodes', () => {
  test('a run that one node opens is noticed by another at once, also after its connection was cut', async (t) => {
    const { settings, control } = await openFresh(t, 'postgres');
    await insertOrg(control.write, sampleOrg('acme'));
    let notices = 0;
    let told = () => {};
    const next = () =>
      new Promise<void>((resolve) => {
        told = resolve;
      });
    const other = await openControl(settings);
    t.after(() => other.close());
    const first = next();
    const stop = other.onRun!(() => {
      notices++;
      told();
    });
    t.after(stop);
    await first; // connected
    const opened = next();
    await openManualRun(control.write, 'acme', 1);
    await opened;
    const reconnected = next();
    await connected(settings.database, (client) =>
      client.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN%'",
      ),
    );
    await reconnected;
    assert.equal(notices, 3);
  });

  test('all nodes have the clock of the database server', async (t) => {
    const { control } = await openFresh(t, 'postgres');
    const machine = Date.now;
    t.after(() => {
      Date.now = machine;
    });
    Date.now = () => machine() + 7 * 60_000; // this machine is ahead
    const clock = await followClock(control);
    t.after(clock.stop);
    assert.ok(Math.abs(clock.now() - machine()) < 2_000);
    assert.ok(Math.abs(clock.skewMs() - 7 * 60_000) < 2_000);
  });
});

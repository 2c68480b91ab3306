/** PostgreSQL that answers and refuses: what Dropslot makes of each refusal, and that it works again when the administrator has mended it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { settingsSchema } from '../../config/settings.js';
import { type Db, openControl } from '../../db/connection.js';
import { insertOrg } from '../../db/control/orgs.js';
import { describeDatabaseFailure, isAnswerLost, isConnectionLost } from '../../db/error.js';
import { findWriteFault } from '../../db/postgres/writable.js';
import { classifyFailure } from '../../importer/run/failureclass.js';
import { createDatabase, openFresh } from '../support/databases.js';
import { sampleOrg } from '../support/samples.js';
import { until } from '../support/session.js';
import { startTcpProxy } from '../support/tcpproxy.js';
import { connected } from '../support/template.js';
import { openScope, type Scope, temporaryFolder } from '../support/temporary.js';

interface Limited {
  role: string;
  name: string;
  /** Of the role. */
  url: string;
  /** Of the administrator. */
  database: string;
  /** As the administrator, in the database. */
  administer(sql: string): Promise<void>;
  /** With the connections of the role. */
  open(t: Scope, url?: string): Promise<Db>;
}

/** A database that belongs to a role that is no superuser. */
async function openLimited(scope: Scope): Promise<Limited> {
  const url = new URL(await createDatabase(scope));
  const database = url.href;
  const name = url.pathname.slice(1);
  const role = `role_${name}`;
  const administer = (sql: string, where = database) =>
    connected(where, async (client) => void (await client.query(sql)));
  await administer(`CREATE ROLE ${role} LOGIN PASSWORD 'x'; ALTER DATABASE ${name} OWNER TO ${role}`);
  // Its database was dropped before.
  scope.after(() => administer(`DROP ROLE ${role}`, process.env.TEST_POSTGRES_URL!));
  url.username = role;
  url.password = 'x';
  const data = temporaryFolder(scope);
  const open = async (t: Scope, of = url.href) => {
    const control = await openControl(settingsSchema.parse({ data, database: of, databasePool: 2 }));
    t.after(() => control.close());
    return control;
  };
  return { role, name, url: url.href, database, administer, open };
}

/** A connection that holds the table of organizations until it ends. */
async function lockOrgs(t: Scope, database: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  t.after(() => client.end());
  await client.query('BEGIN; LOCK dropslot_control.orgs');
  return client;
}

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => assert.fail('it succeeded'),
    (error: Error) => error,
  );

/** null: it succeeded. */
const errorOf = (work: PromiseLike<unknown>) =>
  work.then(
    () => null,
    (error: Error) => error,
  );

describe('refusals', () => {
  const scope = openScope();
  let limited: Limited;
  before(async () => {
    limited = await openLimited(scope);
  });
  after(() => scope.close());

  interface Refusal {
    begin: string;
    end: string;
    says: RegExp;
    fault: RegExp | null;
    /** Another connection holds a lock on the table meanwhile. */
    isLocked?: true;
  }
  const refusals: Record<string, Refusal> = {
    'a privilege on a table': {
      begin: 'REVOKE INSERT ON dropslot_control.orgs FROM ROLE',
      end: 'GRANT INSERT ON dropslot_control.orgs TO ROLE',
      says: /permission denied for table orgs \(the role of Dropslot lacks privileges/,
      fault: /^the role \w+ lacks privileges on tables of Dropslot \((dropslot_control\.)?orgs\): .*GRANT ALL/,
    },
    'a schema': {
      begin: 'REVOKE ALL ON SCHEMA dropslot_control FROM ROLE',
      end: 'GRANT ALL ON SCHEMA dropslot_control TO ROLE',
      says: /relation "orgs" does not exist \(the role of Dropslot lacks privileges/,
      fault: /^the role \w+ lacks privileges on tables of Dropslot \(dropslot_control\./,
    },
    'read-only by default': {
      begin: 'ALTER ROLE ROLE SET default_transaction_read_only = on',
      end: 'ALTER ROLE ROLE RESET ALL',
      says: /read-only transaction \(the server is a standby, or default_transaction_read_only is on\)/,
      fault: /^the database takes no writes: default_transaction_read_only is on\. Set it to off for the role role_/,
    },
    'another password': {
      begin: "ALTER ROLE ROLE PASSWORD 'y'",
      end: "ALTER ROLE ROLE PASSWORD 'x'",
      says: /password authentication failed.* \(see the role and its password in the URL/,
      fault: null,
    },
    'a role that may not log in': {
      begin: 'ALTER ROLE ROLE NOLOGIN',
      end: 'ALTER ROLE ROLE LOGIN',
      says: /not permitted to log in \(see the role/,
      fault: null,
    },
    'a lock that is not granted in time': {
      begin: "ALTER ROLE ROLE SET lock_timeout = '100ms'",
      end: 'ALTER ROLE ROLE RESET ALL',
      says: /lock timeout/,
      fault: null,
      isLocked: true,
    },
    'a statement that takes too long': {
      // Long enough for each statement that waits for nothing.
      begin: "ALTER ROLE ROLE SET statement_timeout = '2s'",
      end: 'ALTER ROLE ROLE RESET ALL',
      says: /statement timeout/,
      fault: null,
      isLocked: true,
    },
  };

  test('each is a fault of the machine, says what to do, and is over when it is over', async (t) => {
    const { role, database, administer, open } = limited;
    const control = await open(t);
    t.after(() => administer(`ALTER ROLE ${role} RESET ALL`));
    assert.equal(await findWriteFault(control.write), null);
    const leave = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`;
    const ofRole = (sql: string) => sql.replaceAll('ROLE ROLE', `ROLE ${role}`).replace(/ROLE$/, role);
    for (const [name, { begin, end, says, fault, isLocked }] of Object.entries(refusals)) {
      await administer(ofRole(begin));
      await administer(leave);
      const locker = isLocked ? await lockOrgs(t, database) : null;
      let failure: Error | null = null;
      // A connection that was ended is noticed at its next use at the latest.
      await until(async () => {
        failure = await errorOf(control.transact((tx) => insertOrg(tx, sampleOrg('acme'))));
        if (failure === null) failure = await errorOf(control.write('orgs').del());
        return failure !== null && !isConnectionLost(failure);
      }, `refused: ${name}`);
      await locker?.end();
      assert.match(describeDatabaseFailure(failure) ?? String(failure), says, name);
      assert.equal(classifyFailure(failure), 'machine', name);
      if (fault !== null) assert.match((await findWriteFault(control.write)) ?? 'none', fault, name);
      await administer(ofRole(end));
      await administer(leave);
      await until(async () => (await errorOf(control.write('orgs').del())) === null, `over: ${name}`);
      await control.transact((tx) => insertOrg(tx, sampleOrg('acme')));
      await control.write('orgs').del();
      assert.equal(await findWriteFault(control.write), null, name);
    }
  });

  test('a URL that leads nowhere names what is wrong with it, and no statement', async (t) => {
    const { url, open } = limited;
    const other = (change: (url: URL) => void) => {
      const changed = new URL(url);
      change(changed);
      return changed.href;
    };
    const urls: [string, RegExp][] = [
      [
        other((one) => (one.pathname = '/no_such_database')),
        /can't be opened: database "no_such_database" does not exist \(see the name/,
      ],
      [other((one) => (one.password = 'wrong')), /can't be opened: password authentication failed .*\(see the role/],
      [
        other((one) => one.searchParams.set('sslmode', 'verify-full')),
        /can't be opened: The server does not support SSL connections/,
      ],
    ];
    for (const [to, says] of urls) {
      const failure = await failureOf(open(t, to));
      assert.match(failure.message, says);
      assert.equal(classifyFailure(failure), 'machine');
    }
  });

  test('a time limit for transactions is named, though the connection ends with it', async (t) => {
    const { open } = limited;
    const control = await open(t);
    const { rows } = await control.read.raw("SELECT current_setting('server_version_num')::int AS version");
    if (rows[0].version < 170_000) return t.skip('transaction_timeout came with PostgreSQL 17');
    const sleeping = "SET LOCAL transaction_timeout = '200ms'; SELECT pg_sleep(30)";
    const failure = await failureOf(control.transact((tx) => tx.raw(sleeping) as never));
    assert.match(describeDatabaseFailure(failure) ?? String(failure), /transaction timeout/);
    assert.ok(isConnectionLost(failure));
    assert.equal(isAnswerLost(failure), false);
    assert.equal((await control.read('orgs')).length, 0);
  });

  test('a time limit for idle sessions ends no connection of Dropslot', async (t) => {
    const { role, administer, open } = limited;
    await administer(`ALTER ROLE ${role} SET idle_session_timeout = '50ms'`);
    const control = await open(t);
    const server = async () => (await control.read.raw('SELECT pg_backend_pid() AS pid')).rows[0].pid;
    const before = await server();
    await administer('SELECT pg_sleep(0.3)');
    assert.equal(await server(), before);
  });
});

describe('answers that are none', () => {
  const row = (columns: number) => Buffer.from([0x44, 0, 0, 0, 6, columns >> 8, columns & 255]);
  const spoiled: Record<string, (bytes: Buffer) => Buffer> = {
    'of another protocol': (bytes) => Buffer.concat([Buffer.from('HTTP/1.1 502 Bad Gateway\r\n\r\n'), bytes]),
    'with a length that never ends': (bytes) => Buffer.concat([Buffer.from([0x44, 0x7f, 0xff, 0xff, 0xff]), bytes]),
    'with a length that is too short': (bytes) => Buffer.concat([Buffer.from([0x44, 0, 0, 0, 1]), bytes]),
    'with columns that are missing': (bytes) => Buffer.concat([row(700), bytes]),
    'cut in a message': (bytes) => bytes.subarray(0, bytes.length - 3),
    'with zeros': (bytes) => Buffer.alloc(bytes.length + 64),
  };
  for (const [name, change] of Object.entries(spoiled))
    test(`${name}: the statement fails, the process goes on with another connection`, async (t) => {
      const proxy = await startTcpProxy(t, Number(new URL(process.env.TEST_POSTGRES_URL!).port));
      const { settings } = await openFresh(t, 'postgres');
      const control = await openControl(
        settingsSchema.parse({ ...settings, database: proxy.through(settings.database) }),
      );
      t.after(() => control.close());
      await control.read('orgs');
      proxy.spoil(change);
      const failure = await failureOf(control.read('orgs') as never);
      assert.ok(isConnectionLost(failure), String(failure));
      assert.equal(classifyFailure(failure), 'machine');
      assert.ok(describeDatabaseFailure(await failureOf(control.read('orgs') as never)) !== null, 'nor can it connect');
      proxy.spoil(null);
      let isCommitting = false;
      const unknown = await failureOf(
        control.transact(async (tx) => {
          await insertOrg(tx, sampleOrg('acme'));
          isCommitting = true;
          proxy.spoil((bytes) => (bytes.includes('COMMIT') ? change(bytes) : bytes));
        }),
      );
      proxy.spoil(null);
      assert.ok(isCommitting && isAnswerLost(unknown), String(unknown));
      assert.equal((await control.read('orgs')).length, 1);
    });
});

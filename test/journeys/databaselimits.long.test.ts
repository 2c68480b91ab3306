/**
 * A server on a PostgreSQL whose administrator has set small time limits, that has no connection to spare, is slow, or ends its
 * transactions: each time the server says so, imports use up no attempt and go on by themselves, and uploads are accepted where they can be.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import SftpClient from 'ssh2-sftp-client';
import { openWorkplace } from '../../app/compose.js';
import { settingsSchema } from '../../config/settings.js';
import { openManualRun } from '../../db/control/runs.js';
import { addOrganization } from '../../operations/orgs.js';
import type { Workplace } from '../../operations/workplace.js';
import { createDatabase } from '../support/databases.js';
import { allowKey, newKeyPair } from '../support/keys.js';
import { type LogLine, type Served, startServe } from '../support/program.js';
import { startTcpProxy, type TcpProxy } from '../support/tcpproxy.js';
import { connected } from '../support/template.js';
import { temporaryFolder } from '../support/temporary.js';

interface Bench {
  /** As the administrator. */
  admin: pg.Client;
  role: string;
  name: string;
  proxy: TcpProxy;
  server: Served;
  place: Workplace;
  connect(): Promise<SftpClient>;
}

type Fault = (bench: Bench) => Promise<() => Promise<void>>;

/** A limit of the time, and a table of the directory that another client holds. */
const held =
  (limit: string): Fault =>
  async ({ admin, name, role }) => {
    await admin.query(`ALTER ROLE ${role} SET ${limit}`);
    await endConnections(admin, role);
    const holder = new pg.Client({ connectionString: urlOf(admin, name) });
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE dropslot_directory.users IN ACCESS EXCLUSIVE MODE');
    return async () => {
      await holder.query('ROLLBACK');
      await holder.end();
      await admin.query(`ALTER ROLE ${role} RESET ALL`);
    };
  };

/** The server says these; the run then ends although the fault may go on for a while. */
const faults: Record<string, { begin: Fault; says: RegExp | null }> = {
  lock_timeout: {
    begin: held("lock_timeout = '300ms'"),
    says: /the database failed: canceling statement due to lock timeout/,
  },
  statement_timeout: {
    begin: held("statement_timeout = '2s'"),
    says: /the database failed: canceling statement due to statement timeout/,
  },
  'no connection to spare': {
    begin: async ({ admin, role }) => {
      await admin.query(`ALTER ROLE ${role} CONNECTION LIMIT 0`);
      await endConnections(admin, role);
      return async () => void (await admin.query(`ALTER ROLE ${role} CONNECTION LIMIT -1`));
    },
    says: /the database failed: .*(too many connections|connection)/,
  },
  'serialization failures': {
    begin: async ({ admin, name }) => {
      const inside = (sql: string) => connected(urlOf(admin, name), (client) => client.query(sql));
      // Numbers of a sequence do not come back with the transaction. A transaction is repeated five times.
      await inside(`CREATE SEQUENCE public.tries; GRANT ALL ON SEQUENCE public.tries TO PUBLIC;
        CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF nextval('public.tries') <= 6 THEN RAISE 'could not serialize access' USING ERRCODE = '40001'; END IF; RETURN NULL; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON dropslot_directory.users FOR EACH STATEMENT EXECUTE FUNCTION public.refuse()`);
      return async () => void (await inside('DROP FUNCTION public.refuse() CASCADE'));
    },
    says: null,
  },
  'a slow network': {
    begin: async ({ proxy }) => {
      proxy.delay(40);
      return async () => proxy.delay(0);
    },
    says: null,
  },
};

function urlOf({ host, port }: pg.Client, name: string): string {
  const url = new URL(process.env.TEST_POSTGRES_URL!);
  url.host = `${host}:${port}`;
  url.pathname = `/${name}`;
  return url.href;
}

async function endConnections(admin: pg.Client, role: string): Promise<void> {
  await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [role]);
}

async function open(t: TestContext): Promise<Bench> {
  const url = new URL(await createDatabase(t));
  const name = url.pathname.slice(1);
  const admin = new pg.Client(process.env.TEST_POSTGRES_URL!);
  await admin.connect();
  const role = `limited_${name}`;
  await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'; ALTER DATABASE ${name} OWNER TO ${role}`);
  t.after(async () => {
    // Its database was dropped before.
    await admin.query(`DROP ROLE ${role}`);
    await admin.end();
  });
  url.username = role;
  url.password = 'x';
  const proxy = await startTcpProxy(t, Number(url.port));
  const data = temporaryFolder(t);
  const given = { data, databasePool: 3 };
  const made = await openWorkplace(settingsSchema.parse({ ...given, database: url.href }), { create: true });
  const key = newKeyPair();
  await addOrganization(made, 'acme', { ownerEmail: 'jane@acme.test', timeZone: 'UTC' }, true);
  await allowKey(made.control, 'acme', key);
  await made.close();
  // As the administrator, whom no fault concerns.
  const place = await openWorkplace(settingsSchema.parse({ ...given, database: urlOf(admin, name) }));
  t.after(() => place.close());
  const server = await startServe(t, {
    data,
    env: { DROPSLOT_DATABASE: proxy.through(url.href), DROPSLOT_IMPORTERS: '1', DROPSLOT_DATABASE_POOL: '3' },
  });
  const connect = async () => {
    const client = new SftpClient();
    client.on('error', () => {});
    await client.connect({ host: '127.0.0.1', port: server.port, username: 'acme', privateKey: key.private });
    return client;
  };
  return { admin, role, name, proxy, server, place, connect };
}

async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = performance.now() + 240_000; !(await isSo()); await sleep(200))
    assert.ok(performance.now() < deadline, `in vain: ${what}`);
}

const says = (words: RegExp) => (line: LogLine) => words.test(JSON.stringify(line));

test('small time limits, no connections, slow networks, serialization failures', async (t) => {
  const bench = await open(t);
  const { place, server, admin, role } = bench;
  for (const [n, [name, { begin, says: words }]] of Object.entries(faults).entries()) {
    const client = await bench.connect();
    await client.put(Buffer.from(`User Email\nuser${n}@acme.test\n`), `/users${n}.csv`);
    const told = server.log.length;
    const end = await begin(bench);
    const run = await openManualRun(place.control.write, 'acme', place.now());
    if (words !== null)
      await until(async () => server.log.slice(told).some(says(words)), `${name}: the server says ${words}`);
    if (/_timeout/.test(name)) await client.put(Buffer.from('User Email\n'), `/meanwhile${n}.csv`);
    await end();
    await client.end().catch(() => {});
    const state = async () => place.control.read('runs').where({ id: run }).first('state', 'attempts');
    await until(async () => (await state()).state === 'done', `${name}: the run is done`);
    assert.ok((await state()).attempts <= 1, `${name}: no attempt was used up`);
    const users = await place.directory.read('users').where({ email: `user${n}@acme.test` });
    assert.equal(users.length, 1, name);
    const { rows } = await admin.query('SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = $1', [role]);
    // The server, the scheduler and an importer, with two pools each, and the notices.
    assert.ok(rows[0].n <= 3 * 2 * 3 + 3, `${name}: ${rows[0].n} connections`);
    t.diagnostic(name);
  }
  assert.equal(await server.stop(), 0);
});

/** Two built servers behind PgBouncer in transaction mode: an upload to one that is killed, a restart of PgBouncer, the import by the other one at its slot. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import SftpClient from 'ssh2-sftp-client';
import { createDatabase } from '../support/databases.js';
import { newKeyPair } from '../support/keys.js';
import { lacksPooler, openPooler } from '../support/pooler.js';
import { askDropslot, startServe } from '../support/program.js';
import { until } from '../support/session.js';
import { temporaryFolder } from '../support/temporary.js';

/** The slot is a minute or two away; importers look once a second. */
const withinMs = 600_000;

test('an upload to A, A dies, PgBouncer restarts: B checks and imports it, and doctor finds nothing wrong', {
  skip: lacksPooler,
}, async (t) => {
  const pooler = await openPooler(t, await createDatabase(t), 20);
  const data = temporaryFolder(t);
  const env = { DROPSLOT_DATABASE: pooler.url, DROPSLOT_DATABASE_POOLER: 'transaction' };
  const node = { data, env };
  const ask = <Answer>(...args: string[]) => askDropslot<Answer>(args, node);
  await ask('orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable');
  const key = newKeyPair();
  const file = join(data, 'acme.pub');
  writeFileSync(file, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await ask('keys', 'add', 'acme', file);
  const [a, b] = await Promise.all([startServe(t, node), startServe(t, node)]);
  const visit = async (port: number, name: string, text: string) => {
    const client = new SftpClient();
    await client.connect({ host: '127.0.0.1', port, username: 'acme', privateKey: key.private });
    await client.put(Buffer.from(text), name);
    await client.end();
  };
  await visit(a.port, '/users.csv', 'User Email,Teams\nann@acme.test,Red\nben@acme.test,Red\n');
  await a.stop('SIGKILL');
  await pooler.restart();

  // Two minutes ahead, so that it is not over before it is set; of UTC, which has one day everywhere in this test.
  const slot = new Date(Date.now() + 120_000).toISOString().slice(11, 16);
  await ask('orgs', 'set', 'acme', `slot=${slot}`, 'timeZone=UTC');
  await visit(b.port, '/teams.csv', 'Team Name\nRed\n');
  const checks = async () => (await ask<{ check: string | null }[]>('queue', 'acme')).map(({ check }) => check).join();
  const isChecked = async () => (await checks()) === 'would_import,would_import';
  await until(isChecked, 'the early check, which nothing tells B of', withinMs);
  const users = async () => (await ask<{ email: string }[]>('users', 'list', 'acme')).map(({ email }) => email);
  await until(async () => (await users()).includes('ben@acme.test'), 'the import at the slot', withinMs);
  const runs = await ask<{ state: string }[]>('runs', 'list');
  assert.deepEqual(
    runs.map(({ state }) => state),
    ['done'],
  );
  const { wrong, findings } = await ask<{ wrong: number; findings: unknown[] }>('doctor');
  assert.equal(wrong, 0, JSON.stringify(findings));
  assert.equal(await b.stop(), 0);
});

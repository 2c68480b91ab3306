/** The built program is killed, server and importer together, while it imports a large file; then started again. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import SftpClient from 'ssh2-sftp-client';
import { settingsSchema } from '../../config/settings.js';
import { openControl } from '../../db/connection.js';
import { openManualRun } from '../../db/control/runs.js';
import type { RunSummary } from '../../importer/types.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, type Served, startServe } from '../support/program.js';
import { until } from '../support/session.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';
import { sequence } from './matrix.js';

const rows = 20_000;
/** A run is given up when it has died five times. */
const mostKills = 4;
const env = { DROPSLOT_LEASE_SECONDS: '1' };

interface RunShown {
  id: number;
  state: string;
  progress: { phase: string } | null;
  summary: RunSummary | null;
}

/** Each of eight has the same manager; the first has none. */
function generate(count: number): string {
  const lines = Array.from({ length: count }, (_, n) => {
    const manager = n === 0 ? '' : `u${n >> 3}@acme.test`;
    return `u${n}@acme.test,User ${n},${manager},Team ${n % 50},B${n}`;
  });
  return ['User Email,User Name,Manager Email,Teams,Badge', ...lines, ''].join('\n');
}

async function prepare(scope: Scope) {
  const data = temporaryFolder(scope);
  const key = newKeyPair();
  const publicKey = join(data, 'login.pub');
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], { data });
  writeFileSync(publicKey, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await askDropslot(['keys', 'add', 'acme', publicKey], { data });
  return { data, privateKey: key.private };
}

async function connect(server: Served, privateKey: string): Promise<SftpClient> {
  const client = new SftpClient();
  client.on('error', () => {});
  await client.connect({ host: '127.0.0.1', port: server.port, username: 'acme', privateKey });
  return client;
}

test('killed while importing, at any moment: applied once, archived once, reported once', async (t) => {
  const { data, privateKey } = await prepare(t);
  const random = sequence(20261122);
  let server = await startServe(t, { data, env });
  const client = await connect(server, privateKey);
  await client.put(Buffer.from(generate(rows)), '/users.csv');
  await client.end();
  const control = await openControl(settingsSchema.parse({ data }));
  await openManualRun(control.write, 'acme', Date.now());
  await control.close();

  let kills = 0;
  for (
    let latest = await latestRun(data);
    latest?.state !== 'done' && kills < mostKills;
    latest = await latestRun(data)
  ) {
    await sleep(200 + random() * 1800);
    await server.stop('SIGKILL');
    kills++;
    server = await startServe(t, { data, env });
  }
  await until(async () => (await latestRun(data))?.state === 'done', 'the run is done', 60_000);
  t.diagnostic(`killed ${kills} times`);

  const runs = await askDropslot<RunShown[]>(['runs', 'list', 'acme'], { data });
  assert.equal(runs.length, 1);
  const { summary } = await askDropslot<RunShown>(['runs', 'show', String(runs[0]!.id)], { data });
  assert.equal(summary!.users.created, rows);
  const users = await askDropslot<unknown[]>(['users', 'list', 'acme'], { data });
  assert.equal(users.length, rows + 1);
  const files = await askDropslot<{ path: string }[]>(['files', 'list', 'acme'], { data });
  const date = summary!.date;
  assert.deepEqual(
    files
      .map(({ path }) => path)
      // Whether a check came before the run, or a kill, is a matter of milliseconds.
      .filter((path) => /\.\w+$/.test(path) && !/^\/(?:templates\/|README\.txt$)|\.check\./.test(path))
      .sort(),
    [
      `/archive/${date}/users.csv`,
      `/archive/${date}/users.report.csv`, // the teams that only cells name
      `/reports/${date}/run-1.summary.json`,
      `/reports/${date}/run-1.summary.txt`,
      `/reports/${date}/users.report.csv`,
    ],
  );
  const again = await askDropslot<unknown[]>(['queue', 'acme'], { data });
  assert.deepEqual(again, []);
  assert.equal(await server.stop(), 0);
});

async function latestRun(data: string): Promise<RunShown | undefined> {
  return (await askDropslot<RunShown[]>(['runs', 'list', 'acme'], { data }))[0];
}

/**
 * A node that only takes uploads: no master key, none looked for, nothing opened; another node imports what it took. The
 * PostgreSQL is that of TEST_POSTGRES_URL.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import SftpClient from 'ssh2-sftp-client';
import type { RunSummary } from '../../importer/types.js';
import { createDatabase } from '../support/databases.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, runDropslot, type Served, startServe } from '../support/program.js';
import { until } from '../support/session.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

const users = 'User Email\nann@acme.test\n';

/** An organization with an imported file, and the master key taken to a folder of its own. */
async function prepare(scope: Scope, env: Record<string, string>) {
  const options = { data: temporaryFolder(scope), env };
  const key = newKeyPair();
  const publicKey = join(options.data, 'login.pub');
  writeFileSync(publicKey, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], options);
  await askDropslot(['keys', 'add', 'acme', publicKey], options);
  const away = join(temporaryFolder(scope), 'master.key');
  const local = join(options.data, 'keys', 'master.key');
  renameSync(local, away);
  return {
    options,
    local,
    privateKey: key.private,
    opening: { ...options, env: { ...env, DROPSLOT_MASTER_KEY: away } },
  };
}

async function connect(scope: Scope, server: Served, privateKey: string): Promise<SftpClient> {
  const client = new SftpClient();
  client.on('error', () => {});
  await client.connect({ host: '127.0.0.1', port: server.port, username: 'acme', privateKey });
  scope.after(() => client.end().then(() => {}));
  return client;
}

/** A pipe in the place of the master key: its writer ends as soon as anybody opens it for reading. */
function layTripwire(scope: Scope, path: string): { isTripped: () => boolean } {
  assert.equal(spawnSync('mkfifo', [path]).status, 0);
  const writer: ChildProcess = spawn('sh', ['-c', 'echo AGE-SECRET-KEY-1TRIPPED > "$0"', path]);
  let isTripped = false;
  writer.once('exit', () => {
    isTripped = true;
  });
  scope.after(() => {
    writer.kill('SIGKILL');
    rmSync(path, { force: true });
  });
  return { isTripped: () => isTripped };
}

/** Every function of the program that was called, as `keys/master/master.js: loadMaster`. */
function calledFunctions(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const { result } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Coverage;
    return result.flatMap(({ url, functions }) => {
      const file = /\/dist\/(.+)$/.exec(url)?.[1];
      const called = functions.filter(({ ranges }) => ranges[0]!.count > 0);
      return file === undefined ? [] : called.map(({ functionName }) => `${file}: ${functionName}`);
    });
  });
}

interface Coverage {
  result: { url: string; functions: { functionName: string; ranges: { count: number }[] }[] }[];
}

/** What opens an identity, or a file with one. */
const openers = [
  'keys/master/master.js: loadMaster',
  'keys/master/master.js: loadOrCreateMaster',
  'keys/master/master.js: readMaster',
  'keys/master/orgidentity.js: openOrgIdentity',
  'keys/master/orgidentity.js: openSealedIdentity',
  'keys/master/orgidentity.js: unseal',
  'keys/master/keyring.js: createKeyring',
  'config/secretsource.js: readSecret',
  'keys/master/secrets.js: readMaster',
  'storage/age.js: openHeader',
  'storage/age.js: openFileKey',
];

const isRefused = (error: Error) => /permission denied|takes files and opens none/i.test(error.message);

test('an intake node takes uploads, and opens no file and no identity', async (t) => {
  const { options, local, privateKey, opening } = await prepare(t, {});
  const tripwire = layTripwire(t, local);
  const coverage = join(options.data, 'coverage');
  mkdirSync(coverage);
  const server = await startServe(t, { ...options, args: ['--role', 'intake'], env: { NODE_V8_COVERAGE: coverage } });
  const client = await connect(t, server, privateKey);
  await client.put(Buffer.from(users), '/users.csv');
  await client.put(Buffer.from(users), '/users.csv');
  assert.deepEqual(
    (await client.list('/')).filter(({ type }) => type === '-').map(({ name, size }) => [name, size]),
    [['users.csv', users.length]],
  );
  await assert.rejects(client.get('/users.csv'), isRefused);
  await client.end();
  assert.equal(await server.stop(), 0);
  assert.equal(tripwire.isTripped(), false, 'somebody opened the master key');
  const called = calledFunctions(coverage);
  assert.ok(called.includes('intake/publish.js: publishUpload') && called.includes('storage/age.js: createHeader'));
  assert.deepEqual(
    openers.filter((opener) => called.includes(opener)),
    [],
  );
  rmSync(coverage, { recursive: true });

  // The names above are of functions that there are: a node that opens files calls them.
  const other = join(options.data, 'coverage-of-opening');
  mkdirSync(other);
  await askDropslot(['doctor', '--deep'], {
    ...opening,
    env: { ...opening.env, NODE_V8_COVERAGE: other },
  });
  const opened = calledFunctions(other);
  const never = ['keys/master/master.js: loadOrCreateMaster'];
  assert.deepEqual(
    openers.filter((opener) => !opened.includes(opener) && !never.includes(opener)),
    [],
  );
  rmSync(other, { recursive: true });

  const doctor = await runDropslot(['doctor'], { ...options, env: { DROPSLOT_ROLE: 'intake' } });
  assert.match(doctor.stdout, /needs no master key: remove it from this node/);
  const adding = ['orgs', 'add', 'globex', '--owner', 'joe@globex.test'];
  const refused = await runDropslot(adding, { ...options, env: { DROPSLOT_ROLE: 'intake' } });
  assert.match(refused.stderr, /accepts uploads only: it holds no key/);
  assert.equal(tripwire.isTripped(), false);

  const importer = await startServe(t, { ...opening, args: ['--role', 'import'] });
  assert.ok(!importer.log.some(({ message }) => message === 'listening'));
  const summary = await askDropslot<RunSummary>(['import', 'acme'], opening);
  assert.equal(summary.users.created, 1);
  assert.equal(await importer.stop(), 0);
});

test('on PostgreSQL an intake node and an importing node work side by side', async (t) => {
  const { options, local, privateKey, opening } = await prepare(t, { DROPSLOT_DATABASE: await createDatabase(t) });
  const tripwire = layTripwire(t, local);
  const intake = await startServe(t, { ...options, args: ['--role', 'intake'] });
  await startServe(t, { ...opening, args: ['--role', 'import'] });
  const client = await connect(t, intake, privateKey);
  await client.put(Buffer.from(users), '/users.csv');
  // The node that asks for the run has no key either: it leaves it to the one that has.
  const asking = { ...options, env: { ...options.env, DROPSLOT_ROLE: 'intake' } };
  const run = await askDropslot<RunSummary>(['import', 'acme'], asking);
  assert.equal(run.users.created, 1);
  await until(async () => (await client.list('/reports')).length === 1, 'the report is there');
  const [folder] = await client.list('/reports');
  const [report] = await client.list(`/reports/${folder!.name}`);
  await assert.rejects(client.get(`/reports/${folder!.name}/${report!.name}`), isRefused);

  // A new identity, made by the node with the key, seals the next upload of a session that was there before.
  const { recipient } = await askDropslot<{ recipient: string }>(['identity', 'rotate', 'acme'], opening);
  await client.put(Buffer.from(users), '/again.csv');
  await client.end();
  const again = await runDropslot(['files', 'cat', 'acme', '/again.csv'], opening);
  assert.equal(again.stdout, users);
  const [shown] = await askDropslot<{ recipient: string; filesToRewrap: number }[]>(
    ['identity', 'show', 'acme'],
    asking,
  );
  assert.deepEqual([shown!.recipient, shown!.filesToRewrap], [recipient, 0]);
  assert.equal(tripwire.isTripped(), false, 'somebody opened the master key');
});

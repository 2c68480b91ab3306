/** Two servers without a shared folder: PostgreSQL and an object store (OpenStack Swift), driven as the built program. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type ssh2 from 'ssh2';
import SftpClient from 'ssh2-sftp-client';
import { lacksCluster, startCluster } from '../support/cluster.js';
import { createDatabase } from '../support/databases.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, type RunOptions, runDropslot, type Served, startServe } from '../support/program.js';
import { until } from '../support/session.js';
import {
  missingSwift,
  type Passing,
  type StoreProxy,
  type Swift,
  startStoreProxy,
  startSwift,
  variablesOf,
} from '../support/swift.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

const options = { skip: missingSwift };
const swift = missingSwift === false ? await startSwift({ after }) : (null as never as Swift);
let prefixes = 0;
const nextPrefix = () => `nodes-${prefixes++}`;

interface Nodes {
  a: RunOptions;
  b: RunOptions;
  privateKey: string;
  proxy: StoreProxy;
}

/** The data folders of two servers: the second one has the keys, as configuration management would copy them, and nothing else. */
async function prepare(scope: Scope, change: Record<string, string> = {}): Promise<Nodes> {
  const proxy = await startStoreProxy(scope, swift);
  const database = change.DROPSLOT_DATABASE ?? (await createDatabase(scope));
  const env = {
    ...variablesOf(swift.settings(nextPrefix(), { endpoint: proxy.endpoint })),
    DROPSLOT_DATABASE: database,
    ...change,
  };
  const a = { data: temporaryFolder(scope), env };
  const b = { data: temporaryFolder(scope), env };
  const key = newKeyPair();
  const publicKey = join(a.data, 'login.pub');
  writeFileSync(publicKey, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  const first = await startServe(scope, a);
  await first.stop();
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], a);
  await askDropslot(['keys', 'add', 'acme', publicKey], a);
  mkdirSync(join(b.data, 'keys'), { mode: 0o700 });
  cpSync(join(a.data, 'keys', 'master.key'), join(b.data, 'keys', 'master.key'));
  return { a, b, privateKey: key.private, proxy };
}

function copyHostKeys({ a, b }: Nodes): void {
  cpSync(join(a.data, 'keys', 'host'), join(b.data, 'keys', 'host'), { recursive: true });
}

async function connect(scope: Scope, server: Served, privateKey: string): Promise<SftpClient> {
  const client = new SftpClient();
  client.on('error', () => {});
  await client.connect({ host: '127.0.0.1', port: server.port, username: 'acme', privateKey });
  scope.after(() => client.end().catch(() => {}) as Promise<void>);
  return client;
}

/** Few rows of much text: an import of many takes long. */
const rowsOf = (count: number) => {
  const rows = Array.from({ length: count }, (_, at) => `user${at}@acme.test,${'x'.repeat(8000)} ${at}\n`);
  return `User Email,Note\n${rows.join('')}`;
};

test('uploads on one server, imports on the other, archive and report on the first', options, async (t) => {
  const nodes = await prepare(t);
  const { a, b, privateKey } = nodes;
  const refused = await runDropslot(['serve', '--port', '0', '--host', '127.0.0.1'], { ...b, timeoutMs: 30_000 });
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /copy the files ssh_host_\* of another of its servers/);
  copyHostKeys(nodes);
  const onA = await startServe(t, a);
  const onB = await startServe(t, b);
  const client = await connect(t, onA, privateKey);
  const content = rowsOf(1200);
  assert.ok(content.length > 8 * 1024 ** 2);
  await client.put(Buffer.from(content), '/users.csv');
  const summary = await askDropslot<{ users: { created: number } }>(['import', 'acme'], b);
  assert.equal(summary.users.created, 1200);
  const [day] = (await client.list('/archive')).map(({ name }) => name);
  const archived = (await client.list(`/archive/${day}`)).find(({ name }) => name.startsWith('users'))!;
  assert.ok(Buffer.from(content).equals((await client.get(`/archive/${day}/${archived.name}`)) as Buffer));
  const reports = await client.list(`/reports/${day}`);
  assert.ok(reports.length > 0);
  for (const { name } of reports) assert.ok(((await client.get(`/reports/${day}/${name}`)) as Buffer).length > 0);
  assert.equal((await askDropslot<{ whole: boolean }>(['doctor', '--deep'], b)).whole, true);
  const status = await askDropslot<{ store: { name: string; fault: string | null } }>(['status'], a);
  assert.equal(status.store.fault, null);
  for (const { data } of [a, b])
    assert.ok(!existsSync(join(data, 'blobs')) || readdirSync(join(data, 'blobs')).length === 0);
  const rotated = await runDropslot(['identity', 'rotate', 'acme'], { ...b, timeoutMs: 120_000 });
  assert.equal(rotated.code, 0, rotated.stderr);
  assert.ok(Buffer.from(content).equals((await client.get(`/archive/${day}/${archived.name}`)) as Buffer));
  await client.end();
  assert.deepEqual(await Promise.all([onA.stop(), onB.stop()]), [0, 0]);
});

/** Opens a file for writing and sends bytes, without closing it. */
async function sendPart(client: SftpClient, content: Buffer, bytes: number): Promise<void> {
  const { sftp } = client as unknown as { sftp: ssh2.SFTPWrapper };
  const handle = await new Promise<Buffer>((resolve, reject) =>
    sftp.open('/users.csv', 'w', (error, opened) => (error ? reject(error) : resolve(opened))),
  );
  for (let at = 0; at < bytes; at += 32_768) {
    const length = Math.min(32_768, bytes - at);
    await new Promise<void>((resolve, reject) =>
      sftp.write(handle, content, at, length, at, (error) => (error ? reject(error) : resolve())),
    );
  }
}

for (const resumed of ['the other server', 'the same server, started again'] as const)
  test(`a server is killed in the middle of an upload, which ${resumed} resumes`, options, async (t) => {
    const nodes = await prepare(t);
    copyHostKeys(nodes);
    const { a, b, privateKey, proxy } = nodes;
    const onA = await startServe(t, a);
    const content = Buffer.from(rowsOf(1600));
    const client = await connect(t, onA, privateKey);
    await sendPart(client, content, 11 * 1024 ** 2);
    const parts = () => proxy.seen.filter(({ action }) => action === 'HeadObject' || action === 'UploadPart').length;
    await until(() => parts() >= 2, 'two parts in the store');
    await onA.stop('SIGKILL');
    const next = await startServe(t, resumed === 'the other server' ? b : a);
    const again = await connect(t, next, privateKey);
    // Not before the lease of the dead server has expired.
    let kept = 0;
    for (const deadline = Date.now() + 60_000; kept === 0 && Date.now() < deadline; )
      kept = ((await again.stat('/users.csv').catch(() => null))?.size as number | undefined) ?? 0;
    assert.ok(kept >= 5_000_000 && kept <= 11 * 1024 ** 2, String(kept));
    await again.append(content.subarray(kept), '/users.csv');
    const read = (await again.get('/users.csv')) as Buffer;
    assert.ok(content.equals(read));
    const summary = await askDropslot<{ users: { created: number } }>(['import', 'acme'], a);
    assert.equal(summary.users.created, 1600);
    assert.equal(await next.stop(), 0);
    rmSync(join(a.data, 'partials'), { recursive: true, force: true });
  });

test('a store that is away: the CLOSE fails, status and doctor say so, and nothing is queued', options, async (t) => {
  const { a, privateKey, proxy } = await prepare(t, { DROPSLOT_BLOB_RETRY_SECONDS: '1' });
  const onA = await startServe(t, a);
  const client = await connect(t, onA, privateKey);
  await client.put(Buffer.from('User Email\nann@acme.test\n'), '/users.csv');
  await proxy.stop();
  await assert.rejects(client.put(Buffer.from('User Email\nbob@acme.test\n'), '/more.csv'));
  const queue = await askDropslot<unknown[]>(['queue', 'acme'], a);
  assert.equal(queue.length, 1);
  const status = await runDropslot(['status'], a);
  assert.match(status.stdout, /Object store: +PROBLEM: s3:\/\/dropslot-test/);
  const doctor = await runDropslot(['doctor'], a);
  assert.match(doctor.stdout, /can't be used/);
  await proxy.start();
  await client.put(Buffer.from('User Email\nbob@acme.test\n'), '/more.csv');
  assert.equal((await askDropslot<unknown[]>(['queue', 'acme'], a)).length, 2);
  await client.end();
  assert.equal(await onA.stop(), 0);
});

/** docs/scaling.md counts with these. */
test('the requests that an upload, its check and its import cost', options, async (t) => {
  const { a, privateKey, proxy } = await prepare(t);
  const onA = await startServe(t, a);
  const client = await connect(t, onA, privateKey);
  const count = () => {
    const counts: Record<string, number> = {};
    // One that the store failed is sent again, and the daily clean-up begins: on a busy machine just now.
    const isOfFile = ({ status, action, url }: Passing) =>
      status !== null && status < 500 && !action.startsWith('List') && !/\/installation(\?|$)/.test(url);
    for (const { action } of proxy.seen.splice(0).filter(isOfFile)) counts[action] = (counts[action] ?? 0) + 1;
    return counts;
  };
  const put = async (name: string) => {
    count();
    await client.put(Buffer.from(`User Email\n${name}@acme.test\n`), `/${name}.csv`);
    return count();
  };
  const check = (id: number) =>
    onA.waitForLog(({ message, upload }) => message === 'checked before any import' && upload === id);
  await put('first'); // The first one of a process finds out whether the store knows conditions.
  await check(1);
  // Swift knows none: one HeadObject is in the place of the condition.
  assert.deepEqual(await put('second'), { PutObject: 1, HeadObject: 2 });
  await check(2);
  const checked = count();
  await askDropslot(['import', 'acme'], a);
  const imported = count();
  t.diagnostic(`a check: ${JSON.stringify(checked)}; an import of two files: ${JSON.stringify(imported)}`);
  // The file, and what a check writes beside it: three reports, each as an upload.
  assert.deepEqual({ ...checked, GetObject: 0 }, { PutObject: 3, HeadObject: 6, GetObject: 0 });
  assert.ok(checked.GetObject! <= 4);
  await client.end();
  assert.equal(await onA.stop(), 0);
});

test('a backup of database and store, restored into another of each; then the key is destroyed', {
  skip: missingSwift || lacksCluster,
}, async (t) => {
  const cluster = await startCluster(t);
  const pgDump = { DROPSLOT_PG_DUMP: '/usr/lib/postgresql/15/bin/pg_dump' };
  const { a, privateKey } = await prepare(t, { DROPSLOT_DATABASE: cluster.url, ...pgDump });
  const onA = await startServe(t, a);
  const client = await connect(t, onA, privateKey);
  const content = rowsOf(1200);
  await client.put(Buffer.from(content), '/users.csv');
  await askDropslot(['import', 'acme'], a);
  await client.put(Buffer.from('User Email\nann@acme.test\n'), '/more.csv');
  await client.end();
  const backup = join(temporaryFolder(t), 'backup');
  assert.equal((await runDropslot(['backup', backup], a)).code, 0);
  assert.equal(await onA.stop(), 0);
  const other = await startCluster(t);
  const env = { ...a.env, ...variablesOf(swift.settings(nextPrefix())), DROPSLOT_DATABASE: other.url };
  const restored = { data: join(temporaryFolder(t), 'data'), env };
  const ran = await runDropslot(['restore', backup, '--master-key', join(a.data, 'keys', 'master.key')], restored);
  assert.equal(ran.code, 0, ran.stderr);
  assert.equal((await askDropslot<{ whole: boolean }>(['doctor', '--deep'], restored)).whole, true);
  const summary = await askDropslot<{ users: { created: number } }>(['import', 'acme'], restored);
  assert.equal(summary.users.created, 1);
  const files = await askDropslot<{ path: string; size: number }[]>(['files', 'list', 'acme', '/archive'], restored);
  const { path } = files.find(({ size }) => size === content.length)!;
  assert.equal((await runDropslot(['files', 'cat', 'acme', path], restored)).stdout, content);
  assert.equal((await runDropslot(['identity', 'destroy', 'acme', '--yes'], restored)).code, 0);
  assert.notEqual((await runDropslot(['files', 'cat', 'acme', path], restored)).code, 0);
});

/** The example of three nodes, on one machine: its settings files, an upload to one node, the import while that one is gone. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import SftpClient from 'ssh2-sftp-client';
import { createDatabase } from '../support/databases.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, startServe } from '../support/program.js';
import { until } from '../support/session.js';
import { missingSwift, startSwift } from '../support/swift.js';
import { freePort } from '../support/tcpproxy.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

const examples = join(import.meta.dirname, '../../examples/three-nodes');
const readExample = (name: string) => JSON.parse(readFileSync(join(examples, name), 'utf8'));
const lacksHaproxy = spawnSync('haproxy', ['-v']).status === 0 ? false : 'needs HAProxy (Debian package: haproxy)';

/** @param here settings with addresses and folders of one machine in place of those of five */
async function bringUp(t: Scope, given: object, here: object, isShared: boolean): Promise<void> {
  const folders = isShared ? Array(3).fill(temporaryFolder(t)) : [0, 1, 2].map(() => temporaryFolder(t));
  const nodes = folders.map((data: string) => {
    const config = join(data, 'dropslot.json');
    writeFileSync(config, JSON.stringify({ ...given, data, monitor: '127.0.0.1:0', ...here }), { mode: 0o600 });
    return { data, args: ['--config', config] };
  });
  const [a] = nodes;
  const ask = <Answer>(...args: string[]) => askDropslot<Answer>([...args, ...a!.args], { data: a!.data });
  if (!isShared) await (await startServe(t, a!)).stop();
  await ask('orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable');
  const key = newKeyPair();
  const file = join(a!.data, 'acme.pub');
  writeFileSync(file, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await ask('keys', 'add', 'acme', file);
  if (!isShared) for (const { data } of nodes.slice(1)) copyKeys(a!.data, data);
  const first = await startServe(t, a!);
  const others = await Promise.all(nodes.slice(1).map((node) => startServe(t, node)));
  const connect = async (port: number) => {
    const client = new SftpClient();
    await client.connect({ host: '127.0.0.1', port, username: 'acme', privateKey: key.private });
    return client;
  };
  const atA = await connect(first.port);
  await atA.put(Buffer.from('User Email\nann@acme.test\n'), '/users.csv');
  await atA.end();
  await first.stop('SIGKILL');
  const run = await ask<{ users: { created: number } }>('import', 'acme');
  assert.equal(run.users.created, 1);
  const atC = await connect(others[1]!.port);
  const archive = await atC.list('/archive');
  assert.equal(archive.length, 1);
  await atC.end();
  assert.deepEqual(await Promise.all(others.map((node) => node.stop())), [0, 0]);
}

function copyKeys(from: string, to: string): void {
  mkdirSync(join(to, 'keys'), { mode: 0o700 });
  for (const name of ['master.key', 'host'])
    cpSync(join(from, 'keys', name), join(to, 'keys', name), { recursive: true });
}

test('a shared folder: upload to A, A dies, the import of the file, and its report from C', async (t) => {
  await bringUp(t, readExample('dropslot.json'), { database: await createDatabase(t) }, true);
});

test('HAProxy in front of a node: the session has the address of the client', { skip: lacksHaproxy }, async (t) => {
  const data = temporaryFolder(t);
  const config = join(data, 'dropslot.json');
  const here = { data, database: await createDatabase(t), monitor: '127.0.0.1:0', proxies: '127.0.0.1/32' };
  writeFileSync(config, JSON.stringify({ ...readExample('dropslot.json'), ...here }), { mode: 0o600 });
  const node = { data, args: ['--config', config] };
  const ask = <Answer>(...args: string[]) => askDropslot<Answer>([...args, ...node.args], node);
  await ask('orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable');
  const key = newKeyPair();
  const file = join(data, 'acme.pub');
  writeFileSync(file, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await ask('keys', 'add', 'acme', file);
  const served = await startServe(t, node);
  const { port: monitor } = served.log.find(({ message }) => message === 'answering monitors')!;
  const port = await freePort();
  const proxyFile = join(data, 'haproxy.cfg');
  const proxyText = readFileSync(join(examples, 'haproxy.cfg'), 'utf8')
    .replace(':22\n', `127.0.0.1:${port}\n`)
    .replace('a.example:2222', `127.0.0.1:${served.port}`)
    .replace('9100', String(monitor))
    .replace(/^ *server [bc] .*\n/gm, '');
  writeFileSync(proxyFile, proxyText);
  const proxy = spawn('haproxy', ['-f', proxyFile], { stdio: 'ignore' });
  t.after(async () => {
    const ended = once(proxy, 'exit');
    proxy.kill();
    await ended;
  });
  const client = new SftpClient();
  const place = { host: '127.0.0.1', port, localAddress: '127.0.0.2' };
  const [yes, no] = [() => true, () => false];
  const connect = () => client.connect({ ...place, username: 'acme', privateKey: key.private });
  await until(() => connect().then(yes, no), 'HAProxy listens, and has found the node ready');
  await client.put(Buffer.from('User Email\nann@acme.test\n'), '/users.csv');
  const sessions = await ask<{ address: string }[]>('sessions', 'list');
  assert.deepEqual(
    sessions.map(({ address }) => address),
    ['127.0.0.2'],
  );
  await client.end();
  assert.equal(await served.stop(), 0);
});

test('an object store: the same, with a data folder for each node', { skip: missingSwift }, async (t) => {
  const { blobs, blobEndpoint, blobAccessKey, blobSecretKey, ...given } = readExample('dropslot.store.json');
  assert.ok(blobs && blobEndpoint && blobAccessKey && blobSecretKey);
  const swift = await startSwift(t);
  await bringUp(t, given, { ...swift.settings('files'), database: await createDatabase(t) }, false);
});

/** The example of three nodes, on one machine: its settings files, an upload to one node, the import while that one is gone. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import SftpClient from 'ssh2-sftp-client';
import { createDatabase } from '../support/databases.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, startServe } from '../support/program.js';
import { missingSwift, startSwift } from '../support/swift.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

const readExample = (name: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, '../../examples/three-nodes', name), 'utf8'));

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

test('an object store: the same, with a data folder for each node', { skip: missingSwift }, async (t) => {
  const { blobs, blobEndpoint, blobAccessKey, blobSecretKey, ...given } = readExample('dropslot.store.json');
  assert.ok(blobs && blobEndpoint && blobAccessKey && blobSecretKey);
  const swift = await startSwift(t);
  await bringUp(t, given, { ...swift.settings('files'), database: await createDatabase(t) }, false);
});

/** The example of three nodes, on one machine: its settings file, an upload to one node, the import while that one is gone. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import SftpClient from 'ssh2-sftp-client';
import { createDatabase } from '../support/databases.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, startServe } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

const example = join(import.meta.dirname, '../../examples/three-nodes/dropslot.json');

test('upload to A, A dies, the import of the file, and its report from C', async (t) => {
  const data = temporaryFolder(t);
  const config = join(data, 'dropslot.json');
  const given = JSON.parse(readFileSync(example, 'utf8'));
  // What one machine has in place of five.
  const here = { data, database: await createDatabase(t), monitor: '127.0.0.1:0' };
  writeFileSync(config, JSON.stringify({ ...given, ...here }), { mode: 0o600 });
  const options = { data };
  const ask = <Answer>(...args: string[]) => askDropslot<Answer>([...args, '--config', config], options);
  await ask('orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable');
  const key = newKeyPair();
  const file = join(data, 'acme.pub');
  writeFileSync(file, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await ask('keys', 'add', 'acme', file);
  const args = ['--config', config];
  const first = await startServe(t, { ...options, args });
  const others = await Promise.all([1, 2].map(() => startServe(t, { ...options, args })));
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
});

/** What a sender sees of dry runs, early checks and templates, over SFTP, beside a running server. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import SftpClient from 'ssh2-sftp-client';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, startServe } from '../support/program.js';
import { until } from '../support/session.js';
import { temporaryFolder } from '../support/temporary.js';

const patienceMs = 60_000;

test('a dry run and a missing comma are told at once; templates are there to begin with', async (t) => {
  const data = temporaryFolder(t);
  const key = newKeyPair();
  const publicKey = join(temporaryFolder(t), 'login.pub');
  writeFileSync(publicKey, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], { data });
  await askDropslot(['keys', 'add', 'acme', publicKey], { data });
  const server = await startServe(t, { data });
  const client = new SftpClient();
  client.on('error', () => {});
  t.after(() => client.end());
  await client.connect({ host: '127.0.0.1', port: server.port, username: 'acme', privateKey: key.private });

  await client.put(Buffer.from('User Email,Teams\nann@acme.test,Sales\n'), '/dry-run/users.csv');
  await client.put(Buffer.from('User Emial,Teams\nbob@acme.test,Sales\n'), '/users.csv');
  const textOf = async (name: string): Promise<string> => {
    for (const { name: day } of await client.list('/reports'))
      if (await client.exists(`/reports/${day}/${name}`))
        return (await client.get(`/reports/${day}/${name}`)).toString();
    return '';
  };
  for (const [name, told] of [
    ['users.dry-run.txt', 'This file would be imported: 1 row of users.'],
    ['users.check.txt', 'This file would be refused'],
  ] as const)
    await until(async () => (await textOf(name)).includes(told), name, patienceMs);
  assert.match(await textOf('users.check.csv'), /no_key_column/);

  const templates = async () => (await client.list('/templates')).map(({ name }) => name).sort();
  await until(async () => (await templates()).length === 3, 'the templates are there', patienceMs);
  const template = (await client.get('/templates/users.csv')) as Buffer;
  assert.equal((await client.stat('/templates/users.csv')).size, template.length);
  assert.match(template.toString(), /^User Email,User Name,/);
  await assert.rejects(client.put(Buffer.from('x'), '/templates/users.csv'));
  assert.ok((await client.list('/')).some(({ name }) => name === 'README.txt'));
  const readme = (await client.get('/README.txt')) as Buffer;
  assert.equal((await client.stat('/README.txt')).size, readme.length);
  assert.match(readme.toString(), /^The file drop of acme\n[\s\S]*The next import is on /i);
  await assert.rejects(client.put(Buffer.from('x'), '/README.txt'));
  await assert.rejects(client.delete('/README.txt'));
  await assert.rejects(client.rename('/README.txt', '/mine.txt'));

  const [queued] = await askDropslot<Record<string, unknown>[]>(['queue'], { data });
  const { org, path, check, heldRun } = queued!;
  assert.deepEqual(
    { org, path, check, heldRun },
    { org: 'acme', path: '/users.csv', check: 'would_refuse', heldRun: null },
  );
  const [listed] = await askDropslot<Record<string, unknown>[]>(['orgs', 'list'], { data });
  assert.deepEqual(listed!.checks, { wouldImport: 0, wouldHold: 0, wouldRefuse: 1, unchecked: 0 });
  const shown = await askDropslot<Record<string, Record<string, unknown>>>(['orgs', 'show', 'acme'], { data });
  assert.deepEqual([shown.lastFile!.path, shown.lastRun], ['/users.csv', null]);
  assert.ok(Number(shown.stored!.bytes) > 0 && Number(shown.stored!.maxBytes) > 0);
  const sessions = () => askDropslot<{ filesReceived: number }[]>(['sessions', 'list'], { data });
  await until(async () => (await sessions())[0]?.filesReceived === 2, 'the session is listed', patienceMs);

  const users = await askDropslot<{ email: string }[]>(['users', 'list', 'acme'], { data });
  assert.deepEqual(
    users.map(({ email }) => email),
    ['jane@acme.test'],
  );
  const queue = await askDropslot<{ path: string }[]>(['queue', 'acme'], { data });
  assert.deepEqual(
    queue.map(({ path }) => path),
    ['/users.csv'],
  );
});

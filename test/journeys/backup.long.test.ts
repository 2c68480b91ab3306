/** The built program: a backup while clients upload, the machine lost, another one that goes on from the backup. */
import assert from 'node:assert/strict';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import SftpClient from 'ssh2-sftp-client';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, runDropslot, type Served, startServe } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

interface Found {
  wrong: string[];
  findings: { level: string; message: string }[];
}

test('what was acknowledged before the backup is imported once by the restored server', async (t) => {
  const [lost, folder, data] = [
    temporaryFolder(t),
    join(temporaryFolder(t), 'backup'),
    join(temporaryFolder(t), 'data'),
  ];
  const elsewhere = temporaryFolder(t);
  const key = newKeyPair();
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], { data: lost });
  const publicKey = join(elsewhere, 'login.pub');
  writeFileSync(publicKey, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await askDropslot(['keys', 'add', 'acme', publicKey], { data: lost });
  // Once, and somewhere else than the backups.
  cpSync(join(lost, 'keys', 'master.key'), join(elsewhere, 'master.key'));

  const server = await startServe(t, { data: lost, args: ['--role', 'intake'] });
  const met: string[] = [];
  const client = await connect(server, key.private, met);
  await client.put(Buffer.from('User Email\nann@acme.test\n'), '/ann.csv');
  let isOver = false;
  const uploading = (async () => {
    for (let file = 0; !isOver; file++) {
      await client.put(Buffer.from(`User Email\nu${file}@acme.test\n`), '/busy.csv');
      await client.put(Buffer.from('x'), `/gone-${file}.part`);
      await client.delete(`/gone-${file}.part`);
    }
  })();
  const report = await runDropslot(['backup', folder], { data: lost });
  isOver = true;
  await uploading;
  assert.equal(report.code, 0, report.stderr);
  assert.match(report.stderr, /The backup does not include the master key/);
  await client.end();
  await server.stop('SIGKILL');
  rmSync(lost, { recursive: true });

  const restored = await askDropslot<Found>(['restore', folder, '--master-key', join(elsewhere, 'master.key')], {
    data,
  });
  assert.deepEqual([restored.wrong, restored.findings.filter(({ level }) => level === 'wrong')], [[], []]);
  const again = await startServe(t, { data });
  const back = await connect(again, key.private, met);
  assert.equal(met[1], met[0], 'the host key');
  assert.ok((await back.list('/')).some(({ name }) => name === 'ann.csv'));
  await askDropslot(['import', 'acme'], { data });
  const users = await askDropslot<{ email: string }[]>(['users', 'list', 'acme'], { data });
  assert.equal(users.filter(({ email }) => email === 'ann@acme.test').length, 1);
  assert.equal((await askDropslot<{ email: string }[]>(['queue', 'acme'], { data })).length, 0);
  assert.deepEqual(
    (await back.list('/')).filter(({ name }) => name.endsWith('.csv')),
    [],
  );
  await back.end();
  assert.equal(await again.stop(), 0);
});

/** `met` gets the fingerprint of the server's host key. */
async function connect(server: Served, privateKey: string, met: string[]): Promise<SftpClient> {
  const client = new SftpClient();
  const hostVerifier = (fingerprint: string) => met.push(fingerprint) > 0;
  const host = { host: '127.0.0.1', port: server.port, username: 'acme', privateKey };
  await client.connect({ ...host, hostHash: 'sha256', hostVerifier });
  return client;
}

/** The built program and the real gpg: an encrypted file is imported, and the reports on it are encrypted. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import SftpClient from 'ssh2-sftp-client';
import { newKeyPair } from '../support/keys.js';
import { runDropslot, startServe } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

const skip = spawnSync('gpg', ['--version']).status !== 0 && 'gpg is not installed';
const csv = 'User Email,User Name\nann@acme.test,Ann\nbroken\n';

test('an encrypted and signed file is imported, and its reports are encrypted', { skip }, async (t) => {
  const folder = temporaryFolder(t);
  const data = join(folder, 'data');
  const home = join(folder, 'gnupg');
  mkdirSync(home, { mode: 0o700 });
  t.after(() => spawnSync('gpgconf', ['--homedir', home, '--kill', 'all']));
  const gpg = (args: string[], input: string | Buffer = '') => {
    const all = ['--homedir', home, '-q', '--batch', '--trust-model', 'always', '--pinentry-mode', 'loopback'];
    const ran = spawnSync('gpg', [...all, '--passphrase', '', ...args], { input });
    assert.equal(ran.status, 0, String(ran.stderr));
    return ran.stdout;
  };
  const dropslot = (args: string[], input: string | Buffer = '') => runDropslot(args, { data, input });

  await dropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable']);
  const pair = newKeyPair();
  await dropslot(['keys', 'add', 'acme', '-'], `${pair.public.algorithm} ${pair.public.publicKey}\n`);
  gpg(['--quick-gen-key', 'Payroll <payroll@acme.test>', 'future-default', 'default', 'never']);
  const input = gpg(['--armor', '--export', 'payroll@acme.test']);
  const imported = await dropslot(['pgp', 'import', 'acme', '-', '--json'], input);
  const { fingerprint } = JSON.parse(imported.stdout) as { fingerprint: string };
  const settings = [`requireSignature=${fingerprint}`, `reportsTo=${fingerprint}`, 'requireEncryption=yes'];
  assert.equal((await dropslot(['orgs', 'set', 'acme', ...settings])).code, 0);
  assert.match((await dropslot(['pgp', 'revoke', 'acme', fingerprint])).stderr, /first choose another one/);

  // The old key opens files after a rotation of the PGP keys, and after one of the identity that seals them.
  await dropslot(['pgp', 'generate', 'acme', '--type', 'curve25519']);
  gpg(['--import'], (await dropslot(['pgp', 'export-public', 'acme'])).bytes);
  const sent = gpg(['--encrypt', '-r', 'acme@dropslot.invalid', '--sign', '-u', 'payroll@acme.test'], csv);
  await dropslot(['pgp', 'rotate', 'acme', '--type', 'nistp256']);
  assert.equal((await dropslot(['identity', 'rotate', 'acme', '--wait', '5'])).code, 0);

  const server = await startServe(t, { data });
  const client = new SftpClient();
  await client.connect({ host: '127.0.0.1', port: server.port, username: 'acme', privateKey: pair.private });
  t.after(() => void client.end().catch(() => {}));
  await client.put(sent, '/users.csv.pgp');
  const { stdout } = await dropslot(['import', 'acme', '--json']);
  assert.match(stdout, /"state": "imported"/, stdout);
  assert.match((await dropslot(['users', 'list', 'acme'])).stdout, /ann@acme.test/);

  const [day] = await client.list('/reports');
  const reports = (await client.list(`/reports/${day!.name}`)).map(({ name }) => name);
  assert.ok(reports.includes('users.csv.pgp.report.csv.pgp'), reports.join());
  for (const name of reports) {
    const text = gpg(['--decrypt'], (await client.get(`/reports/${day!.name}/${name}`)) as Buffer).toString();
    if (name.includes('.report.')) assert.match(text, /cell_count/);
    if (name.includes('.rejected.')) assert.match(text, /broken/);
  }
  assert.deepEqual(await client.get(`/archive/${day!.name}/users.csv.pgp`), sent);
  const published = String(await client.get('/templates/pgp-public-key.asc'));
  assert.equal(published.trim(), (await dropslot(['pgp', 'export-public', 'acme'])).stdout.trim());
  const audit = (await dropslot(['audit', 'export'])).stdout;
  for (const action of ['pgp.generated', 'pgp.imported', 'pgp.rotated']) assert.ok(audit.includes(action), action);
});

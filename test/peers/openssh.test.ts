/** OpenSSH's sftp, scp and ssh. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { statSync, utimesSync } from 'node:fs';
import { test } from 'node:test';
import { userSignatures } from '../../src/server/algorithms.js';
import { allowKey, newKeyPair } from '../support/keys.js';
import { layPeerTable, missing, type PeerTable, type Ran } from '../support/peers.js';
import { until } from '../support/session.js';

const skip = missing('sftp', 'openssh-client');
const content = randomBytes(100_000);

function sftp(table: PeerTable, commands: readonly string[], options: readonly string[] = []): Promise<Ran> {
  const args = ['-b', '-', '-P', String(table.port), ...table.sshOptions(), ...options, `acme@${table.host}`];
  return table.run('sftp', args, `${commands.join('\n')}\n`);
}

function succeed({ code, stdout, stderr }: Ran): string {
  assert.equal(code, 0, stderr || stdout);
  return stdout;
}

test('sftp uploads, lists, renames, makes and removes folders, downloads', { skip }, async (t) => {
  const table = await layPeerTable(t);
  table.file('users.csv', content);
  const listed = succeed(
    await sftp(table, [
      'put users.csv',
      'mkdir old',
      'rename users.csv old/users.csv',
      'put users.csv',
      'ls -l',
      'get users.csv back.csv',
    ]),
  );
  assert.match(listed, /-rw-r--r--\s+[1?] acme\s+acme\s+100000 \w{3} [ \d]\d \d\d:\d\d users\.csv/);
  assert.match(listed, /dr-xr-xr-x.* archive/);
  assert.deepEqual(table.fetched('back.csv'), content);
  assert.deepEqual(await table.stored('/old/users.csv'), content);
  succeed(await sftp(table, ['rm old/users.csv', 'rmdir old', 'rm users.csv', '-ls nothing']));
  assert.deepEqual(await table.queued(), []);
});

test('sftp renames over an existing name, as posix-rename is there', { skip }, async (t) => {
  const table = await layPeerTable(t);
  table.file('users.csv.part', content);
  table.file('old.csv', 'old');
  succeed(await sftp(table, ['put old.csv users.csv', 'put users.csv.part', 'rename users.csv.part users.csv']));
  assert.deepEqual(await table.stored('/users.csv'), content);
  assert.deepEqual(await table.queued(), ['/users.csv']);
});

test('sftp -p keeps times and mode, -f syncs', { skip }, async (t) => {
  const table = await layPeerTable(t);
  const path = table.file('users.csv', content);
  utimesSync(path, 1_700_000_000, 1_700_000_123);
  succeed(await sftp(table, ['put -pf users.csv', 'get -p users.csv back.csv']));
  const { mtimeMs, mode, size } = await table.space.stat('/users.csv');
  assert.deepEqual({ mtimeMs, mode, size }, { mtimeMs: 1_700_000_123_000, mode: 0o644, size: content.length });
  assert.equal(statSync(`${table.folder}/back.csv`).mtimeMs, 1_700_000_123_000);
});

test('sftp is told why, and fails, where it may not write', { skip }, async (t) => {
  const table = await layPeerTable(t);
  table.file('users.csv', content);
  const { code, stderr } = await sftp(table, ['put users.csv /archive/users.csv']);
  assert.equal(code, 1);
  assert.match(stderr, /Permission denied/);
});

test('sftp puts and gets whole folders', { skip }, async (t) => {
  const table = await layPeerTable(t);
  const { mkdirSync } = await import('node:fs');
  mkdirSync(`${table.folder}/drop/inner`, { recursive: true });
  for (const name of ['a.csv', 'inner/b.CSV', 'inner/Zürich ü.csv']) table.file(`drop/${name}`, `content of ${name}`);
  succeed(await sftp(table, ['put -R drop', 'get -R drop back']));
  for (const name of ['a.csv', 'inner/b.CSV', 'inner/Zürich ü.csv'])
    assert.equal(table.fetched(`back/${name}`).toString(), `content of ${name}`);
});

test('sftp continues an upload that was cut', { skip }, async (t) => {
  const table = await layPeerTable(t);
  table.file('half.csv', content.subarray(0, 40_000));
  table.file('users.csv', content);
  succeed(await sftp(table, ['put half.csv users.csv', 'reput users.csv']));
  assert.deepEqual(await table.stored('/users.csv'), content);
});

for (const cipher of ['aes128-gcm@openssh.com', 'chacha20-poly1305@openssh.com', 'aes256-ctr'])
  test(`sftp rekeys in the middle of a transfer, with ${cipher}`, { skip }, async (t) => {
    const table = await layPeerTable(t);
    const large = randomBytes(12 * 1024 * 1024);
    table.file('users.csv', large);
    succeed(await sftp(table, ['put users.csv', 'get users.csv back.csv'], ['-c', cipher, '-o', 'RekeyLimit=2M']));
    assert.deepEqual(table.fetched('back.csv'), large);
  });

test('a killed sftp publishes nothing', { skip }, async (t) => {
  const table = await layPeerTable(t);
  table.file('users.csv', randomBytes(4 * 1024 * 1024));
  const args = ['-b', '-', '-l', '800', '-P', String(table.port), ...table.sshOptions(), `acme@${table.host}`];
  const { child, ended } = table.start('sftp', args, 'put users.csv\n');
  await until(() => table.intake.openUploads() === 1, 'the upload to begin');
  child.kill('SIGKILL');
  await ended;
  await until(() => table.intake.openUploads() === 0, 'the upload to be aborted');
  assert.deepEqual(await table.queued(), []);
  await assert.rejects(table.space.stat('/users.csv'), { code: 'not_found' });
});

test('scp uploads over a longer file, and downloads', { skip }, async (t) => {
  const table = await layPeerTable(t);
  table.file('long.csv', Buffer.concat([content, content]));
  table.file('users.csv', content);
  const scp = (from: string, to: string) =>
    table.run('scp', ['-s', '-p', '-P', String(table.port), ...table.sshOptions(), from, to]);
  const there = `acme@${table.host}:users.csv`;
  succeed(await scp('long.csv', there));
  succeed(await scp('users.csv', there));
  assert.deepEqual(await table.stored('/users.csv'), content);
  succeed(await scp(there, 'back.csv'));
  assert.deepEqual(table.fetched('back.csv'), content);
  assert.deepEqual(await table.queued(), ['/users.csv']);
});

test('ssh gets no shell and runs no command', { skip }, async (t) => {
  const table = await layPeerTable(t);
  const ssh = (...rest: string[]) =>
    table.run('ssh', ['-p', String(table.port), ...table.sshOptions(), '-l', 'acme', table.host, ...rest]);
  assert.notEqual((await ssh('id')).code, 0);
  assert.notEqual((await ssh()).code, 0);
});

test('RSA keys log in with SHA-2 signatures, of which the server names both', { skip }, async (t) => {
  const table = await layPeerTable(t);
  const pair = newKeyPair('rsa');
  await allowKey(table.control, 'acme', pair);
  for (const algorithm of ['rsa-sha2-512', 'rsa-sha2-256']) {
    const options = [...table.sshOptions(pair), '-o', `PubkeyAcceptedAlgorithms=${algorithm}`, '-o', 'LogLevel=DEBUG1'];
    // The first value of an option counts in OpenSSH.
    const args = ['-v', '-b', '-', '-P', String(table.port), '-o', 'LogLevel=DEBUG1', ...options, `acme@${table.host}`];
    const { code, stderr } = await table.run('sftp', args, 'pwd\n');
    assert.equal(code, 0, stderr);
    assert.ok(stderr.includes(`server-sig-algs=<${userSignatures.join(',')}>`), stderr);
  }
});

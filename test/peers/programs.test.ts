/** lftp, rclone, curl and PuTTY's psftp. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { updateLoginKey } from '../../src/db/control/keys.js';
import { allowKey, newKeyPair, writeKeyFile } from '../support/keys.js';
import { layPeerTable, missing, type Ran } from '../support/peers.js';
import { keepingLogger } from '../support/session.js';

const content = randomBytes(300_000);

function succeed({ code, stdout, stderr }: Ran): string {
  assert.equal(code, 0, `${stdout}${stderr}`);
  return stdout;
}

test('lftp uploads, overwrites, mirrors in parallel and downloads', { skip: missing('lftp', 'lftp') }, async (t) => {
  const table = await layPeerTable(t);
  table.file('users.csv', content);
  const commands = [
    'set cmd:fail-exit yes',
    'set net:max-retries 1',
    `set sftp:connect-program "ssh -a -x ${table.sshOptions().join(' ')}"`,
    `open -u acme, -p ${table.port} sftp://${table.host}`,
    'put users.csv',
    'put users.csv',
    'put users.csv -o .users.tmp',
    'mv .users.tmp teams.csv',
    'cls -l',
    'get users.csv -o back.csv',
  ];
  const listed = succeed(await table.run('lftp', ['-c', commands.join('; ')]));
  assert.match(listed, /300000/);
  assert.deepEqual(table.fetched('back.csv'), content);
  assert.deepEqual((await table.queued()).sort(), ['/teams.csv', '/users.csv']);
});

test('rclone copies there, sets times after CLOSE, checks and copies back', {
  skip: missing('rclone', 'rclone'),
}, async (t) => {
  const table = await layPeerTable(t);
  table.file('users.csv', content);
  const { host, port, keyFile } = table;
  const remote = `:sftp,host=${host},port=${port},user=acme,key_file="${keyFile}":`;
  const rclone = (...args: string[]) => table.run('rclone', ['--config', '/dev/null', '--retries', '1', ...args]);
  succeed(await rclone('copyto', 'users.csv', `${remote}drop/users.csv`));
  succeed(await rclone('check', '--download', '--one-way', '--include', 'users.csv', '.', `${remote}drop`));
  succeed(await rclone('copyto', `${remote}drop/users.csv`, 'back.csv'));
  assert.deepEqual(table.fetched('back.csv'), content);
  // Unchanged by size and time: nothing is sent again.
  succeed(await rclone('copyto', 'users.csv', `${remote}drop/users.csv`));
  succeed(await rclone('moveto', `${remote}drop/users.csv`, `${remote}users.csv`));
  assert.deepEqual(await table.queued(), ['/users.csv']);
});

const skipCurl = missing('curl', 'curl');

test('curl uploads and downloads', { skip: skipCurl }, async (t) => {
  const table = await layPeerTable(t);
  const pair = newKeyPair('ecdsa');
  await allowKey(table.control, 'acme', pair);
  const key = writeKeyFile(table.folder, pair, 'curl_key');
  table.file('curl_key.pub', `${pair.public.algorithm} ${pair.public.publicKey}\n`);
  table.file('users.csv', content);
  const url = `sftp://${table.host}:${table.port}/users.csv`;
  const curl = (...args: string[]) =>
    table.run('curl', ['-sS', '-k', '--key', key, '--pubkey', `${key}.pub`, '-u', 'acme:', ...args, url]);
  succeed(await curl('-T', 'users.csv'));
  succeed(await curl('-o', 'back.csv'));
  assert.deepEqual(table.fetched('back.csv'), content);
  assert.deepEqual(await table.queued(), ['/users.csv']);
});

test('curl with an RSA key gets in with SHA-2, or its key is named in the log', { skip: skipCurl }, async (t) => {
  const { logger, lines } = keepingLogger();
  const table = await layPeerTable(t, logger);
  const pair = newKeyPair('rsa');
  await allowKey(table.control, 'acme', pair);
  const key = writeKeyFile(table.folder, pair, 'curl_key');
  table.file('curl_key.pub', `${pair.public.algorithm} ${pair.public.publicKey}\n`);
  const url = `sftp://${table.host}:${table.port}/`;
  const { code } = await table.run('curl', ['-sS', '-k', '--key', key, '--pubkey', `${key}.pub`, '-u', 'acme:', url]);
  // libssh2 before 1.11 signs with SHA-1 only.
  if (code === 0) return;
  const line = lines.find((text) => text.includes('SHA-1')) ?? '';
  assert.ok(line.includes(pair.public.fingerprint) && line.includes('libssh2'), lines.join(''));
});

test('a key that may sign with SHA-1 does so on a compatible port, and nowhere else', { skip: skipCurl }, async (t) => {
  const table = await layPeerTable(t, undefined, { listen: ['127.0.0.1:0', '127.0.0.1:0/compatible'] });
  const pair = newKeyPair('rsa');
  await allowKey(table.control, 'acme', pair);
  const key = writeKeyFile(table.folder, pair, 'curl_key');
  table.file('curl_key.pub', `${pair.public.algorithm} ${pair.public.publicKey}\n`);
  const listOn = async (port: number) => {
    const url = `sftp://${table.host}:${port}/`;
    const login = ['--key', key, '--pubkey', `${key}.pub`, '-u', 'acme:'];
    return (await table.run('curl', ['-sS', '-k', ...login, url])).code === 0 ? 'in' : 'out';
  };
  const [modern, compatible] = table.listeners.map(({ port }) => port);
  // libssh2 from 1.11 on signs with SHA-2, wherever it is.
  if ((await listOn(modern!)) === 'in') return;
  assert.equal(await listOn(compatible!), 'out');
  await updateLoginKey(table.control.write, 'acme', pair.public.fingerprint, { allowsSha1: true });
  assert.deepEqual([await listOn(compatible!), await listOn(modern!)], ['in', 'out']);
});

const skipPutty = missing('psftp', 'putty-tools') || missing('puttygen', 'putty-tools');

test("PuTTY's psftp uploads in small writes, renames and downloads", { skip: skipPutty }, async (t) => {
  const table = await layPeerTable(t);
  table.file('users.csv', content);
  execFileSync('puttygen', [table.keyFile, '-O', 'private', '-o', `${table.folder}/key.ppk`]);
  table.file(
    'batch',
    'put users.csv users.csv.filepart\nmv users.csv.filepart users.csv\nls\nget users.csv back.csv\nbye\n',
  );
  const hostKeys = table.hostKeys.flatMap((key) => ['-hostkey', key.fingerprint]);
  const args = ['-batch', '-P', String(table.port), '-i', 'key.ppk', ...hostKeys, '-b', 'batch', `acme@${table.host}`];
  succeed(await table.run('psftp', args));
  assert.deepEqual(table.fetched('back.csv'), content);
  assert.deepEqual(await table.queued(), ['/users.csv']);
});

/** What operators do with login keys, beside a running server and OpenSSH's own client. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { makeAuthority, makeKeyFile } from '../support/authority.js';
import { missing } from '../support/peers.js';
import { askDropslot, runDropslot, type Served, startServe } from '../support/program.js';
import { until } from '../support/session.js';
import { runSftp, type SftpLogin, type SftpRun, startSftp } from '../support/sftp.js';
import { temporaryFolder } from '../support/temporary.js';
import { makeToken, startAgent } from '../support/token.js';

const skip = missing('sftp', 'openssh-client');

interface KeyJson {
  fingerprint: string;
  state: string;
  replacedBy: string | null;
  expiresAt: string | null;
  lastUsedAt: string | null;
  lastUsedAlgorithms: string | null;
  managedBy: string | null;
}

async function layTable(t: TestContext) {
  const options = { data: temporaryFolder(t) };
  const folder = temporaryFolder(t);
  const ask = <Answer>(...args: string[]) => askDropslot<Answer>(args, options);
  await ask('orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable');
  const server = await startServe(t, options);
  const login = (key: string | undefined, more: Partial<SftpLogin> = {}): SftpLogin => ({
    port: server.port,
    ...(key !== undefined && { key }),
    ...more,
  });
  const run = (key: string | undefined, more: Partial<SftpLogin>, ...commands: string[]) =>
    runSftp(t, folder, login(key, more), ...commands);
  const hold = async (key: string, more: Partial<SftpLogin> = {}) => {
    const session = startSftp(t, folder, login(key, more));
    session.say('pwd');
    await until(() => session.output().includes('Remote working directory'), 'the session', 30_000);
    return session;
  };
  /** The client notices when it asks for something again. */
  const fails = async (session: SftpRun) => {
    session.say('ls');
    session.end();
    assert.notEqual((await session.ended).code, 0);
  };
  const list = () => ask<KeyJson[]>('keys', 'list', 'acme');
  return { options, folder, ask, server, run, hold, fails, list };
}

function endOf(server: Served, reason: string, nth = 1) {
  return server.waitForLog((line) => {
    const ends = server.log.filter((one) => one.message === 'session ended' && one.reason === reason);
    return ends.length >= nth && ends[nth - 1] === line;
  });
}

test('upload-only, rotation with overlap, and revocations that end sessions', { skip }, async (t) => {
  const { options, folder, ask, server, run, hold, fails, list } = await layTable(t);
  const [old, next] = [makeKeyFile(folder, 'old'), makeKeyFile(folder, 'next')];
  await ask('keys', 'add', 'acme', `${old.file}.pub`, '--permission', 'upload-only');
  writeFileSync(join(folder, 'users.csv'), 'User Email\nann@acme.test\n');
  const robot = ['put users.csv .users.part', 'rename .users.part users.csv', 'ls -l users.csv', 'chmod 640 users.csv'];
  const sent = await run(old.file, {}, ...robot);
  assert.equal(sent.code, 0, sent.output);
  for (const reading of ['get users.csv copy.csv', 'ls /archive', 'ls /reports']) {
    const { code, output } = await run(old.file, {}, reading);
    assert.deepEqual([code, /Permission denied|may upload/.test(output)], [1, true], output);
  }

  const rotated = await ask<{ successor: string; replaced: KeyJson[] }>(
    'keys',
    'rotate',
    'acme',
    `${next.file}.pub`,
    '--grace',
    '7d',
  );
  assert.deepEqual([rotated.successor, rotated.replaced.length], [next.public.fingerprint, 1]);
  for (const { file } of [old, next]) assert.equal((await run(file, {}, 'pwd')).code, 0, file);
  const refused = await run(next.file, {}, 'get users.csv copy.csv');
  assert.equal(refused.code, 1, 'the new key may do what the old one might');
  const [first, second] = await list();
  assert.deepEqual([first?.state, first?.replacedBy, second?.expiresAt], ['usable', next.public.fingerprint, null]);
  assert.match(second?.lastUsedAlgorithms ?? '', /sha256|mlkem|sntrup/);
  const told = await runDropslot(['keys', 'list', 'acme'], options);
  assert.match(told.stderr, /was replaced and is still used: last at .* from 127\.0\.0\.1 by OpenSSH/);

  // Half of a file is there when its key is revoked.
  writeFileSync(join(folder, 'slow.csv'), Buffer.alloc(2_000_000, 'x'));
  const upload = await hold(old.file, { limitKbit: 800 });
  upload.say('put slow.csv');
  upload.end();
  const other = await hold(next.file);
  await new Promise((resolve) => setTimeout(resolve, 500)); // so that some of it has come
  await ask('keys', 'revoke', 'acme', old.public.fingerprint);
  await endOf(server, 'revoked key');
  assert.notEqual((await upload.ended).code, 0);
  assert.deepEqual(
    (await ask<{ path: string }[]>('queue', 'acme')).map(({ path }) => path),
    ['/users.csv'],
  );
  assert.notEqual((await run(old.file, {}, 'pwd')).code, 0);
  // The session of the other key has noticed nothing; then its organization is disabled.
  other.say('ls');
  await until(() => /users\.csv/.test(other.output()), 'the other session', 30_000);
  await ask('orgs', 'disable', 'acme');
  await endOf(server, 'disabled organization');
  await fails(other);
});

test('keys of files come and go beside a running server', { skip }, async (t) => {
  const { options, folder, server, run, hold, fails, list } = await layTable(t);
  const key = makeKeyFile(folder, 'hr');
  const keys = join(options.data, 'keys.d', 'acme');
  mkdirSync(keys, { recursive: true });
  const line = `${key.public.algorithm} ${key.public.publicKey} hr\n`;
  writeFileSync(join(keys, 'hr.pub'), line);
  await server.waitForLog(({ message }) => message === 'login key added by its file');
  assert.equal((await run(key.file, {}, 'pwd')).code, 0);
  assert.equal((await list())[0]?.managedBy, 'acme/hr.pub');
  for (const change of [
    ['keys', 'revoke', 'acme', key.public.fingerprint],
    ['keys', 'set', 'acme', key.public.fingerprint, 'note=x'],
  ]) {
    const ran = await runDropslot(change, options);
    assert.deepEqual([ran.code, /the file acme\/hr\.pub manages/.test(ran.stderr)], [4, true], ran.stderr);
  }
  const session = await hold(key.file);
  unlinkSync(join(keys, 'hr.pub'));
  await endOf(server, 'revoked key');
  await fails(session);
  assert.notEqual((await run(key.file, {}, 'pwd')).code, 0);
});

test('certificates, hardware tokens and a password', { skip }, async (t) => {
  const { folder, ask, server, run, hold, fails } = await layTable(t);
  const authority = makeAuthority(t, 'rsa:2048', ['-t', 'rsa-sha2-512']);
  await ask('keys', 'add-ca', 'acme', `${authority.file}.pub`);
  const logsIn = async (file: string) => (await run(file, {}, 'pwd')).code === 0;
  for (const type of ['ed25519', 'ecdsa:384', 'rsa:3072']) {
    const key = makeKeyFile(folder, `certified-${type.replace(':', '')}`, type);
    assert.equal(await logsIn(key.file), false, `${type} alone`);
    authority.certify(key, [
      '-I',
      'hr',
      '-n',
      'acme',
      '-z',
      type === 'ed25519' ? '7' : '8',
      '-O',
      'source-address=127.0.0.0/8',
    ]);
    assert.equal(await logsIn(key.file), true, `${type} certified`);
  }
  const key = makeKeyFile(folder, 'strange');
  makeAuthority(t).certify(key, ['-I', 'hr', '-n', 'acme']);
  assert.equal(await logsIn(key.file), false, 'signed by a stranger');
  const session = await hold(join(folder, 'certified-ed25519'));
  await ask('keys', 'revoke-cert', 'acme', '--serial', '7');
  await endOf(server, 'revoked certificate');
  await fails(session);
  assert.equal(await logsIn(join(folder, 'certified-ed25519')), false);
  assert.equal(await logsIn(join(folder, 'certified-rsa3072')), true);

  for (const type of ['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'] as const) {
    const token = makeToken(type);
    const file = join(folder, 'token.pub');
    writeFileSync(file, `${type} ${token.public.publicKey} token\n`);
    await ask('keys', 'add', 'acme', file);
    const agent = { options: [`IdentityAgent=${await startAgent(t, token)}`] };
    const touched = await run(file, agent, 'pwd');
    assert.equal(touched.code, 0, `${type}: ${touched.output}`);
    token.isTouched = false;
    assert.notEqual((await run(file, agent, 'pwd')).code, 0, `${type} untouched`);
  }

  const typed = (password: string) => {
    const script = join(folder, 'askpass');
    writeFileSync(script, `#!/bin/sh\necho '${password}'\n`);
    chmodSync(script, 0o700);
    const env = { SSH_ASKPASS: script, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: ':0' };
    const options = ['BatchMode=no', 'PubkeyAuthentication=no', 'NumberOfPasswordPrompts=1'];
    return run(undefined, { env, options }, 'pwd');
  };
  assert.notEqual(
    (await typed('abcdefgh-abcdefgh-abcdefgh-abcdefgh-abcdefgh')).code,
    0,
    'none is taken before there is one',
  );
  const made = await ask<{ fingerprint: string; password: string }>('keys', 'password', 'acme', '--generate');
  const right = await typed(made.password);
  assert.equal(right.code, 0, right.output);
  assert.notEqual((await typed(`${made.password.slice(0, -1)}1`)).code, 0);
  await ask('keys', 'revoke', 'acme', made.fingerprint);
  assert.notEqual((await typed(made.password)).code, 0);
  const written = JSON.stringify(server.log);
  assert.ok(!written.includes(made.password.slice(9)), 'no part of the secret in the log');
  assert.ok(!JSON.stringify(await ask('keys', 'list', 'acme')).includes('scrypt:'), 'no hash in a list');
});

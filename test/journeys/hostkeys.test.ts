/** An operator changes the host key beside a running server, and OpenSSH's client learns it by itself. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadHostKeys } from '../../keys/host/hostkeys.js';
import { newKeyPair, writeKeyFile } from '../support/keys.js';
import { missing } from '../support/peers.js';
import { askDropslot, type LogLine, runDropslot, startServe } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

interface Shown {
  type: string;
  state: string;
  fingerprint: string;
  publicKey: string;
}

test('rotation with overlap', { skip: missing('sftp', 'openssh-client') }, async (t) => {
  const options = { data: temporaryFolder(t) };
  const folder = temporaryFolder(t);
  const pair = newKeyPair();
  const keyFile = writeKeyFile(folder, pair);
  writeFileSync(join(folder, 'login.pub'), `${pair.public.algorithm} ${pair.public.publicKey}\n`);
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], options);
  await askDropslot(['keys', 'add', 'acme', join(folder, 'login.pub')], options);
  const server = await startServe(t, options);
  // Another one with the same host keys, as it would stand behind the same address.
  const env = { DROPSLOT_HOST_KEYS: join(options.data, 'keys', 'host') };
  const second = await startServe(t, { data: temporaryFolder(t), env });

  const known = join(folder, 'known_hosts');
  const login = async (): Promise<string> => {
    const ours = ['StrictHostKeyChecking=yes', `UserKnownHostsFile=${known}`, 'UpdateHostKeys=yes', 'BatchMode=yes'];
    const ssh = ['-F', 'none', '-i', keyFile, ...ours.flatMap((one) => ['-o', one])];
    const child = spawn('sftp', ['-b', '-', ...ssh, '-P', String(server.port), 'acme@127.0.0.1'], { cwd: folder });
    t.after(() => void child.kill('SIGKILL'));
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    child.stdout.resume();
    child.stdin.end('pwd\n');
    const [code] = await once(child, 'close');
    assert.equal(code, 0, stderr);
    return readFileSync(known, 'utf8');
  };
  const bothHave = (state: string, fingerprint: string) => {
    const fits = ({ message, keys }: LogLine) =>
      message === 'host keys changed' && (keys as string[]).some((one) => one.endsWith(`${fingerprint} ${state}`));
    return Promise.all([server.waitForLog(fits), second.waitForLog(fits)]);
  };

  const place = ['--host', '127.0.0.1', '--port', String(server.port)];
  const lines = await runDropslot(['hostkeys', 'list', '--format', 'known_hosts', ...place], options);
  writeFileSync(known, lines.stdout);
  const [old] = await loadHostKeys(env.DROPSLOT_HOST_KEYS);
  assert.ok((await login()).includes(old!.publicKey));

  const next = await askDropslot<Shown>(['hostkeys', 'add'], options);
  assert.deepEqual([next.type, next.state], ['ssh-ed25519', 'announced']);
  await bothHave('announced', next.fingerprint);
  const learned = await login();
  assert.ok(learned.includes(next.publicKey) && learned.includes(old!.publicKey), learned);

  await askDropslot(['hostkeys', 'activate', next.fingerprint.slice(7, 20)], options);
  await bothHave('active', next.fingerprint);
  await login();
  await askDropslot(['hostkeys', 'remove', old!.fingerprint], options);
  await server.waitForLog(
    ({ message, keys }) => message === 'host keys changed' && !(keys as string[]).join().includes(old!.fingerprint),
  );
  const forgotten = await login();
  assert.ok(forgotten.includes(next.publicKey) && !forgotten.includes(old!.publicKey), forgotten);
  await login();
});

/** The master key from a descriptor or under a passphrase: the server, its importer and the commands open files with it. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { armor, Encrypter } from 'age-encryption';
import SftpClient from 'ssh2-sftp-client';
import { settingsSchema } from '../../config/settings.js';
import { openControl } from '../../db/connection.js';
import { openManualRun } from '../../db/control/runs.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, runDropslot, startServe } from '../support/program.js';
import { until } from '../support/session.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

const program = fileURLToPath(new URL('../../dist/app/main.js', import.meta.url));
const users = 'User Email\nann@acme.test\n';

async function prepare(scope: Scope) {
  const data = temporaryFolder(scope);
  const key = newKeyPair();
  const publicKey = join(data, 'login.pub');
  writeFileSync(publicKey, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], { data });
  await askDropslot(['keys', 'add', 'acme', publicKey], { data });
  const away = join(temporaryFolder(scope), 'master.key');
  renameSync(join(data, 'keys', 'master.key'), away);
  return { data, away, privateKey: key.private };
}

async function connect(scope: Scope, port: number, privateKey: string): Promise<SftpClient> {
  const client = new SftpClient();
  client.on('error', () => {});
  await client.connect({ host: '127.0.0.1', port, username: 'acme', privateKey });
  scope.after(() => client.end().then(() => {}));
  return client;
}

/** A run that only the server's importer can work on. */
async function openRun(data: string): Promise<void> {
  const control = await openControl(settingsSchema.parse({ data }));
  await openManualRun(control.write, 'acme', Date.now());
  await control.close();
}

test('a descriptor: read once, by the server; its importer gets the key, no argument and no variable tells it', async (t) => {
  const { data, away, privateKey } = await prepare(t);
  const identity = readFileSync(away, 'utf8').split('\n').at(-2)!;
  const env = { ...process.env, DROPSLOT_DATA: data, DROPSLOT_MASTER_KEY: 'fd:3', DROPSLOT_LOG_FORMAT: 'json' };
  const args = [program, 'serve', '--port', '0', '--host', '127.0.0.1'];
  const server = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
  t.after(() => void server.kill('SIGKILL'));
  (server.stdio[3] as NodeJS.WritableStream).end(readFileSync(away));
  const lines: { message: string; port?: number; pid?: number }[] = [];
  createInterface({ input: server.stderr! }).on('line', (line) => lines.push(JSON.parse(line)));
  const told = async (message: string) => {
    await until(() => lines.some((line) => line.message === message), message, 20_000);
    return lines.find((line) => line.message === message)!;
  };
  const client = await connect(t, (await told('listening')).port!, privateKey);
  await client.put(Buffer.from(users), '/users.csv');
  assert.equal((await client.get('/users.csv')).toString(), users);
  await openRun(data);
  await told('run done');
  const { pid } = await told('an importer process started');
  if (process.platform === 'linux')
    for (const place of ['environ', 'cmdline'])
      for (const id of [server.pid, pid])
        assert.ok(!readFileSync(`/proc/${id}/${place}`, 'latin1').includes(identity), `${place} of ${id}`);

  // An importer that is started again gets it again.
  process.kill(pid!, 'SIGKILL');
  await until(
    () => lines.filter(({ message }) => message === 'an importer process started').length > 1,
    'another',
    20_000,
  );
  await client.put(Buffer.from(users), '/again.csv');
  await openRun(data);
  await until(() => lines.filter(({ message }) => message === 'run done').length > 1, 'the second run', 30_000);
  await client.end();
  server.kill('SIGTERM');
  await once(server, 'exit');
});

test('a descriptor: a command that opens its data several times reads it once', async (t) => {
  const { data, away } = await prepare(t);
  const run = async (args: string[], folder = data) => {
    const env = { ...process.env, DROPSLOT_DATA: folder, DROPSLOT_MASTER_KEY: 'fd:3' };
    const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
    (child.stdio[3] as NodeJS.WritableStream).on('error', () => {}).end(readFileSync(away));
    let said = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const [code] = await once(child, 'close');
    assert.deepEqual([code, /WRONG|can't be read/.test(said)], [0, false], `${args.join(' ')}: ${said}`);
  };
  const backup = join(temporaryFolder(t), 'backup');
  await run(['directory', 'seal']);
  await run(['backup', backup]);
  await run(['doctor', '--deep']);
  await run(['restore', backup], join(temporaryFolder(t), 'restored'));
});

test('under a passphrase: commands and the server open files, and rotate-master keeps it protected', async (t) => {
  const { data, away, privateKey } = await prepare(t);
  await protect(away, 'one two three');
  const passphrase = join(temporaryFolder(t), 'passphrase');
  writeFileSync(passphrase, 'one two three\n', { mode: 0o600 });
  const locked = { data, env: { DROPSLOT_MASTER_KEY: away } };
  const options = { data, env: { ...locked.env, DROPSLOT_MASTER_KEY_PASSPHRASE_FILE: passphrase } };

  const server = await startServe(t, options);
  const client = await connect(t, server.port, privateKey);
  await client.put(Buffer.from(users), '/users.csv');
  const refused = await runDropslot(['files', 'cat', 'acme', '/users.csv'], locked);
  assert.deepEqual([refused.code, /protected by a passphrase/.test(refused.stderr)], [1, true]);

  const rotated = await askDropslot<{ oldKeyFiles: string[] }>(['identity', 'rotate-master'], options);
  for (const file of [away, ...rotated.oldKeyFiles]) assert.match(readFileSync(file, 'utf8'), /^-----BEGIN AGE ENCR/);
  assert.equal((await client.get('/users.csv')).toString(), users, 'the server has noticed');
  const identity = await askDropslot<{ recipient: string }>(['identity', 'rotate', 'acme'], options);
  assert.match(identity.recipient, /^age1/);
  assert.equal((await client.get('/users.csv')).toString(), users);
  await openRun(data);
  await server.waitForLog(({ message }) => message === 'run done');
  await client.end();
  assert.equal(await server.stop(), 0);
  const asked = await runDropslot(['identity', 'destroy', 'acme'], options);
  assert.deepEqual([asked.code, /with --yes/.test(asked.stderr)], [4, true]);
  const destroyed = await runDropslot(['identity', 'destroy', 'acme', '--yes'], options);
  assert.match(destroyed.stdout, /is destroyed\. .*\nOlder copies of the control database still contain it/);
  const gone = await runDropslot(['files', 'list', 'acme', '/reports'], options);
  assert.equal(gone.code, 0);
  const reading = await runDropslot(['identity', 'export', 'acme'], options);
  assert.match(reading.stderr, /was destroyed: nothing opens its files/);
});

test('a person at the terminal is asked for the passphrase, and nobody sees it', async (t) => {
  if (spawnSync('sh', ['-c', 'command -v script']).status !== 0)
    return t.skip('the script command is NOT INSTALLED: nothing was proven');
  const { data, away } = await prepare(t);
  const identity = await askDropslot<{ identity: string }>(['identity', 'export', 'acme'], {
    data,
    env: { DROPSLOT_MASTER_KEY: away },
  });
  await protect(away, 'one two three');
  const env = { ...process.env, DROPSLOT_DATA: data, DROPSLOT_MASTER_KEY: away };
  const terminal = spawn('script', ['-qec', `${process.execPath} ${program} identity export acme`, '/dev/null'], {
    env,
  });
  let shown = '';
  terminal.stdout.on('data', (bytes: Buffer) => {
    shown += bytes.toString();
  });
  await until(() => shown.includes('Passphrase of the master key'), 'it asks', 20_000);
  // The last letter is taken back and typed again, as people do.
  terminal.stdin.write('one two threx\x7fe\r');
  const [code] = (await once(terminal, 'close')) as [number];
  assert.equal(code, 0, shown);
  assert.ok(shown.includes(identity.identity));
  assert.ok(!shown.includes('one two'), shown);
});

/** As `age -p`, with less work for each try. */
async function protect(file: string, passphrase: string): Promise<void> {
  const encrypter = new Encrypter();
  encrypter.setScryptWorkFactor(6);
  encrypter.setPassphrase(passphrase);
  writeFileSync(file, armor.encode(await encrypter.encrypt(readFileSync(file, 'utf8'))));
}

/** The life of the server: its first start, what it refuses, commands beside it, and its end. */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { askDropslot, runDropslot, startServe } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

const privateFiles = [
  'control.db',
  'directory.db',
  'keys/master.key',
  'keys/host/ssh_host_ed25519_key',
  'keys/host/ssh_host_ecdsa_key',
];

test('the first start makes what is missing and says so; SIGTERM ends it with 0', async (t) => {
  const data = join(temporaryFolder(t), 'data');
  const server = await startServe(t, { data });
  for (const file of privateFiles) assert.equal(statSync(join(data, file)).mode & 0o777, 0o600, file);
  const said = server.log.map((line) => line.message).join('\n');
  for (const made of ['made the databases', 'made the master key', 'made a host key'])
    assert.ok(said.includes(made), made);
  assert.match(said, /back up .*master\.key/);
  assert.match(await greet(server.port), /^SSH-2\.0-/);
  assert.equal(await server.stop(), 0);

  const second = await startServe(t, { data });
  assert.ok(!second.log.some((line) => line.message.startsWith('made')), 'nothing is made again');
  assert.equal(await second.stop('SIGINT'), 0);
});

test('one server for a data folder', async (t) => {
  const data = temporaryFolder(t);
  const first = await startServe(t, { data });
  const second = await runDropslot(['serve', '--port', '0'], { data });
  assert.equal(second.code, 5);
  assert.match(second.stderr, /another "dropslot serve" runs on/);
  // A server that runs on would write in the folder while it is removed.
  assert.equal(await first.stop(), 0);
});

test('after a SIGKILL the data folder is free again, and no importer stays behind', async (t) => {
  const data = temporaryFolder(t);
  const server = await startServe(t, { data });
  const { pid } = await server.waitForLog((line) => line.message === 'an importer process started');
  await server.stop('SIGKILL');
  await until(() => !isAlive(Number(pid)));
  const next = await startServe(t, { data });
  assert.equal(await next.stop(), 0);
});

test('an importer that dies is started again', async (t) => {
  const server = await startServe(t, { data: temporaryFolder(t) });
  const { pid } = await server.waitForLog((line) => line.message === 'an importer process started');
  process.kill(Number(pid), 'SIGKILL');
  const next = await server.waitForLog((line) => line.message === 'an importer process started' && line.pid !== pid);
  assert.ok(isAlive(Number(next.pid)));
  assert.equal(await server.stop(), 0);
});

test('a port in use, in one line', async (t) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.after(() => other.close());
  const { port } = other.address() as { port: number };
  const args = ['serve', '--host', '127.0.0.1', '--port', String(port)];
  const ran = await runDropslot(args, { data: temporaryFolder(t), env: { DROPSLOT_LOG_LEVEL: 'error' } });
  assert.equal(ran.code, 5);
  assert.match(ran.stderr, new RegExp(`^dropslot: [^\\n]*port ${port} is in use[^\\n]*\\n$`));
});

test('an unreadable key, in one line', async (t) => {
  const data = temporaryFolder(t);
  const first = await startServe(t, { data });
  await first.stop();
  const hostKey = join(data, 'keys/host/ssh_host_ed25519_key');
  const kept = readFileSync(hostKey);
  writeFileSync(hostKey, 'not a key');
  const options = { data, env: { DROPSLOT_LOG_LEVEL: 'error' } };
  const broken = await runDropslot(['serve', '--port', '0'], options);
  assert.deepEqual([broken.code, broken.stderr.split('\n').length], [1, 2]);
  assert.match(broken.stderr, /^dropslot: host key .*ssh_host_ed25519_key/);
  writeFileSync(hostKey, kept);

  await runDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test'], { data });
  rmSync(join(data, 'keys/master.key'));
  const lost = await runDropslot(['serve', '--port', '0'], options);
  assert.equal(lost.code, 1);
  assert.match(lost.stderr, /^dropslot: there is no master key at .*restore it/);
  assert.throws(() => statSync(join(data, 'keys/master.key')), { code: 'ENOENT' });
  const second = await runDropslot(['orgs', 'add', 'beta', '--owner', 'joe@beta.test'], { data });
  assert.equal(second.code, 1, 'no second master key beside organizations that need the first');
});

test('commands work while the server runs', async (t) => {
  const data = temporaryFolder(t);
  const server = await startServe(t, { data });
  const added = await runDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], { data });
  assert.equal(added.code, 0, added.stderr);
  assert.equal(added.stderr, '', 'the server had made the master key');
  assert.equal((await askDropslot<unknown[]>(['orgs', 'list'], { data })).length, 1);
  assert.deepEqual(await askDropslot(['queue', 'acme'], { data }), []);
  assert.deepEqual(await askDropslot(['files', 'list', 'acme', '/archive'], { data }), []);
  const doctor = await askDropslot<{ whole: boolean }>(['doctor'], { data });
  assert.equal(doctor.whole, true);
  assert.equal(await server.stop(), 0);
});

test('each role does its half', async (t) => {
  const data = temporaryFolder(t);
  const importer = await startServe(t, { data, args: ['--role', 'import'] });
  assert.equal(importer.port, 0, 'it does not listen');
  assert.throws(() => statSync(join(data, 'keys/host')), { code: 'ENOENT' });
  assert.equal(await importer.stop(), 0);
  const intake = await startServe(t, { data: temporaryFolder(t), args: ['--role', 'intake'] });
  assert.ok(!intake.log.some((line) => /importer|master key/.test(line.message)));
  assert.equal(await intake.stop(), 0);
});

test('doctor ends with 1 when something is wrong', async (t) => {
  const data = temporaryFolder(t);
  await runDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test'], { data });
  chmodSync(join(data, 'keys/master.key'), 0o644);
  const ran = await runDropslot(['doctor', '--json'], { data });
  assert.equal(ran.code, 1);
  const { whole, findings } = JSON.parse(ran.stdout);
  assert.equal(whole, false);
  const wrong = findings.filter((finding: { level: string }) => finding.level === 'wrong');
  assert.match(wrong[0].message, /chmod 600/);
});

/** The server's first bytes. */
function greet(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', reject);
    socket.write('SSH-2.0-probe\r\n');
    socket.once('data', (bytes) => {
      socket.destroy();
      resolve(bytes.toString('latin1'));
    });
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(isTrue: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!isTrue()) {
    if (Date.now() > deadline) throw new Error('it did not come true in a minute');
    await sleep(20);
  }
}

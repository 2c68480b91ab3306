/** The built program under attack from many addresses, a customer who uploads meanwhile, and the operator's commands. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import SftpClient from 'ssh2-sftp-client';
import { type AttackKind, attack } from '../../bench/attackers.js';
import { newKeyPair, writeKeyFile } from '../support/keys.js';
import { askDropslot, runDropslot, startServe } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

const skip = process.platform !== 'linux' && 'only Linux answers on every address of 127.0.0.0/8';
const kinds: readonly AttackKind[] = ['half-open', 'slow', 'malformed', 'guesses', 'flooding'];

interface Penalty {
  source: string;
  cause: string;
  until: string;
}

test('floods end in pauses, not in memory, and a customer uploads all the while', { skip }, async (t) => {
  const folder = temporaryFolder(t);
  const data = join(folder, 'data');
  // The loopback is exempt unless it is told otherwise: here the attackers are on it.
  const env = { DROPSLOT_EXEMPT_ADDRESSES: '', DROPSLOT_LOGIN_SECONDS: '120' };
  const keys = { acme: newKeyPair(), mallory: newKeyPair() };
  for (const [org, pair] of Object.entries(keys)) {
    const file = `${writeKeyFile(folder, pair, org)}.pub`;
    const input = `${pair.public.algorithm} ${pair.public.publicKey}\n`;
    await runDropslot(['orgs', 'add', org, '--owner', `jane@${org}.test`, '--enable'], { data });
    assert.equal((await runDropslot(['keys', 'add', org, '-'], { data, input })).code, 0, file);
  }
  await runDropslot(['orgs', 'set', 'mallory', 'maxConnections=3', 'maxHandles=50'], { data });
  const server = await startServe(t, {
    data,
    env,
    args: ['--listen', '127.0.0.1:0', '--listen', '[::1]:0/compatible'],
  });
  const second = await server.waitForLog(({ policy }) => policy === 'compatible');
  assert.deepEqual([second.message, second.host], ['listening', '::1']);

  const login = { host: '127.0.0.1', port: server.port, username: 'acme', privateKey: keys.acme.private };
  const visit = async (name: string, where: object = {}): Promise<void> => {
    const client = new SftpClient();
    await client.connect({ ...login, ...where, readyTimeout: 110_000 });
    t.after(() => void client.end().catch(() => {}));
    await client.put(Buffer.from('User Email\n'), name);
    await client.end();
  };
  await visit('/before.csv');
  await visit('/ipv6.csv', { host: '::1', port: second.port });

  const target = { port: server.port, sources: 60, pauseMs: 5, user: 'mallory', privateKey: keys.mallory.private };
  const attacks = kinds.map((kind) => attack(kind, { ...target, workers: kind === 'guesses' ? 40 : 25 }));
  t.after(async () => void (await Promise.all(attacks.map(({ stop }) => stop()))));
  for (let count = 0; count < 5; count++) await visit(`/during-${count}.csv`);
  const pauses = () => askDropslot<Penalty[]>(['penalties', 'list'], { data, env });
  let listed = await pauses();
  for (const deadline = Date.now() + 60_000; listed.length < 5 && Date.now() < deadline; listed = await pauses())
    await visit('/during.csv');
  const tallies = await Promise.all(attacks.map(({ stop }) => stop()));
  assert.ok(listed.length >= 5, JSON.stringify(listed));
  assert.ok(listed.every(({ source }) => source.startsWith('127.1.0.')));
  assert.ok(
    tallies.every(({ visits }) => visits > 0),
    JSON.stringify(tallies),
  );
  const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, 'latin1'))![1]) / 1024;
  assert.ok(peak < 500, `${peak} MiB resident`);
  // Thousands of visits, and a log that can still be read: a bounded number of lines for each kind in a minute.
  assert.ok(server.log.length < 2000, `${server.log.length} lines`);
  await visit('/after.csv');
  const stored = await askDropslot<{ path: string }[]>(['files', 'list', 'acme', '/'], { data });
  assert.equal(stored.filter(({ path }) => /^\/(before|ipv6|during-\d|after)\.csv$/.test(path)).length, 8);

  // One address is forgiven, with every user name at it, then all of them: the running server hears of it.
  const [source = ''] = ((await pauses())[0] ?? listed[0]!).source.split(' ');
  const forgiven = await runDropslot(['penalties', 'forgive', source], { data });
  assert.equal(forgiven.code, 0, forgiven.stderr);
  assert.ok(!(await pauses()).some((pause) => pause.source.split(' ')[0] === source));
  for (const deadline = Date.now() + 30_000; !(await isGreeted(server.port, source)); await sleep(100))
    assert.ok(Date.now() < deadline, 'it hears of the pardon');
  assert.equal((await runDropslot(['penalties', 'forgive', '--all'], { data })).code, 0);
  assert.deepEqual(await pauses(), []);
  assert.equal(await server.stop(), 0);
});

/** Whether the server speaks to that address. */
function isGreeted(port: number, localAddress: string): Promise<boolean> {
  const socket: Socket = connect({ port, host: '127.0.0.1', localAddress });
  return new Promise((resolve) => {
    const greeting = (data: Buffer) => resolve(data.toString('latin1').startsWith('SSH-'));
    socket.once('data', greeting).once('close', () => resolve(false));
    socket.on('error', () => {}).once('data', () => socket.destroy());
  });
}

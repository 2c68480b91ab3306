/** One customer takes all the memory that it can, in every way at once: the process stays small, and a neighbour uploads. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type ssh2 from 'ssh2';
import SftpClient from 'ssh2-sftp-client';
import { type KeyPair, newKeyPair } from '../support/keys.js';
import { sendPayload } from '../support/packets.js';
import { runDropslot, startServe } from '../support/program.js';
import { connect } from '../support/server.js';
import { until } from '../support/session.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';
import { handleIn, openFor, statusIn, Wire } from '../support/wire.js';

const skip = process.platform !== 'linux' && 'only Linux tells the memory of another process';
const forUpload = openFor.write | openFor.create | openFor.truncate;
const mebibyte = 1024 ** 2;
const limitMebibytes = 48;
/** Beside the account: what Node keeps of freed memory, the threads that seal, the sessions' fixed buffers. */
const slackMebibytes = 150;

interface Attacked {
  scope: Scope;
  login: { host: string; port: number; username: string; privateKey: string };
}

function openChannel(client: ssh2.Client): Promise<ssh2.ClientChannel> {
  return new Promise((resolve, reject) => {
    client.subsys('sftp', (error, stream) => (error === undefined ? resolve(stream) : reject(error)));
  });
}

/** A client that does not read would otherwise keep its socket, and the process of this test, for ever. */
async function attackingClient({ scope, login }: Attacked): Promise<ssh2.Client> {
  const client = (await connect(scope, login)).on('error', () => {});
  scope.after(() => void client.destroy());
  return client;
}

async function openWire(attacked: Attacked): Promise<Wire> {
  const client = await attackingClient(attacked);
  const wire = new Wire(await openChannel(client));
  await wire.initialize();
  return wire;
}

/** Each begins one attack, and resolves when its requests were sent, and answered where it reads answers. */
const attacks: Record<string, (attacked: Attacked) => Promise<void>> = {
  'writes ahead of a gap in many files': async (attacked) => {
    const wire = await openWire(attacked);
    const piece = Buffer.alloc(128 * 1024, 'x');
    const refusals = new Set<string>();
    for (let file = 0; file < 12; file++) {
      const opened = await wire.ask(3, (packet) => packet.string(`/ahead-${file}.bin`).u32(forUpload).u32(0));
      if (opened.type === 101) {
        refusals.add(statusIn(opened).sentence);
        continue;
      }
      const handle = handleIn(opened);
      for (let at = 0; at < 100; at++)
        wire.send(6, (packet) =>
          packet
            .string(handle)
            .u64(mebibyte + at * piece.length)
            .string(piece),
        );
      for (let at = 0; at < 100; at++) refusals.add(statusIn(await wire.receive()).sentence);
    }
    assert.ok(
      [...refusals].some((sentence) => /use all the memory that they may/.test(sentence)),
      [...refusals].join('; '),
    );
  },
  'answers that no one reads': async (attacked) => {
    for (let count = 0; count < 4; count++) {
      const wire = await openWire(attacked);
      const handle = handleIn(await wire.ask(3, (packet) => packet.string('/large.bin').u32(openFor.read).u32(0)));
      wire.stream.pause();
      for (let at = 0; at < 300; at++) wire.send(5, (packet) => packet.string(handle).u64(0).u32(262_144));
    }
  },
  'global requests of a client that does not read': async (attacked) => {
    const client = await attackingClient(attacked);
    const socket = (client as unknown as { _sock: { pause(): void; writableNeedDrain: boolean } })._sock;
    socket.pause();
    const name = 'keepalive@dropslot.test';
    const payload = Buffer.concat([Buffer.from([80, 0, 0, 0, name.length]), Buffer.from(name), Buffer.from([1])]);
    for (let count = 0; count < 40_000; count++) {
      sendPayload(client, payload);
      if (count % 2000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  },
  'separate writes over what was written': async (attacked) => {
    const wire = await openWire(attacked);
    for (let file = 0; file < 4; file++) {
      const opened = await wire.ask(3, (packet) => packet.string(`/rewritten-${file}.bin`).u32(forUpload).u32(0));
      if (opened.type === 101) continue;
      const handle = handleIn(opened);
      await wire.write(handle, 0, Buffer.alloc(250_000, 'x'));
      for (let count = 0; count < 40; count++)
        wire.send(6, (packet) =>
          packet
            .string(handle)
            .u64(count * 2)
            .string('y'),
        );
      for (let count = 0; count < 40; count++) statusIn(await wire.receive());
    }
  },
};

test('every attack on memory at once stays below the bound, and a neighbour uploads', { skip }, async (t) => {
  const folder = temporaryFolder(t);
  const data = join(folder, 'data');
  const keys: Record<string, KeyPair> = { acme: newKeyPair(), mallory: newKeyPair() };
  for (const [org, { public: key }] of Object.entries(keys)) {
    await runDropslot(['orgs', 'add', org, '--owner', `jane@${org}.test`, '--enable'], { data });
    const input = `${key.algorithm} ${key.publicKey}\n`;
    assert.equal((await runDropslot(['keys', 'add', org, '-'], { data, input })).code, 0);
  }
  const env = { DROPSLOT_MAX_MEMORY_BYTES_PER_ORG: `${limitMebibytes * mebibyte}` };
  const server = await startServe(t, { data, env, args: ['--listen', '127.0.0.1:0'] });
  const login = (org: string) => ({
    ...{ host: '127.0.0.1', port: server.port, username: org, privateKey: keys[org]!.private },
  });
  const visit = async (org: string, name: string, content: Buffer): Promise<number> => {
    const from = performance.now();
    const client = new SftpClient();
    await client.connect(login(org));
    await client.put(content, name);
    await client.end();
    return performance.now() - from;
  };
  const resident = (): number =>
    Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, 'latin1'))![1]) / 1024;
  await visit('mallory', '/large.bin', Buffer.alloc(mebibyte, 'x'));
  await visit('acme', '/before.csv', Buffer.from('User Email\n'));
  const before = resident();

  const attacked = { scope: t, login: login('mallory') };
  let isOver = false;
  const attacking = Promise.all(Object.values(attacks).map((attack) => attack(attacked))).finally(() => {
    isOver = true;
  });
  const took: number[] = [];
  while (!isOver || took.length < 3)
    took.push(await visit('acme', `/during-${took.length}.csv`, Buffer.from('User Email\n')));
  await attacking;
  const slowest = Math.max(...took);
  const grown = resident() - before;
  t.diagnostic(`grown by ${Math.round(grown)} MiB; ${took.length} uploads of the neighbour, at most ${slowest} ms`);
  assert.ok(grown < limitMebibytes + slackMebibytes, `grown by ${grown} MiB`);
  assert.ok(slowest < 20_000, `an upload of the neighbour took ${slowest} ms`);
  await until(() => visit('acme', '/after.csv', Buffer.from('User Email\n')).then(() => true), 'an upload afterwards');
});

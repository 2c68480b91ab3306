/** What holds over all workers of a server: limits, penalties, revocation, writers of one file, and what remains of a worker that dies. */
import assert from 'node:assert/strict';
import { connect as connectSocket } from 'node:net';
import { test } from 'node:test';
import type ssh2 from 'ssh2';
import { revokeLoginKey } from '../../db/control/keys.js';
import { updateOrg } from '../../db/control/orgs.js';
import { listAllPartials } from '../../db/control/partials.js';
import { listQueue } from '../../db/control/uploads.js';
import { forgetProcess } from '../../storage/deadprocess.js';
import { onBothDatabases, openFresh } from '../support/databases.js';
import { newKeyPair } from '../support/keys.js';
import { connect, openSftp } from '../support/server.js';
import { until } from '../support/session.js';
import type { Scope } from '../support/temporary.js';
import { startWithWorkers } from '../support/workers.js';

type Server = Awaited<ReturnType<typeof startWithWorkers>>;

const counts = ({ members, front }: Server) => members.map(({ port }) => front.countOf(port));

/** One connection in each worker. */
async function connectBoth(t: Scope, server: Server): Promise<[ssh2.Client, ssh2.Client]> {
  const clients: [ssh2.Client, ssh2.Client] = [await connect(t, server.login), await connect(t, server.login)];
  assert.deepEqual(counts(server), [1, 1]);
  return clients;
}

function open(sftp: ssh2.SFTPWrapper, path: string, flags: 'w' | 'a' | 'r'): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    sftp.open(path, flags, (error, handle) => (error ? reject(error) : resolve(handle))),
  );
}

function write(sftp: ssh2.SFTPWrapper, handle: Buffer, bytes: Buffer, at: number): Promise<void> {
  return new Promise((resolve, reject) =>
    sftp.write(handle, bytes, 0, bytes.length, at, (error) => (error ? reject(error) : resolve())),
  );
}

function close(sftp: ssh2.SFTPWrapper, handle: Buffer): Promise<void> {
  return new Promise((resolve, reject) => sftp.close(handle, (error) => (error ? reject(error) : resolve())));
}

function read(sftp: ssh2.SFTPWrapper, path: string): Promise<string> {
  return new Promise((resolve, reject) =>
    sftp.readFile(path, (error, bytes) => (error ? reject(error) : resolve(bytes.toString()))),
  );
}

const endOf = (client: ssh2.Client) => new Promise<void>((resolve) => client.once('close', () => resolve()));

onBothDatabases('two workers', (openDatabases) => {
  test('connections of one organization are capped over both, exactly, and leaving makes room', async (t) => {
    const server = await startWithWorkers(t, openDatabases, { maxConnectionsPerOrg: 3 });
    const asked = await Promise.allSettled(Array.from({ length: 8 }, () => connect(t, server.login)));
    const clients = asked.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    assert.equal(clients.length, 3);
    const gone = endOf(clients[0]!);
    clients[0]!.end();
    await gone;
    await until(async () => (await connect(t, server.login).catch(() => null)) !== null, 'room for another one');
  });

  test('sessions of one organization are capped over both, exactly', async (t) => {
    const server = await startWithWorkers(t, openDatabases, { maxSessionsPerOrg: 5 });
    const clients = await connectBoth(t, server);
    const asked = await Promise.allSettled(
      Array.from({ length: 12 }, (_, index) => openSftp(clients[index % 2 === 0 ? 0 : 1])),
    );
    const sessions = asked.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    assert.equal(sessions.length, 5);
    sessions[0]!.end();
    await until(async () => (await openSftp(clients[0]).catch(() => null)) !== null, 'room for another session');
  });

  test('open handles of one organization in a worker count in the other', async (t) => {
    const server = await startWithWorkers(t, openDatabases, { maxHandlesPerOrg: 8 });
    const [one, other] = await Promise.all((await connectBoth(t, server)).map(openSftp));
    const handles: Buffer[] = [];
    for (let index = 0; index < 6; index++) handles.push(await open(one!, `/f${index}.part`, 'w'));
    let opened = 0;
    const more = async () => {
      await open(other!, `/g${opened}.part`, 'w');
      opened++;
    };
    await until(
      async () =>
        (await more().then(
          () => null,
          (error: Error) => error,
        )) !== null,
      'a refusal',
    );
    assert.equal(opened, 2);
    for (const handle of handles) await close(one!, handle);
    await until(
      () =>
        more().then(
          () => true,
          () => false,
        ),
      'room for another handle',
    );
  });

  test('wrong keys in either worker count together, and the penalty ends waiting connections in both', async (t) => {
    const at = Date.now();
    const server = await startWithWorkers(t, openDatabases, { exemptAddresses: [] }, {}, () => at);
    const { port } = server.front.listeners[0]!;
    const waiting = [0, 1].map(() => connectSocket({ port, host: '127.0.0.1' }));
    for (const socket of waiting) socket.on('error', () => {}).resume();
    t.after(() => waiting.forEach((socket) => void socket.destroy()));
    await until(() => counts(server).every((count) => count === 1), 'a connection in each worker');
    const wrong = { ...server.login, privateKey: newKeyPair().private };
    for (let attempt = 0; attempt < 4; attempt++) await assert.rejects(connect(t, wrong));
    await until(() => waiting.every(({ destroyed }) => destroyed), 'the end of both');
    await assert.rejects(connect(t, server.login));
    await until(() => server.front.countConnections() === 0, 'no connection left');
  });

  test('a revoked key ends its sessions in both', async (t) => {
    const server = await startWithWorkers(t, openDatabases);
    const clients = await connectBoth(t, server);
    const ends = clients.map((client) => endOf(client.on('error', () => {})));
    const { fingerprint } = (await server.control
      .read('login_keys')
      .where({ org_id: 'acme' })
      .first('fingerprint')) as {
      fingerprint: string;
    };
    await server.control.transact((tx) => revokeLoginKey(tx, 'acme', fingerprint, Date.now(), 'command'));
    await Promise.all(ends);
    await until(() => server.front.countConnections() === 0, 'no connection left');
  });

  test('two sessions append to one file in two workers, and no byte is lost', async (t) => {
    const server = await startWithWorkers(t, openDatabases);
    const [one, other] = await Promise.all((await connectBoth(t, server)).map(openSftp));
    const first = await open(one!, '/log.txt', 'w');
    await write(one!, first, Buffer.from('begin\n'), 0);
    await close(one!, first);
    const handles = [await open(one!, '/log.txt', 'a'), await open(other!, '/log.txt', 'a')] as const;
    await write(one!, handles[0], Buffer.from('one\n'), 6);
    await write(other!, handles[1], Buffer.from('other\n'), 6);
    await Promise.all([close(one!, handles[0]), close(other!, handles[1])]);
    const text = await read(one!, '/log.txt');
    assert.deepEqual(text.split('\n').sort(), ['', 'begin', 'one', 'other']);
  });

  test('two sessions replace one file in two workers: one of the two is there, whole, and queued', async (t) => {
    const server = await startWithWorkers(t, openDatabases);
    const sessions = await Promise.all((await connectBoth(t, server)).map(openSftp));
    const bytes = sessions.map((_, index) => Buffer.alloc(600_000, 65 + index));
    await Promise.all(
      sessions.map(async (sftp, index) => {
        const handle = await open(sftp, '/users.csv', 'w');
        for (let at = 0; at < 600_000; at += 30_000)
          await write(sftp, handle, bytes[index]!.subarray(at, at + 30_000), at);
        await close(sftp, handle);
      }),
    );
    const text = await read(sessions[0]!, '/users.csv');
    assert.ok(bytes.some((all) => all.toString() === text));
    assert.equal((await listQueue(server.control.read, 'acme')).length, 1);
  });

  test('a worker dies: its places are free, its upload can be resumed in the other, and that one goes on', async (t) => {
    const server = await startWithWorkers(t, openDatabases, { maxConnectionsPerOrg: 2 });
    const clients = await connectBoth(t, server);
    for (const client of clients) client.on('error', () => {});
    const [one, other] = await Promise.all(clients.map(openSftp));
    const handle = await open(one!, '/users.csv', 'w');
    const dead = server.members.findIndex(({ intake }) => intake.openUploads() === 1);
    const kept = await open(other!, '/other.csv', 'w');
    const bytes = Buffer.alloc(400_000, 'x');
    for (let at = 0; at < bytes.length; at += 20_000) await write(one!, handle, bytes.subarray(at, at + 20_000), at);
    const isNoted = async () =>
      (await listAllPartials(server.control.read, { org: 'acme' })).some(({ state }) => state === 'open');
    await until(isNoted, 'the record of the upload');
    server.members[dead]!.kill();
    await forgetProcess(server, `worker ${dead + 1}`);
    assert.deepEqual(counts(server).filter((count) => count === 1).length, 1);
    const again = await openSftp(await connect(t, server.login));
    const size = await new Promise<number>((resolve, reject) =>
      again.stat('/users.csv', (error, { size: found }) => (error ? reject(error) : resolve(found))),
    );
    assert.ok(size > 0 && size <= bytes.length, `${size} bytes to resume from`);
    await close(other!, kept);
    assert.equal(await read(other!, '/other.csv'), '');
  });
});

test('a busy worker gets no connections, but where all are busy they get them', async (t) => {
  const server = await startWithWorkers(t, (scope) => openFresh(scope, 'sqlite'));
  server.members[0]!.setBusy(true);
  await connect(t, server.login);
  await connect(t, server.login);
  assert.deepEqual(counts(server), [0, 2]);
  server.members[1]!.setBusy(true);
  await connect(t, server.login);
  assert.deepEqual(counts(server), [1, 2]);
});

test('a rate of the organization holds over both workers together', async (t) => {
  const server = await startWithWorkers(t, (scope) => openFresh(scope, 'sqlite'));
  const rate = 200_000;
  await updateOrg(server.control.write, 'acme', { options: { uploadRate: rate } });
  const sessions = await Promise.all((await connectBoth(t, server)).map(openSftp));
  const began = performance.now();
  const each = 400_000;
  await Promise.all(
    sessions.map(async (sftp, index) => {
      const handle = await open(sftp, `/f${index}.part`, 'w');
      for (let at = 0; at < each; at += 20_000) await write(sftp, handle, Buffer.alloc(20_000), at);
      await close(sftp, handle);
    }),
  );
  // The burst of a second is free, in each of the two at most.
  const leastMs = ((2 * each - 2 * rate) / rate) * 1000;
  const ms = performance.now() - began;
  assert.ok(ms >= leastMs, `${Math.round(ms)} ms, and ${leastMs} are the least`);
});

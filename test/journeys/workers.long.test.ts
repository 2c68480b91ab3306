/** `serve` with several processes for connections, driven by ssh2 and OpenSSH: kills of a worker and of the server amid uploads, and its end. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import ssh2, { type ConnectConfig } from 'ssh2';
import { makeKeyFile } from '../support/authority.js';
import { createDatabase } from '../support/databases.js';
import { missing } from '../support/peers.js';
import { askDropslot, runDropslot, type Served, startServe } from '../support/program.js';
import { connect, openSftp } from '../support/server.js';
import { until } from '../support/session.js';
import { runSftp } from '../support/sftp.js';
import { temporaryFolder } from '../support/temporary.js';

const skip = missing('sftp', 'openssh-client');

async function layTable(t: TestContext, database?: string, orgs = ['acme']) {
  const env = { DROPSLOT_WORKERS: '2', ...(database !== undefined && { DROPSLOT_DATABASE: database }) };
  // Several processes begin: on a busy machine that takes long.
  const options = { data: temporaryFolder(t), env, startMs: 180_000, timeoutMs: 180_000 };
  const folder = temporaryFolder(t);
  const ask = <Answer>(...args: string[]) => askDropslot<Answer>(args, options);
  const { file: key } = makeKeyFile(folder, 'login');
  const privateKey = readFileSync(key);
  for (const org of orgs) {
    await ask('orgs', 'add', org, '--owner', `jane@${org}.test`, '--enable');
    await ask('keys', 'add', org, `${key}.pub`);
  }
  const login = ({ port }: Served, username = 'acme') => ({ host: '127.0.0.1', port, username, privateKey });
  return { options, folder, ask, key, login };
}

const pidsOf = ({ log }: Served) =>
  log.flatMap(({ message, pid }) => (message === 'a process for connections started' ? [Number(pid)] : []));

/** A zombie has ended, too: its parent was killed before it. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** A connection that a kill may end at each moment, with more than one error. */
function dial(t: TestContext, login: ConnectConfig): Promise<ssh2.Client> {
  const client = new ssh2.Client();
  t.after(() => void client.destroy());
  return new Promise((resolve, reject) => {
    client.on('error', reject).once('close', () => reject(new Error('closed')));
    client.once('ready', () => resolve(client)).connect({ ...login, readyTimeout: 120_000 });
  });
}

/** `work`, but an error once the connection ends: ssh2 then leaves calls without an answer. */
function whileOpen<T>(client: ssh2.Client, work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return Promise.race([
    work,
    new Promise<never>((_resolve, reject) => client.once('close', () => reject(new Error('closed')))),
  ]);
}

/** Sends files one after the other, each on a connection of its own, until `isOver`; the names that were acknowledged. */
async function sendFiles(
  t: TestContext,
  login: ReturnType<Awaited<ReturnType<typeof layTable>>['login']>,
  name: string,
  isOver: () => boolean,
) {
  const acknowledged: string[] = [];
  for (let number = 0; !isOver(); number++) {
    const path = `/${name}-${number}.csv`;
    const isSent = await dial(t, login)
      .then(async (client) => {
        client.on('error', () => {});
        const isWritten = openSftp(client).then(
          (sftp) =>
            new Promise<boolean>((resolve) =>
              sftp.writeFile(path, `User Email\n${name}${number}@acme.test\n`, (error) => resolve(error == null)),
            ),
        );
        const result = await whileOpen(client, isWritten);
        client.end();
        return result;
      })
      .catch(() => false);
    if (isSent) acknowledged.push(path);
  }
  return acknowledged;
}

for (const kind of ['sqlite', 'postgres'] as const)
  test(`a worker is killed amid uploads, then the server: no acknowledged file is lost (${kind})`, {
    skip,
  }, async (t) => {
    const { options, ask, login } = await layTable(t, kind === 'postgres' ? await createDatabase(t) : undefined);
    const server = await startServe(t, options);
    let isOver = false;
    const senders = ['a', 'b', 'c'].map((name) => sendFiles(t, login(server), name, () => isOver));
    const logins = () => server.log.filter(({ message }) => message === 'logged in').length;
    for (let kills = 0; kills < 3; kills++) {
      const before = logins();
      await until(() => logins() >= before + 8, 'uploads', 60_000);
      const [victim] = pidsOf(server).filter(isAlive);
      process.kill(victim!, 'SIGKILL');
      await until(() => pidsOf(server).filter(isAlive).length === 2 && !isAlive(victim!), 'another worker', 60_000);
    }
    const pids = pidsOf(server);
    await server.stop('SIGKILL');
    await until(() => !pids.some(isAlive), 'the end of the workers', 30_000);
    isOver = true;
    const acknowledged = (await Promise.all(senders)).flat();
    const again = await startServe(t, options);
    const queued = (await ask<{ path: string }[]>('queue', 'acme')).map(({ path }) => path);
    assert.ok(acknowledged.length > 10, `${acknowledged.length} files`);
    assert.deepEqual(
      acknowledged.filter((path) => !queued.includes(path)),
      [],
    );
    assert.equal(new Set(queued).size, queued.length);
    t.diagnostic(`${acknowledged.length} files acknowledged, ${queued.length} queued`);
    assert.equal(await again.stop(), 0);
  });

test('OpenSSH uploads, a listing of sessions, status, a revocation, and a stop that waits for an upload', {
  skip,
}, async (t) => {
  const { options, folder, ask, key, login } = await layTable(t);
  const server = await startServe(t, options);
  writeFileSync(join(folder, 'users.csv'), 'User Email\nann@acme.test\n');
  for (let round = 0; round < 2; round++) {
    const sent = await runSftp(t, folder, { port: server.port, key }, 'put users.csv', 'ls -l users.csv');
    assert.equal(sent.code, 0, sent.output);
  }
  const workers = new Set(server.log.flatMap(({ message, worker }) => (message === 'logged in' ? [worker] : [])));
  assert.deepEqual([...workers].sort(), [1, 2]);

  const clients = [await connect(t, login(server)), await connect(t, login(server))];
  const listed = async () => (await ask<{ server: string }[]>('sessions', 'list')).map((session) => session.server);
  await until(async () => new Set(await listed()).size === 2, 'sessions of both workers', 60_000);
  const { workers: shown } = await ask<{ workers: { pid: number | null }[] }>('status');
  assert.deepEqual(shown.map(({ pid }) => pid).sort(), pidsOf(server).sort());
  const ends = clients.map(
    (client) => new Promise<void>((resolve) => client.on('error', () => {}).once('close', () => resolve())),
  );
  const [held] = await ask<{ fingerprint: string }[]>('keys', 'list', 'acme');
  await ask('keys', 'revoke', 'acme', held!.fingerprint);
  await Promise.all(ends);
  await ask('keys', 'add', 'acme', `${key}.pub`);

  const sftp = await openSftp(await connect(t, login(server)));
  const handle = await new Promise<Buffer>((resolve, reject) =>
    sftp.open('/late.csv', 'w', (error, opened) => (error ? reject(error) : resolve(opened))),
  );
  const stopped = server.stop();
  await server.waitForLog(({ message }) => message === 'stopping');
  await new Promise<void>((resolve, reject) =>
    sftp.write(handle, Buffer.from('User Email\nbob@acme.test\n'), 0, 25, 0, (error) =>
      error ? reject(error) : sftp.close(handle, (failed) => (failed ? reject(failed) : resolve())),
    ),
  );
  assert.equal(await stopped, 0);
  assert.ok((await ask<{ path: string }[]>('queue', 'acme')).some(({ path }) => path === '/late.csv'));
  assert.equal(pidsOf(server).some(isAlive), false);
});

/** Clients of one customer that visit all the time, and those that upload without end. */
const visitors = 20;
const uploaders = 10;

test('one customer fills both workers: another one gets its turns, and does not notice the end of the other worker', {
  skip,
}, async (t) => {
  const { options, ask, login } = await layTable(t, undefined, ['acme', 'globex']);
  const server = await startServe(t, options);
  const call = <Result>(work: (done: (error: unknown, result?: Result) => void) => void) =>
    new Promise<Result>((resolve, reject) =>
      work((error, result) => (error == null ? resolve(result as Result) : reject(error))),
    );
  const put = (sftp: ssh2.SFTPWrapper, path: string, bytes: string | Buffer) =>
    call<void>((done) => sftp.writeFile(path, bytes, done));
  const list = (sftp: ssh2.SFTPWrapper) => call<{ filename: string }[]>((done) => sftp.readdir('/', done));
  const visit = async (username: string, path: string) => {
    const client = await dial(t, login(server, username));
    client.on('error', () => {});
    const work = openSftp(client).then(async (sftp) => {
      await put(sftp, path, `User Email\n${username}@${username}.test\n`);
      return list(sftp);
    });
    const names = (await whileOpen(client, work)).map(({ filename }) => filename);
    client.end();
    return names;
  };
  const steady = await dial(t, login(server, 'globex'));
  let isClosed = false;
  steady
    .on('error', () => {})
    .once('close', () => {
      isClosed = true;
    });
  const sftp = await openSftp(steady);
  const { worker: own } = await server.waitForLog(({ message, org }) => message === 'logged in' && org === 'globex');

  let [isOver, visits, mebibytes] = [false, 0, 0];
  const flood = [
    ...Array.from({ length: visitors }, async (_, at) => {
      while (!isOver)
        await visit('acme', `/visit-${at}.csv`).then(
          () => visits++,
          () => {},
        );
    }),
    ...Array.from({ length: uploaders }, async (_, at) => {
      while (!isOver)
        await dial(t, login(server))
          .then(async (client) => {
            client.on('error', () => {});
            const work = openSftp(client).then(async (session) => {
              for (; !isOver; mebibytes++) await put(session, `/large-${at}.bin`, Buffer.alloc(1024 ** 2, 'x'));
            });
            await whileOpen(client, work);
            client.end();
          })
          .catch(() => {});
    }),
  ];
  await until(() => visits > visitors && mebibytes > uploaders, 'acme is busy', 120_000);

  const before = visits;
  const rounds = 10;
  for (let round = 0; round < rounds; round++) {
    const names = await visit('globex', `/turn-${round}.csv`);
    assert.ok(names.includes(`turn-${round}.csv`));
  }
  const perTurn = (visits - before) / rounds;
  t.diagnostic(`acme: ${perTurn} visits of ${visitors} clients for each one of globex, ${mebibytes} MiB`);
  // Each client of acme had its turn, and each of them some more.
  assert.ok(perTurn < 3 * visitors, `acme had ${perTurn} visits for each one of globex`);

  const handle = await call<Buffer>((done) => sftp.open('/steady.csv', 'w', done));
  const line = Buffer.from('User Email\n');
  const write = (bytes: Buffer, at: number) =>
    call<void>((done) => sftp.write(handle, bytes, 0, bytes.length, at, done));
  await write(line, 0);
  const ending = await server.waitForLog(
    ({ message, worker }) => message === 'a process for connections started' && worker !== own,
  );
  process.kill(Number(ending.pid), 'SIGKILL');
  const killedAt = visits;
  let at = line.length;
  const again = () =>
    server.log.some(
      ({ message, worker, pid }) =>
        message === 'a process for connections started' && worker === ending.worker && pid !== ending.pid,
    );
  for (let turns = 0; turns < 50 || !again() || visits < killedAt + visitors; turns++) {
    const row = Buffer.from(`user${turns}@globex.test\n`);
    await write(row, at);
    at += row.length;
    assert.ok((await list(sftp)).length > 0);
  }
  await call<void>((done) => sftp.close(handle, done));
  assert.equal(isClosed, false, 'its session lives');
  isOver = true;
  await Promise.all(flood);
  steady.end();
  const queued = (await ask<{ path: string; size: number }[]>('queue', 'globex')).map(({ path }) => path);
  const expected = ['/steady.csv', ...Array.from({ length: rounds }, (_, round) => `/turn-${round}.csv`)];
  assert.deepEqual([...queued].sort(), expected.sort());
  assert.equal(await server.stop(), 0);
});

test('numbers of workers that make no sense are refused in a sentence', async (t) => {
  for (const workers of ['0', '-1', '1000', '1.5', 'two']) {
    const ran = await runDropslot(['serve'], { data: temporaryFolder(t), env: { DROPSLOT_WORKERS: workers } });
    assert.equal(ran.code === 0, false);
    assert.match(ran.stderr, /workers.*whole number from 1 to 64/);
  }
});

test('a worker that does not answer is ended and replaced', async (t) => {
  const { options, login } = await layTable(t);
  const server = await startServe(t, options);
  const [victim] = pidsOf(server);
  process.kill(victim!, 'SIGSTOP');
  await server.waitForLog(({ cause }) => cause === 'it did not answer', 120_000);
  await until(() => pidsOf(server).filter(isAlive).length === 2, 'another worker', 60_000);
  await openSftp(await connect(t, login(server)));
});

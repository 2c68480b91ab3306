/** The process of a worker as the server sees it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { superviseWorker, type WorkerProcess, type WorkerProcessDeps } from '../../app/workerprocess.js';
import { createSilentLogger } from '../../config/logger.js';
import { settingsSchema } from '../../config/settings.js';
import type { WorkerMessage } from '../../server/workers/messages.js';
import { until } from '../support/session.js';

function supervise(t: TestContext, change: Partial<WorkerProcessDeps> = {}): WorkerProcess {
  const worker = superviseWorker({
    ...{
      number: 1,
      settings: settingsSchema.parse({}),
      secrets: { master: null, passphrase: null },
      countsAudit: false,
      isGuest: true,
    },
    logger: createSilentLogger(),
    module: new URL(`./workerprocess.child${import.meta.url.endsWith('.js') ? '.js' : '.ts'}`, import.meta.url),
    hostKeys: () => [],
    onStart: () => {},
    onMessage: () => {},
    onEnd: async () => {},
    ...change,
  });
  t.after(async () => {
    const stopped = worker.stop(0);
    if (worker.pid !== null) process.kill(worker.pid, 'SIGKILL');
    await stopped;
  });
  return worker;
}

/** Connections whose sockets the worker is sent; `lost` has the numbers of those that did not arrive. */
async function sendConnections(t: TestContext, { port: worker }: WorkerProcess) {
  const accepted: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => accepted.push(socket));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const clients = Array.from({ length: 4 }, () => connect(port, '127.0.0.1'));
  t.after(() => clients.forEach((client) => void client.destroy()));
  for (const client of clients) client.on('error', () => {}).resume();
  await until(() => accepted.length === clients.length, 'the connections');
  const lost: number[] = [];
  accepted.forEach((socket, id) => {
    const message = { type: 'connection', id, address: '127.0.0.1', isStranger: false, policy: 'modern' } as const;
    worker!.send(message, socket, () => lost.push(id));
  });
  return { clients, lost };
}

test('sockets on their way to a worker are closed when it is killed', async (t) => {
  const worker = supervise(t);
  await worker.ready;
  const { clients } = await sendConnections(t, worker);
  process.kill(worker.pid!, 'SIGKILL');
  await until(() => clients.every(({ closed }) => closed), 'the end of all');
});

test('host keys that change while a worker starts reach it', async (t) => {
  const told: WorkerMessage[] = [];
  const key = { id: 'new' } as unknown as ReturnType<WorkerProcessDeps['hostKeys']>[number];
  const states = [[], [key]];
  const worker = supervise(t, {
    hostKeys: () => states.shift() ?? [key],
    onMessage: (_, message) => told.push(message),
  });
  await worker.ready;
  await until(() => told.length > 0, 'the new keys');
  assert.deepEqual(told, [{ type: 'total', bytes: 1 }]);
});

test('a worker without file descriptors: the sockets are closed, and the server knows that they did not arrive', async (t) => {
  const worker = supervise(t);
  await worker.ready;
  execFileSync('prlimit', ['--pid', `${worker.pid}`, '--nofile=3:3']);
  const { clients, lost } = await sendConnections(t, worker);
  await until(() => clients.every(({ closed }) => closed), 'the end of all');
  await until(() => lost.length === clients.length, 'the news of it');
});

test('a server that has no file descriptor left for a new process starts it when it has', async (t) => {
  let starts = 0;
  const limit = (count: string) => execFileSync('prlimit', ['--pid', `${process.pid}`, `--nofile=${count}:`]);
  const worker = supervise(t, { onStart: () => starts++, onOutput: () => {} });
  await worker.ready;
  const opened: number[] = [];
  const before = execFileSync('prlimit', ['--pid', `${process.pid}`, '--nofile', '-o', 'SOFT', '--noheadings']);
  const giveBack = () => {
    for (const fd of opened.splice(0)) closeSync(fd);
    limit(before.toString().trim());
  };
  t.after(giveBack);
  limit('200');
  process.kill(worker.pid!, 'SIGKILL');
  assert.throws(() => {
    for (;;) opened.push(openSync('/dev/null', 'r'));
  });
  await until(() => worker.restarts >= 2, 'a start in vain');
  giveBack();
  await until(() => starts === 2, 'the next process');
});

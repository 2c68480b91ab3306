/** A system that has no memory, or no room, for another process: the server goes on, and starts it later. */
import assert from 'node:assert/strict';
import { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { startApiProcess } from '../../app/apiprocess.js';
import type { Count } from '../../app/counting.js';
import { forkProcess } from '../../app/forking.js';
import { superviseProcess } from '../../app/importerprocess.js';
import { superviseWorker } from '../../app/workerprocess.js';
import { settingsSchema } from '../../config/settings.js';
import { until } from '../support/session.js';

const child = new URL(`./workerprocess.child${import.meta.url.endsWith('.js') ? '.js' : '.ts'}`, import.meta.url);
const settings = settingsSchema.parse({});
const secrets = { master: null, passphrase: null };

/** From now on each start fails so often, as Node.js does it for want of memory. */
function withoutMemory(t: TestContext, failures: number): () => number {
  const { spawn } = ChildProcess.prototype as unknown as { spawn(options: object): number };
  let failed = 0;
  t.mock.method(
    ChildProcess.prototype as unknown as { spawn: typeof spawn },
    'spawn',
    function (this: object, options: object) {
      if (failed >= failures) return spawn.call(this, options);
      failed++;
      throw Object.assign(new Error('spawn ENOMEM'), { code: 'ENOMEM', syscall: 'spawn' });
    },
  );
  return () => failed;
}

function collect() {
  const lines: { message: string; reason?: unknown }[] = [];
  const log = (message: string, details: object = {}) => void lines.push({ message, ...details });
  return { lines, logger: { debug: log, info: log, warn: log, error: log } as never };
}

test('a process that can not be started has no pid, and an error', async (t) => {
  withoutMemory(t, 1);
  const none = forkProcess(child, {});
  assert.equal(none.pid, undefined);
  assert.equal(none.connected === true, false);
  const [error] = await once(none, 'error');
  assert.equal(error.code, 'ENOMEM');
});

test('a worker that ended is started again once there is memory', async (t) => {
  const { lines, logger } = collect();
  const worker = superviseWorker({
    ...{ settings, logger, secrets, number: 1, countsAudit: false, isGuest: true, module: child, hostKeys: () => [] },
    ...{ onStart: () => {}, onMessage: () => {}, onEnd: async () => {} },
  });
  t.after(async () => {
    const stopped = worker.stop(0);
    if (worker.pid !== null) process.kill(worker.pid, 'SIGKILL');
    await stopped;
  });
  await worker.ready;
  const first = worker.pid!;
  const failed = withoutMemory(t, 2);
  process.kill(first, 'SIGKILL');
  await until(() => worker.port?.isOpen === true && worker.pid !== first, 'another one', 60_000);
  assert.equal(failed(), 2);
  assert.equal(worker.restarts, 3);
  const told = lines.filter(({ message }) => message === 'could not start a process for connections; will retry');
  assert.deepEqual(
    told.map(({ reason }) => reason),
    ['spawn ENOMEM', 'spawn ENOMEM'],
  );
});

test('the first worker that can not be started is an error of the start', async (t) => {
  const { logger } = collect();
  withoutMemory(t, 1);
  const worker = superviseWorker({
    ...{ settings, logger, secrets, number: 1, countsAudit: false, isGuest: true, module: child, hostKeys: () => [] },
    ...{ onStart: () => {}, onMessage: () => {}, onEnd: async () => {} },
  });
  await assert.rejects(worker.ready, /spawn ENOMEM/);
  await worker.stop(0);
});

test('an importer, and the process of the HTTP API, are started once there is memory', async (t) => {
  const { lines, logger } = collect();
  const failed = withoutMemory(t, 2);
  const counted: Parameters<Count>[0][] = [];
  const onCount: Count = (message) => counted.push(message);
  const importer = superviseProcess({
    ...{ settings, secrets, logger, onCount, module: child, directoryDriver: settings.sqliteDriver },
    role: () => ({ name: 'scheduler' }),
  });
  const stopApi = startApiProcess({ settings, shown: [], secrets, logger, onCount });
  const has = (message: string) => lines.some((line) => line.message === message);
  await until(() => has('the scheduler process started'), 'the importer', 60_000);
  await until(() => has('the process of the HTTP API started'), 'the API', 60_000);
  assert.equal(failed(), 2);
  const reasons = lines.flatMap(({ reason }) => (reason === undefined ? [] : [reason]));
  assert.deepEqual(reasons, ['spawn ENOMEM', 'spawn ENOMEM']);
  await Promise.all([importer.stop(0), stopApi()]);
  const restart = { type: 'restart', cause: 'ended' };
  assert.deepEqual(
    counted.filter(({ type }) => type === 'restart'),
    ['scheduler', 'api'].map((process) => ({ ...restart, process })),
  );
});

/** A worker: a process that speaks SSH on the connections that the server hands to it, from the message `start` until `stop`. */
import type { Socket } from 'node:net';
import { createServerLogger, type Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';
import { shareLock } from '../db/lock.js';
import type { IntakeStep } from '../intake/intake.js';
import { fromText } from '../server/workers/messages.js';
import { type RunningWorker, startWorker } from '../server/workers/worker.js';
import { recoverUnsynced, unsyncedPlaceOf } from '../storage/unsynced.js';
import { composeServer, openWorkplace } from './compose.js';
import { forwardAudit } from './counting.js';
import { dieOfDefects } from './defects.js';
import { followParentEvenHung, tellParent } from './parent.js';
import { beatMs, type FromWorker, type ToWorker, type WorkerStart } from './workermessages.js';

interface Running extends RunningWorker {
  close(): Promise<void>;
}

const tell = tellParent<FromWorker>;
const lockWaitMs = 60_000;

/** Obeys the messages of the server, which forked this process. @param onStep for tests */
export function obeyServer(onStep?: (step: IntakeStep) => void): void {
  // If the server is killed, uploads in progress are cut off, as if this process had been killed.
  followParentEvenHung();
  let running: Promise<Running> | null = null;
  let ready: Running | null = null;
  process.on('message', async (message: ToWorker, socket: Socket | undefined) => {
    if (message.type === 'start') {
      running = begin(message, onStep);
      ready = await running;
      tell({ type: 'ready' });
    } else if (message.type === 'stop') {
      const worker = await running;
      await worker?.stop(message.graceMs);
      await worker?.close();
      process.exit(0);
    } else ready?.onMessage(message, socket ?? null);
  });
}

/** Ends the process when it can't start. */
function begin(start: WorkerStart, onStep: ((step: IntakeStep) => void) | undefined): Promise<Running> {
  const logger = createServerLogger(start.settings, false).child({ part: 'ssh', worker: start.number });
  const die = dieOfDefects(logger, 'a process for connections failed and exits; the server starts it again');
  beat();
  setInterval(beat, beatMs).unref();
  const running = run(start, logger, onStep);
  running.catch((error: Error) => {
    // Standard output ends with the process: the server must have the reason before.
    process.send?.({ type: 'failed', reason: error.message } satisfies FromWorker, () => die(error));
  });
  return running;
}

function beat(): void {
  const { user, system } = process.cpuUsage();
  tell({
    type: 'alive',
    state: { memoryBytes: process.memoryUsage.rss(), processorMs: Math.round((user + system) / 1000) },
  });
}

async function run(start: WorkerStart, logger: Logger, onStep?: (step: IntakeStep) => void): Promise<Running> {
  const { settings, secrets: known, process: name, isGuest } = start;
  const workplace = await openWorkplace(settings, { known, isGuest, withoutDirectory: true });
  const { control } = workplace;
  const lock = await shareWorkersLock(settings, workplace.paths.workersLock);
  if (start.countsAudit) forwardAudit(control, tell);
  // Of a worker that died: it has left the bytes of small files in the database.
  if (control.dialect === 'sqlite') await recoverUnsynced(unsyncedPlaceOf(control, workplace.paths), true);
  const parts = await composeServer(workplace, fromText(start.hostKeys), logger, { onStep, process: name });
  const worker = startWorker({
    ...parts.deps,
    isGuest,
    memory: parts.memory,
    auditRate: control.auditRate,
    name,
    tell,
  });
  return {
    ...worker,
    async close() {
      await parts.close();
      await workplace.close();
      await lock?.release();
    },
  };
}

/** A server that begins waits for the workers of one that was killed. */
async function shareWorkersLock({ database, sqliteDriver }: Settings, file: string) {
  return database === 'sqlite' ? shareLock(file, sqliteDriver, lockWaitMs) : null;
}

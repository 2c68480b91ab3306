/** The server with several processes for connections: the front in this process, and the workers that it hands connections to. */
import { hostname } from 'node:os';
import type { Logger } from '../config/logger.js';
import { removeAllWorkers, removeWorkers, writeWorkers, writtenEveryMs } from '../db/control/workers.js';
import type { HostKey } from '../keys/host/hostkeys.js';
import { OperationError } from '../operations/error.js';
import type { Workplace } from '../operations/workplace.js';
import type { RunningServer } from '../server/types.js';
import { type Front, type Port, startFront, type Workers } from '../server/workers/front.js';
import { toText } from '../server/workers/messages.js';
import { forgetProcess } from '../storage/deadprocess.js';
import type { Count } from './counting.js';
import type { WorkerState } from './workermessages.js';
import { superviseWorker, type WorkerProcess } from './workerprocess.js';

export interface WorkerPoolDeps {
  workplace: Workplace;
  hostKeys: readonly HostKey[];
  logger: Logger;
  /** The module to fork. */
  module?: URL | undefined;
  isGuest: boolean;
  onOutput?: ((line: string) => void) | undefined;
  /** Gets the audit records of the workers; absent: nothing counts them. */
  onCount?: Count | undefined;
}

/** One worker as it is now; null where none runs. */
export interface WorkerView {
  number: number;
  pid: number | null;
  connections: number;
  /** Whether it gets connections now. */
  isReady: boolean;
  state: WorkerState | null;
  restarts: number;
}

export interface WorkerPool extends Omit<RunningServer, 'host' | 'port'> {
  view(): WorkerView[];
}

/** @throws OperationError `unavailable` when a worker can't start; ServerError as startServer */
export async function startWorkerPool(deps: WorkerPoolDeps): Promise<WorkerPool> {
  const { workplace, logger, isGuest, module, onOutput } = deps;
  const { settings, control, now } = workplace;
  let hostKeys = toText(deps.hostKeys);
  let listeners: Parameters<Workers['listen']>[0] | null = null;
  const members: WorkerProcess[] = Array.from({ length: settings.workers }, (_, index) =>
    superviseWorker({
      ...{ settings, logger, isGuest, module, onOutput, number: index + 1, secrets: workplace.secrets.known() },
      countsAudit: deps.onCount !== undefined,
      hostKeys: () => hostKeys,
      onStart: (port) => listeners?.onStart(port),
      onMessage: (port, message) => listeners?.onMessage(port, message),
      onEnd: async (port, process) => {
        listeners?.onEnd(port);
        await forgetProcess(workplace, process).catch((error: Error) =>
          logger.error('could not recover the uploads of a process that ended; the next start will', {
            reason: error.message,
          }),
        );
      },
    }),
  );
  const stopAll = async (graceMs: number): Promise<void> => {
    await Promise.all(members.map((member) => member.stop(graceMs)));
  };
  const ports = (): Port[] => members.flatMap(({ port }) => (port === null ? [] : [port]));
  const workers: Workers = {
    list: ports,
    listen(its) {
      listeners = its;
      for (const port of ports()) its.onStart(port);
    },
  };
  let front: Front;
  try {
    await Promise.all(members.map(({ ready }) => ready)).catch((error: Error) => {
      throw new OperationError('unavailable', `a process for connections can't start: ${error.message}`);
    });
    front = await startFront(
      { settings, logger, control, now, onAudit: (events) => deps.onCount?.({ type: 'audit', events }) },
      workers,
    );
  } catch (error) {
    await stopAll(0);
    throw error;
  }
  const view = (): WorkerView[] =>
    members.map(({ port, pid, state, restarts }, index) => ({
      ...{ number: index + 1, pid, state, restarts },
      connections: port === null ? 0 : front.countOf(port),
      isReady: port?.isOpen === true && !port.isBusy,
    }));
  const report = await startReport(workplace, view, logger);
  return {
    listeners: front.listeners,
    countConnections: front.countConnections,
    replaceHostKeys(keys) {
      hostKeys = toText(keys);
      front.replaceHostKeys(keys);
    },
    view,
    async stop(graceMs) {
      front.close();
      await stopAll(graceMs);
      await report.stop();
      await front.stop();
    },
  };
}

/** Writes the workers to the control database, where `status` and `doctor` find them. */
async function startReport(
  { control, now }: Workplace,
  view: () => readonly WorkerView[],
  logger: Logger,
): Promise<{ stop(): Promise<void> }> {
  const server = `${hostname()}:${process.pid}`;
  let isFailing = false;
  let writing: Promise<void> | null = null;
  const write = async (): Promise<void> => {
    const rows = view().map(({ state, ...row }) => ({
      ...row,
      memoryBytes: state?.memoryBytes ?? 0,
      processorMs: state?.processorMs ?? 0,
    }));
    try {
      await writeWorkers(control.write, server, rows, now());
      isFailing = false;
    } catch (error) {
      if (!isFailing)
        logger.warn('could not write the state of the processes for connections; will retry', {
          reason: (error as Error).message,
        });
      isFailing = true;
    }
  };
  const tick = (): void => {
    writing ??= write().finally(() => {
      writing = null;
    });
  };
  // On SQLite there is no other server.
  if (control.dialect === 'sqlite') await removeAllWorkers(control.write);
  tick();
  const timer = setInterval(tick, writtenEveryMs).unref();
  return {
    async stop() {
      clearInterval(timer);
      await writing;
      // A database that is away finds them old.
      await removeWorkers(control.write, server).catch(() => {});
    },
  };
}

/** Gives a run back that met a fault of the machine: it uses up no attempt, and is tried again after growing pauses. */
import { setTimeout as sleep } from 'node:timers/promises';
import { pauseRun, type Run } from '../../db/control/runs.js';
import type { RunDeps } from './deps.js';
import { describeFault } from './failureclass.js';

export interface PauseDeps extends Pick<RunDeps, 'control' | 'logger' | 'now'> {
  /** Whether the importer must stop. */
  isStopping: () => boolean;
}

const firstPauseMs = 5_000;
const longestPauseMs = 5 * 60_000;
const firstRetryMs = 1_000;
const longestRetryMs = 30_000;

/** How long a run waits after so many faults in a row, in ms. */
export function pauseAfter(faults: number): number {
  return Math.min(firstPauseMs * 2 ** faults, longestPauseMs);
}

/** Where the control database itself is away, it waits for it, unless the importer stops. */
export async function pauseAfterFault(deps: PauseDeps, run: Run, error: unknown): Promise<void> {
  const { control, logger, now, isStopping } = deps;
  const fault = describeFault(error) ?? (error as Error).message;
  const pauseMs = pauseAfter(run.faults);
  logger.error(
    `a fault of the machine interrupted a run; it uses up no attempt, and is tried again in ${pauseMs / 1000} s`,
    {
      ...{ org: run.org, run: run.id, faults: run.faults + 1, reason: fault },
    },
  );
  for (let retryMs = firstRetryMs; ; retryMs = Math.min(retryMs * 2, longestRetryMs)) {
    try {
      return await pauseRun(control.write, run, fault, now() + pauseMs);
    } catch (cause) {
      if (describeFault(cause) === null || isStopping()) throw cause;
      logger.warn(`could not give back an interrupted run; will retry in ${retryMs / 1000} s`, {
        ...{ org: run.org, run: run.id, reason: describeFault(cause) },
      });
      for (let waited = 0; waited < retryMs && !isStopping(); waited += firstRetryMs) await sleep(firstRetryMs);
    }
  }
}

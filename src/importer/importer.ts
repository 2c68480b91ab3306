/** The importer as a whole: slots, the worker, scheduled deactivations. Runs in a process of its own beside the server. */
import { setTimeout as sleep } from 'node:timers/promises';
import { dropAbandonedChecks } from './check.js';
import { startDeactivations } from './deactivations.js';
import { startRetention } from './retention.js';
import type { RunDeps } from './run.js';
import { startSlots } from './slots.js';
import { workNext } from './worker.js';

export interface ImporterDeps extends RunDeps {
  /** Unique to this process: `host:pid:random`. */
  owner: string;
}

export interface RunningImporter {
  /** A run was opened: look at once. */
  nudge(): void;
  /** Resolves when the work is at a safe point: a run is either applied and settled, or given back. */
  stop(): Promise<void>;
}

/** Runs opened by commands of other processes are found by looking. */
const lookEveryMs = 1_000;
const pauseAfterFailureMs = 5_000;

export async function startImporter(deps: ImporterDeps): Promise<RunningImporter> {
  let waking = new AbortController();
  let isStopping = false;
  const nudge = () => waking.abort();
  const rest = async (ms: number) => {
    if (isStopping) return;
    await sleep(ms, undefined, { signal: waking.signal }).catch(() => {});
    if (!isStopping) waking = new AbortController();
  };
  const work = async () => {
    while (!isStopping) {
      const result = await workNext({ ...deps, isStopping: () => isStopping }).catch((error: Error) => {
        deps.logger.error('the importer waits', { reason: error.message });
        return 'left' as const;
      });
      if (result !== 'ended') await rest(result === 'idle' ? lookEveryMs : pauseAfterFailureMs);
    }
  };
  await dropAbandonedChecks(deps);
  const slots = await startSlots({ ...deps, onOpen: nudge });
  const deactivations = startDeactivations(deps);
  const { control, directory, paths, settings, logger, now } = deps;
  const retention = startRetention({ control, directory, paths, settings, logger, now });
  const working = work();
  return {
    nudge,
    stop: async () => {
      isStopping = true;
      waking.abort();
      await Promise.all([slots.stop(), deactivations.stop(), retention.stop(), working]);
    },
  };
}

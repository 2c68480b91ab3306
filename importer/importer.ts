/** Starts and stops the importer: slots, runs, checks, deactivations and retention. It runs in a process beside the server. */
import { setTimeout as sleep } from 'node:timers/promises';

import { checkNext } from './check/checkworker.js';
import { removeCheckedDryRuns } from './check/dryrunfiles.js';
import { dropAbandonedTrials } from './check/trialplan.js';
import type { RunDeps } from './run/deps.js';
import { workNext } from './run/worker.js';
import { createClock } from './schedule/clock.js';
import { startDeactivations } from './schedule/deactivations.js';
import { startSilence } from './schedule/expectations.js';
import { startRetention } from './schedule/retention.js';
import { openUploadRuns, startSlots } from './schedule/slots.js';
import { startTemplates } from './schedule/templatefolder.js';

export interface ImporterDeps extends RunDeps {
  /** Unique to this process: `host:pid:random`. */
  owner: string;
}

export interface RunningImporter {
  /** A run was opened: the importer works on it at once. */
  nudge(): void;
  /** Resolves when the current run is either applied and settled, or given back to the queue. */
  stop(): Promise<void>;
}

/** How often it looks for runs that commands of other processes opened, for new uploads and for queued checks. */
const lookEveryMs = 1_000;
const pauseAfterFailureMs = 5_000;
/** How often it removes files of dry runs whose time is over. */
const sweepEveryMs = 60_000;

export async function startImporter(deps: ImporterDeps): Promise<RunningImporter> {
  let waking = new AbortController();
  const stopping = new AbortController();
  let isStopping = false;
  let isRunning = false;
  const nudge = () => waking.abort();
  const rest = async (ms: number) => {
    if (isStopping) return;
    await sleep(ms, undefined, { signal: waking.signal }).catch(() => {});
    if (!isStopping) waking = new AbortController();
  };
  const logFailure = (operation: string, retryMs: number) => (error: Error) =>
    void deps.logger.error(`could not ${operation}; will retry in ${retryMs / 1000} s`, { reason: error.message });
  const onClaim = () => {
    isRunning = true;
  };
  const work = async () => {
    while (!isStopping) {
      const result = await workNext({ ...deps, isStopping: () => isStopping, onClaim }).catch((error: Error) => {
        logFailure('work on the next open run', pauseAfterFailureMs)(error);
        return 'left' as const;
      });
      isRunning = false;
      if (result !== 'ended') await rest(result === 'idle' ? lookEveryMs : pauseAfterFailureMs);
    }
  };
  const check = async () => {
    let sweptAt = performance.now();
    const mustYield = () => isRunning || isStopping;
    while (!isStopping) {
      await openUploadRuns({ ...deps, onOpen: nudge }).catch(logFailure('open runs for new uploads', lookEveryMs));
      const result = isRunning
        ? ('left' as const)
        : await checkNext({ ...deps, mustYield }).catch((error: Error) => {
            logFailure('work on the next queued check', pauseAfterFailureMs)(error);
            return 'left' as const;
          });
      if (result === 'checked') continue;
      if (result === 'idle' && performance.now() - sweptAt > sweepEveryMs) {
        await removeCheckedDryRuns(deps).catch(logFailure('remove checked files below /dry-run', sweepEveryMs));
        sweptAt = performance.now();
      }
      const pauseMs = result === 'idle' ? lookEveryMs : pauseAfterFailureMs;
      await sleep(isRunning ? lookEveryMs : pauseMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  await dropAbandonedTrials(deps);
  const clock = createClock(deps);
  const slots = await startSlots({ ...deps, clock, onOpen: nudge });
  const deactivations = startDeactivations({ ...deps, clock });
  const { control, directory, paths, settings, logger, now } = deps;
  const silence = startSilence({ control, logger, now, clock });
  const templates = startTemplates({ control, directory, paths, settings, logger, now });
  const retention = startRetention({ control, directory, paths, settings, logger, now, clock });
  const working = Promise.all([work(), check()]);
  return {
    nudge,
    stop: async () => {
      isStopping = true;
      waking.abort();
      stopping.abort();
      await Promise.all([
        slots.stop(),
        deactivations.stop(),
        retention.stop(),
        templates.stop(),
        silence.stop(),
        working,
      ]);
    },
  };
}

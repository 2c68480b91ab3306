/** One importer of the pool: works on runs, and on checks while no run waits, until it is stopped. */
import { setTimeout as sleep } from 'node:timers/promises';
import { KeptRuns } from '../db/control/runs.js';
import { createFitCheck } from '../db/pair.js';
import { watchFreeSpace } from '../storage/freespace.js';
import { checkNext } from './check/checkworker.js';
import { createOutage, type Outage } from './outage.js';
import type { RunDeps } from './run/deps.js';
import { workNext } from './run/worker.js';

/** What an importer works on: a run, or a check before the import; null: it waits for work. */
export type Work = 'run' | 'check' | null;

export interface ImporterDeps extends RunDeps {
  /** Unique to this process: `host:pid:random`. */
  owner: string;
  /** Takes only runs and checks whose files have at most so many bytes together. */
  mostBytes?: number;
  /** Called when the work begins and ends. */
  onWork?: (work: Work) => void;
}

export interface RunningImporter {
  /** A run was opened: the importer works on it at once. */
  nudge(): void;
  /** Resolves when the current run is either applied and settled, or given back to the queue. */
  stop(): Promise<void>;
}

/** How often it looks for runs that commands of other processes opened, and for queued checks. */
const lookEveryMs = 1_000;
const pauseAfterFailureMs = 5_000;

export function startImporter(deps: ImporterDeps): RunningImporter {
  let waking = new AbortController();
  let isStopping = false;
  const nudge = () => waking.abort();
  const rest = async (ms: number) => {
    if (isStopping) return;
    await sleep(ms, undefined, { signal: waking.signal }).catch(() => {});
    if (!isStopping) waking = new AbortController();
  };
  /** The outcome of the work, or how long to wait before it is tried again, in ms. */
  const attempt = async (outage: Outage, work: () => Promise<'idle' | 'done' | 'left'>) => {
    try {
      const result = await work();
      outage.end();
      return result;
    } catch (error) {
      return outage.begin(error as Error);
    } finally {
      deps.onWork?.(null);
    }
  };
  const runs = createOutage('work on the next open run', deps.logger);
  const checks = createOutage('work on the next queued check', deps.logger);
  const worker = {
    ...deps,
    isStopping: () => isStopping,
    onClaim: () => deps.onWork?.('run'),
    kept: new KeptRuns(),
    requireFit: createFitCheck(deps),
  };
  const run = async () => {
    const worked = await workNext(worker);
    return worked === 'ended' ? 'done' : worked;
  };
  const check = async () => {
    const checked = await checkNext({ ...deps, mustYield: () => isStopping, onTake: () => deps.onWork?.('check') });
    return checked === 'checked' ? 'done' : checked;
  };
  const hasSpace = watchFreeSpace(deps.settings, deps.logger, 'start runs and checks');
  const work = async () => {
    while (!isStopping) {
      if (!hasSpace()) {
        await rest(pauseAfterFailureMs);
        continue;
      }
      let result = await attempt(runs, run);
      if (result === 'idle' && !isStopping) result = await attempt(checks, check);
      if (typeof result === 'number') await rest(result);
      else if (result !== 'done') await rest(result === 'idle' ? lookEveryMs : pauseAfterFailureMs);
    }
  };
  const working = work();
  return {
    nudge,
    stop: async () => {
      isStopping = true;
      waking.abort();
      await working;
    },
  };
}

/** Waits for the end of a run, and works on it and on runs before it in this process, with or without a server beside it. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasProgramHooks } from '../db/control/programhooks.js';
import { endedStates, findFirstUnended, findHeldRun, findRun, type Run } from '../db/control/runs.js';
import { requireFit } from '../db/pair.js';
import type { Progress } from '../importer/types.js';
import { KeyError } from '../keys/error.js';
import { OperationError } from './error.js';
import { programHooksText } from './importhooks.js';
import { describeProgress } from './runsummary.js';
import type { Workplace } from './workplace.js';

/** Gets lines about the progress of a run and about runs that it waits for. */
export type OnProgress = (line: string) => void;

const lookEveryMs = 250;

/**
 * Returns the run when it has ended or is held. Runs of the organization that were opened before it go first: this process
 * finishes those that were interrupted.
 * @param signal ends the wait; an import of this process stops at a safe point.
 * @throws OperationError `refused` when a run before it is held; `failed` when the wait is ended
 */
export async function followRun(
  workplace: Workplace,
  id: number,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<Run> {
  const { control } = workplace;
  const { org } = (await findRun(control.read, id))!;
  const tell = createTeller(onProgress);
  let failure: Error | null = null;
  const working = workHere(workplace, org, id, tell, signal).catch((error: Error) => {
    failure = error;
  });
  for (;;) {
    if (failure !== null) throw failure;
    const run = await findRun(control.read, id);
    if (run === null)
      throw new OperationError(
        'refused',
        `run ${id} found no files in the queue, and was removed: there is nothing to import`,
      );
    if (isOver(run)) {
      await working;
      return run;
    }
    if (signal.aborted) {
      await working;
      throw new OperationError(
        'failed',
        `stopped waiting; the next importer continues run ${id}, see "dropslot runs show ${id}"`,
      );
    }
    const first = (await findFirstUnended(control.read, org)) ?? run;
    if (first.state === 'held' && first.id < id) {
      await working;
      await refuseWhileHeld(workplace, org);
    }
    const line = describeWait(workplace, run, first);
    if (line !== null) tell(line);
    await sleep(lookEveryMs);
  }
}

/** @throws OperationError `refused` while a run of the organization is held */
export async function refuseWhileHeld({ control }: Pick<Workplace, 'control'>, org: string): Promise<void> {
  const held = await findHeldRun(control.read, org);
  if (held === null) return;
  const decide = `"dropslot runs show ${held.id} --changes", then "dropslot runs approve ${held.id}" or "dropslot runs reject ${held.id}"`;
  throw new OperationError('refused', `run ${held.id} of ${org} is held and must be decided first: ${decide}`);
}

/** Tells no line twice in a row. */
function createTeller(onProgress: OnProgress): OnProgress {
  let last = '';
  return (line) => {
    if (line !== last) onProgress(line);
    last = line;
  };
}

/** null: there is nothing to tell yet. */
function describeWait({ settings }: Workplace, run: Run, first: Run): string | null {
  const progress = first.progress === null ? '' : `: ${describeProgress(first.progress as Progress)}`;
  if (first.id >= run.id) return progress === '' ? null : progress.slice(2);
  if (first.state !== 'running') return null;
  const owner = first.leaseOwner?.split(':').slice(0, 2).join(', process ') ?? 'another process';
  return `waits for run ${first.id}, which ${owner} works on (if that process has ended: for at most ${settings.leaseSeconds} s)${progress}`;
}

/** Imports in this process. A node without the master key leaves that to the nodes that have it. */
async function workHere(
  workplace: Workplace,
  org: string,
  id: number,
  tell: OnProgress,
  signal: AbortSignal,
): Promise<void> {
  try {
    await workplace.master();
  } catch (error) {
    if (error instanceof KeyError && workplace.settings.database !== 'sqlite') return;
    throw error;
  }
  await requireFit(workplace);
  const { settings, paths, control, directory, now, identity, hooks } = workplace;
  if (settings.importHooks === undefined && (await hasProgramHooks(control.read)))
    return tell(`waits for the program that embeds Dropslot: ${programHooksText}`);
  const { createLogger } = await import('../config/logger.js');
  const { workNext } = await import('../importer/run/worker.js');
  const logger = createLogger({ ...settings, logLevel: 'error' });
  const owner = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
  const isStopping = () => signal.aborted;
  const deps = { settings, paths, control, directory, logger, identity, now, owner, hooks, isStopping };
  while (!signal.aborted) {
    const next = await findFirstUnended(control.read, org);
    if (next === null || next.id > id || next.state === 'held') return;
    const onClaim = () => {
      if (next.id !== id)
        tell(`finishes run ${next.id} first, which was ${next.startedAt === null ? 'open' : 'interrupted'}`);
    };
    const result = await workNext({ ...deps, onClaim }, next.id);
    if (result === 'ended') {
      if (next.id === id) return;
      const ended = await findRun(control.read, next.id);
      tell(`run ${next.id} is ${ended?.state}; "dropslot runs show ${next.id}" shows it`);
      continue;
    }
    await sleep(result === 'left' ? 2_000 : 1_000);
  }
}

function isOver({ state }: Run): boolean {
  return state === 'held' || endedStates.includes(state);
}

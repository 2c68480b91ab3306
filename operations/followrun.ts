/** Waits for the end of a run, and works on it and on runs before it in this process, with or without a server beside it. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasProgramHooks } from '../db/control/programhooks.js';
import { endedStates, findFirstUnended, findHeldRun, findRun, type Run } from '../db/control/runs.js';
import { requireFit } from '../db/pair.js';
import type { Progress } from '../importer/types.js';
import { KeyError } from '../keys/error.js';
import { claimBlobFolder } from '../storage/folderclaim.js';
import type { Advance, OnAdvance } from './advance.js';
import { OperationError } from './error.js';
import { programHooksText } from './importhooks.js';
import { advanceOf } from './runsummary.js';
import type { Workplace } from './workplace.js';

const lookEveryMs = 250;

/**
 * Tells its progress, and remarks about runs that it waits for. Returns the run when it has ended or is held. Runs of the organization that were opened before it go first: this process
 * finishes those that were interrupted.
 * @param signal ends the wait; an import of this process stops at a safe point.
 * @throws OperationError `refused` when a run before it is held; `failed` when the wait is ended
 */
export async function followRun(
  workplace: Workplace,
  id: number,
  onProgress: OnAdvance,
  signal: AbortSignal,
): Promise<Run> {
  const { control } = workplace;
  const { org } = (await findRun(control.read, id))!;
  const tell = createTeller(onProgress);
  let failure: Error | null = null;
  let isHere = false;
  // The database has the progress of this process only from time to time.
  const setHere = (is: boolean) => {
    isHere = is;
  };
  const working = workHere(workplace, org, id, tell, setHere, signal).catch((error: Error) => {
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
    for (const news of isHere ? [] : describeWait(workplace, run, first)) tell(news);
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

/** Tells no remark twice in a row. */
function createTeller(onProgress: OnAdvance): OnAdvance {
  let last = '';
  return (news) => {
    if (news === last) return;
    if (typeof news === 'string') last = news;
    onProgress(news);
  };
}

function describeWait({ settings }: Workplace, run: Run, first: Run): (string | Advance)[] {
  const isOther = first.id < run.id;
  const advance =
    first.progress === null ? [] : [advanceOf(first.progress as Progress, isOther ? `run ${first.id}: ` : '')];
  if (!isOther) return advance;
  if (first.state !== 'running') return [];
  const owner = first.leaseOwner?.split(':').slice(0, 2).join(', process ') ?? 'another process';
  const remark = `waits for run ${first.id}, which ${owner} works on (if that process has ended: for at most ${settings.leaseSeconds} s)`;
  return [remark, ...advance];
}

/** Imports in this process. A node without the master key leaves that to the nodes that have it. */
async function workHere(
  workplace: Workplace,
  org: string,
  id: number,
  tell: OnAdvance,
  setHere: (isHere: boolean) => void,
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
  await claimBlobFolder(paths, control, now());
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
      setHere(true);
      if (next.id !== id)
        tell(`finishes run ${next.id} first, which was ${next.startedAt === null ? 'open' : 'interrupted'}`);
    };
    const onProgress = (progress: Progress) => tell(advanceOf(progress, next.id === id ? '' : `run ${next.id}: `));
    const result = await workNext({ ...deps, onClaim, onProgress }, next.id);
    setHere(false);
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

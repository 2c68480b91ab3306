/** The stages of runs and of trial plans: names them, finds those without an owner, and removes them. */
import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import { findRun, type Run, type RunState } from '../../db/control/runs.js';
import { dropStages, listStages } from '../../db/stage.js';

const busyStates: ReadonlySet<RunState> = new Set(['open', 'running']);

/** No trial plan takes longer: one of another machine, whose process can't be asked, is abandoned after this time. */
const longestTrialMs = 86_400_000;

export interface StageDeps {
  settings: Settings;
  control: Db;
  directory: Db;
  now: () => number;
}

/** The label of a run's stage, which no other claim of the run has: an importer that lost the run may still write to its own. */
export function runStageLabel({ id, attempts, claim }: Pick<Run, 'id' | 'attempts' | 'claim'>): string {
  return `run_${id}_${claim?.epoch ?? attempts}`;
}

/** Whether a stage is of an earlier claim of the run. */
export function isEarlierStage(
  label: string,
  { id, attempts, claim }: Pick<Run, 'id' | 'attempts' | 'claim'>,
): boolean {
  const [, of, epoch] = /^run_(\d+)_(\d+)$/.exec(label) ?? [];
  return Number(of) === id && Number(epoch) < (claim?.epoch ?? attempts);
}

/** The label of a stage that belongs to this process and to no run. */
export function trialStageLabel(now: number): string {
  return `check_${now}_${process.pid}_${thisHost()}_${randomBytes(4).toString('hex')}`;
}

/**
 * Stages that no process works on: their run is over, held or removed, or the process that checked a file is gone. (The next
 * attempt of an interrupted run removes its stages itself.)
 */
export async function listLeftStages({ settings, control, directory, now }: StageDeps): Promise<string[]> {
  const left: string[] = [];
  for (const label of await listStages(settings, directory)) {
    const run = /^run_(\d+)_/.exec(label)?.[1];
    const isLeft =
      run === undefined
        ? isAbandoned(label, now())
        : !busyStates.has((await findRun(control.read, Number(run)))?.state ?? 'failed');
    if (isLeft) left.push(label);
  }
  return left;
}

/** Removes the stages that no process works on; their labels. */
export async function sweepStages(deps: StageDeps): Promise<string[]> {
  const left = new Set(await listLeftStages(deps));
  if (left.size > 0) await dropStages(deps.settings, deps.directory, (label) => left.has(label));
  return [...left];
}

function isAbandoned(label: string, now: number): boolean {
  const [, begunAt, pid, host] = /^check_(\d+)_(\d+)_([0-9a-f]{6})_/.exec(label) ?? [];
  // Of an older version: the time is all that is known.
  if (pid === undefined) return Number(/^check_(\d+)_/.exec(label)?.[1] ?? 0) < now - longestTrialMs;
  if (Math.abs(now - Number(begunAt)) > longestTrialMs) return true;
  return host === thisHost() && !isAlive(Number(pid));
}

function thisHost(): string {
  return createHash('sha256').update(hostname()).digest('hex').slice(0, 6);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

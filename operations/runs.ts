/** Runs as operators drive them: plan a file, import now, look at what was. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '../config/logger.js';
import { recordAudit } from '../db/control/audit.js';
import { endedStates, findHeldRun, findRun, openManualRun, openUndoRun, type Run } from '../db/control/runs.js';
import { checkFile } from '../importer/check/check.js';
import { openDiskSource } from '../importer/read/source.js';
import { findApplied } from '../importer/run/apply.js';
import { approveRun, rejectRun } from '../importer/run/decide.js';
import { previewUndo } from '../importer/run/undo.js';
import { workNext } from '../importer/run/worker.js';
import type { Issue, Progress, RunSummary } from '../importer/types.js';
import { KeyError } from '../keys/error.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

const lookEveryMs = 250;

/** What an import of the file would do now; `onIssues` gets what is wrong, in the order of the lines. */
export async function checkDiskFile(
  workplace: Workplace,
  orgId: string,
  path: string,
  onIssues: (issues: Issue[]) => void | Promise<void>,
): Promise<RunSummary> {
  const org = await workplace.org(orgId);
  const source = await openDiskSource(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new OperationError('not_found', `there is no file ${path}`);
    throw new OperationError(
      'failed',
      `${path} can't be read: ${error.code === 'EISDIR' ? 'it is a folder' : error.code}`,
    );
  });
  return checkFile(workplace, org, source, onIssues, () => {});
}

/** Told what changes while a run is waited for. */
type OnProgress = (progress: Progress) => void;

/**
 * Opens a run now and waits for its end: works on it here, unless an importer was quicker.
 * @param signal ends the wait; a run that was begun here is given back at a safe point.
 * @throws OperationError `refused` while another run of the organization is held.
 */
export async function importNow(
  workplace: Workplace,
  orgId: string,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<Run> {
  const org = await workplace.org(orgId);
  const { control, actor, now } = workplace;
  await refuseWhileHeld(workplace, org.id);
  const id = await openManualRun(control.write, org.id, now());
  await recordAudit(control.write, {
    at: now(),
    org: org.id,
    actor,
    action: 'run.opened',
    subject: `run ${id}`,
    detail: {},
  });
  return followRun(workplace, id, onProgress, signal);
}

/** @throws OperationError `refused` */
async function refuseWhileHeld({ control }: Workplace, org: string): Promise<void> {
  const held = await findHeldRun(control.read, org);
  if (held === null) return;
  const decide = `"dropslot runs show ${held.id} --changes", then "runs approve ${held.id}" or "runs reject ${held.id}"`;
  throw new OperationError('refused', `run ${held.id} of ${org} is held, and comes first: ${decide}`);
}

/**
 * Approves a held run, and waits until it is applied, or held again since its plan has changed.
 * @throws OperationError `not_found`, `refused` when it is not held.
 */
export async function approveHeldRun(
  workplace: Workplace,
  id: string,
  note: string | null,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<Run> {
  const run = await getHeldRun(workplace, id);
  if (!(await approveRun(workplace, run, { by: workplace.actor, note }))) throw notHeld(run);
  return followRun(workplace, run.id, onProgress, signal);
}

/** @throws OperationError `not_found`, `refused` when it is not held. */
export async function rejectHeldRun(workplace: Workplace, id: string, note: string | null): Promise<Run> {
  const run = await getHeldRun(workplace, id);
  if (!(await rejectRun(workplace, run, { by: workplace.actor, note }))) throw notHeld(run);
  return getRun(workplace, id);
}

/**
 * Opens a run that takes back what another one changed, and waits for its end.
 * @throws OperationError `not_found`; `refused` when that run has changed nothing, or another one is held.
 */
export async function undoRunNow(
  workplace: Workplace,
  id: string,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<Run> {
  const { control, actor, now } = workplace;
  const run = await getAppliedRun(workplace, id);
  await refuseWhileHeld(workplace, run.org);
  const undo = await openUndoRun(control.write, run.org, run.id, now());
  const event = { at: now(), org: run.org, actor, action: 'run.undone', subject: `run ${run.id}` };
  await recordAudit(control.write, { ...event, detail: { undo } });
  return followRun(workplace, undo, onProgress, signal);
}

/**
 * What undoing the run would restore and leave alone now, while `use` works; nothing is applied, nothing recorded.
 * @throws OperationError `not_found`, `refused` when that run has changed nothing; ImportError `unsafe`
 */
export async function previewUndoOf(
  workplace: Workplace,
  id: string,
  use: Parameters<typeof previewUndo<void>>[3],
): Promise<void> {
  const run = await getAppliedRun(workplace, id);
  await previewUndo(workplace, await workplace.org(run.org), run.id, use);
}

async function getAppliedRun(workplace: Workplace, id: string): Promise<Run> {
  const run = await getRun(workplace, id);
  if (run.state !== 'done')
    throw new OperationError('refused', `run ${run.id} has applied nothing: it is ${run.state}`);
  if ((await findApplied(workplace.directory.read, run.id)) === null)
    throw new OperationError('refused', `run ${run.id} has changed nothing`);
  return run;
}

async function getHeldRun(workplace: Workplace, id: string): Promise<Run> {
  const run = await getRun(workplace, id);
  if (run.state !== 'held') throw notHeld(run);
  return run;
}

function notHeld({ id, state }: Run): OperationError {
  return new OperationError('refused', `run ${id} is not held: it is ${state}`);
}

/** Waits for a run's end, or for its being held: works on it here, unless an importer was quicker. */
async function followRun(workplace: Workplace, id: number, onProgress: OnProgress, signal: AbortSignal): Promise<Run> {
  const { control } = workplace;
  const working = workHere(workplace, id, signal);
  let told = '';
  for (;;) {
    const run = (await findRun(control.read, id))!;
    if (isOver(run)) {
      await working;
      return run;
    }
    if (signal.aborted) {
      await working;
      throw new OperationError(
        'failed',
        `stopped waiting; run ${id} goes on with the next importer, see "dropslot runs show ${id}"`,
      );
    }
    const line = JSON.stringify(run.progress);
    if (run.progress !== null && line !== told) onProgress(run.progress as Progress);
    told = line;
    await sleep(lookEveryMs);
  }
}

/** Resolves when there is nothing more to do here. A node without the master key leaves the run to those that have it. */
async function workHere(workplace: Workplace, id: number, signal: AbortSignal): Promise<void> {
  try {
    await workplace.master();
  } catch (error) {
    if (error instanceof KeyError && workplace.settings.database !== 'sqlite') return;
    throw error;
  }
  const { settings, paths, control, directory, now, identity } = workplace;
  const logger = createLogger({ ...settings, logLevel: 'error' });
  const owner = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
  const deps = { settings, paths, control, directory, logger, identity, now, owner, isStopping: () => signal.aborted };
  while (!signal.aborted) {
    const result = await workNext(deps, id);
    if (result === 'ended') return;
    const run = await findRun(control.read, id);
    if (run === null || isOver(run)) return;
    await sleep(result === 'left' ? 2_000 : 1_000);
  }
}

function isOver({ state }: Run): boolean {
  return state === 'held' || endedStates.includes(state);
}

/** @throws OperationError `not_found` */
export async function getRun(workplace: Workplace, id: string): Promise<Run> {
  const run = /^[1-9]\d{0,15}$/.test(id) ? await findRun(workplace.control.read, Number(id)) : null;
  if (run === null) throw new OperationError('not_found', `no run "${id}"; see "dropslot runs list ORG"`);
  return run;
}

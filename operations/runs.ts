/** The runs of an organization: list them, open one now, approve, reject and undo them; check a file without importing it. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '../config/logger.js';
import { recordAudit } from '../db/control/audit.js';
import {
  endedStates,
  findHeldRun,
  findRun,
  listRuns,
  openManualRun,
  openUndoRun,
  type Run,
} from '../db/control/runs.js';
import { listHeld } from '../db/control/uploads.js';
import { checkFile } from '../importer/check/check.js';
import { previewUndo } from '../importer/check/undopreview.js';
import { describeVerdict } from '../importer/check/verdict.js';
import { openDiskSource } from '../importer/read/source.js';
import { findApplied } from '../importer/run/apply.js';
import { approveRun } from '../importer/run/approval.js';
import { rejectRun } from '../importer/run/rejection.js';
import type { UndoneValue } from '../importer/run/undo.js';
import { workNext } from '../importer/run/worker.js';
import type { Issue, Progress, RunSummary } from '../importer/types.js';
import { KeyError } from '../keys/error.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

export type { UndoneValue };

const lookEveryMs = 250;

/** The newest runs, the newest first. @throws OperationError `not_found` */
export async function listRunsOf({ control, org }: Workplace, orgId: string): Promise<Run[]> {
  return listRuns(control.read, (await org(orgId)).id);
}

export interface CheckedFile {
  summary: RunSummary;
  /** The result in words, several lines. */
  verdict: string;
}

/**
 * Plans a file of this machine as an import would now, and applies nothing.
 * @param onIssues gets the issues of the file page by page, in the order of its lines.
 * @throws OperationError `not_found`, `failed` when the file can't be read
 */
export async function checkDiskFile(
  workplace: Workplace,
  orgId: string,
  path: string,
  onIssues: (issues: Issue[]) => void | Promise<void>,
): Promise<CheckedFile> {
  const org = await workplace.org(orgId);
  const source = await openDiskSource(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new OperationError('not_found', `${path} does not exist`);
    throw new OperationError(
      'failed',
      `${path} can't be read: ${error.code === 'EISDIR' ? 'it is a folder' : error.code}`,
    );
  });
  const summary = await checkFile(workplace, org, source, onIssues, () => {});
  return { summary, verdict: describeVerdict({ summary, slotAt: null, beside: [] }) };
}

/** Gets the progress of a run while an operation waits for its end. */
type OnProgress = (progress: Progress) => void;

/**
 * Opens a run now and waits for its end. This process does the import, unless a server's importer claims the run first.
 * @param signal ends the wait; an import of this process stops at a safe point.
 * @throws OperationError `refused` while another run of the organization is held; `failed` when the wait ends first
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
export async function refuseWhileHeld({ control }: Workplace, org: string): Promise<void> {
  const held = await findHeldRun(control.read, org);
  if (held === null) return;
  const decide = `"dropslot runs show ${held.id} --changes", then "runs approve ${held.id}" or "runs reject ${held.id}"`;
  throw new OperationError('refused', `run ${held.id} of ${org} is held and must be decided first: ${decide}`);
}

/**
 * Approves a held run, and waits until it is applied, or held again because its plan has changed.
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

/**
 * @param files names or paths of files of the run that are rejected; the others are queued again. Empty: all are rejected.
 * @throws OperationError `not_found`, `refused` when it is not held; `usage` when the run has no such file.
 */
export async function rejectHeldRun(
  workplace: Workplace,
  id: string,
  note: string | null,
  files: readonly string[] = [],
): Promise<Run> {
  const run = await getHeldRun(workplace, id);
  const uploads = files.length === 0 ? undefined : await findFiles(workplace, run, files);
  if (!(await rejectRun(workplace, run, { by: workplace.actor, note, uploads }))) throw notHeld(run);
  return getRun(workplace, id);
}

/**
 * Opens a run that undoes the changes of another run, and waits for its end.
 * @throws OperationError `not_found`; `refused` when that run changed nothing, or another run is held
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
 * Plans the undo of a run without applying or recording it.
 * @param use gets the summary, and lists of the values that the undo would restore (`back`) and leave unchanged (`kept`).
 * @throws OperationError `not_found`; `refused` when that run changed nothing; ImportError `unsafe`
 */
export async function previewUndoOf(workplace: Workplace, id: string, use: UndoPreview): Promise<void> {
  const run = await getAppliedRun(workplace, id);
  await previewUndo(workplace, await workplace.org(run.org), run.id, use);
}

export type UndoPreview = (
  summary: RunSummary,
  list: (which: 'back' | 'kept', most?: number) => AsyncIterable<UndoneValue[]>,
) => Promise<void>;

async function getAppliedRun(workplace: Workplace, id: string): Promise<Run> {
  const run = await getRun(workplace, id);
  if (run.state !== 'done') throw new OperationError('refused', `run ${run.id} applied nothing: it is ${run.state}`);
  if ((await findApplied(workplace.directory.read, run.id)) === null)
    throw new OperationError('refused', `run ${run.id} changed nothing`);
  return run;
}

/** The uploads of a held run with these names or paths. */
async function findFiles({ control }: Workplace, run: Run, names: readonly string[]): Promise<number[]> {
  const held = await listHeld(control.read, run.id);
  return names.map((name) => {
    const found = held.filter(({ path }) => path === name || path.slice(path.lastIndexOf('/') + 1) === name);
    const [one, ...others] = found;
    if (one !== undefined && others.length === 0) return one.id;
    const paths = (one === undefined ? held : found).map(({ path }) => JSON.stringify(path)).join(', ');
    const problem =
      one === undefined
        ? `run ${run.id} has no file ${JSON.stringify(name)}; its files are ${paths}`
        : `run ${run.id} has several files ${JSON.stringify(name)}; give the path: ${paths}`;
    throw new OperationError('usage', problem);
  });
}

async function getHeldRun(workplace: Workplace, id: string): Promise<Run> {
  const run = await getRun(workplace, id);
  if (run.state !== 'held') throw notHeld(run);
  return run;
}

function notHeld({ id, state }: Run): OperationError {
  return new OperationError('refused', `run ${id} is not held: it is ${state}`);
}

/** Waits until a run ends or is held; this process imports it, unless a server's importer claims it first. */
export async function followRun(
  workplace: Workplace,
  id: number,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<Run> {
  const { control } = workplace;
  const working = workHere(workplace, id, signal);
  let last = '';
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
        `stopped waiting; the next importer continues run ${id}, see "dropslot runs show ${id}"`,
      );
    }
    const line = JSON.stringify(run.progress);
    if (run.progress !== null && line !== last) onProgress(run.progress as Progress);
    last = line;
    await sleep(lookEveryMs);
  }
}

/** Imports the run in this process. A node without the master key leaves it to the nodes that have it. */
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

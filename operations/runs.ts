/**
 * The runs of an organization: list them, open one now, approve, reject and undo them; check a file without importing it. The
 * importer is loaded when it is used: commands and pages that only show runs need none of its 150 modules.
 */
import { recordAudit } from '../db/control/audit.js';
import type { Org } from '../db/control/orgs.js';
import {
  findRun,
  openManualRun,
  openUndoRun,
  type Run,
  type RunFilter,
  type RunState,
  runStates,
  searchRuns,
} from '../db/control/runs.js';
import { listHeld } from '../db/control/uploads.js';
import { requireFit } from '../db/pair.js';
import type { CheckListeners } from '../importer/check/check.js';
import { describeVerdict } from '../importer/check/verdict.js';
import { openDiskSource, type Source, sourceOfBytes } from '../importer/read/source.js';
import { findApplied } from '../importer/run/apply.js';
import { sweepStages } from '../importer/run/stages.js';
import type { UndoneValue } from '../importer/run/undo.js';
import type { Progress, RunSummary } from '../importer/types.js';
import { describeShortage, findShortage } from '../storage/freespace.js';
import { type Advance, type OnAdvance, shareOf } from './advance.js';
import { refuseApproval, refuseDecision } from './approvals.js';
import { OperationError } from './error.js';
import { followRun, refuseWhileHeld } from './followrun.js';
import { formatBytes } from './format.js';
import { advanceOf } from './runsummary.js';
import { unknownWord } from './unknownword.js';
import type { Workplace } from './workplace.js';

export type { UndoneValue };
export { runStates };

export const shownRuns = 50;

/** The newest runs of one organization, or of all, the newest first. @throws OperationError `not_found` */
export async function listRunsOf({ control, org }: Workplace, filter: Partial<RunFilter>): Promise<Run[]> {
  const limit = filter.limit ?? shownRuns;
  const id = filter.org === undefined ? undefined : (await org(filter.org)).id;
  return searchRuns(control.read, { ...filter, limit, org: id });
}

/** `failed`, or `held,failed`. @throws OperationError `usage` */
export function readRunStates(text: string): RunState[] {
  return text.split(',').map((word) => {
    const state = runStates.find((known) => known === word.trim());
    if (state === undefined) throw unknownWord(`unknown state "${word.trim()}"`, word.trim(), runStates);
    return state;
  });
}

export interface CheckedFile {
  summary: RunSummary;
  /** The result in words, several lines. */
  verdict: string;
}

export interface DiskCheckListeners extends Pick<CheckListeners, 'onIssues' | 'onChanges'> {
  onAdvance?: OnAdvance;
}

/**
 * Plans a file of this machine as an import would now, and applies nothing.
 * @throws OperationError `not_found`, `failed` when the file can't be read
 */
export async function checkDiskFile(
  workplace: Workplace,
  orgId: string,
  path: string,
  listeners: DiskCheckListeners,
  signal?: AbortSignal,
): Promise<CheckedFile> {
  const org = await workplace.org(orgId);
  const onBytes = (read: number, bytes: number) => listeners.onAdvance?.(readingOf(read, bytes));
  const source = await openDiskSource(path, onBytes).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new OperationError('not_found', `${path} does not exist`);
    throw new OperationError(
      'failed',
      `${path} can't be read: ${error.code === 'EISDIR' ? 'it is a folder' : error.code}`,
    );
  });
  return checkSource(workplace, org, source, listeners, signal);
}

/**
 * As checkDiskFile, of bytes in memory.
 * @param name of the file: some rules depend on it
 * @throws OperationError `not_found`, `failed`
 */
export async function checkBytes(
  workplace: Workplace,
  orgId: string,
  { name, bytes }: { name: string; bytes: Buffer },
  listeners: Pick<CheckListeners, 'onIssues' | 'onChanges'>,
  signal: AbortSignal,
): Promise<CheckedFile> {
  return checkSource(workplace, await workplace.org(orgId), sourceOfBytes(name, bytes), listeners, signal);
}

async function checkSource(
  workplace: Workplace,
  org: Org,
  source: Source,
  { onAdvance, ...listeners }: DiskCheckListeners,
  signal?: AbortSignal,
): Promise<CheckedFile> {
  const onProgress = (progress: Progress) => {
    onAdvance?.(advanceOf(progress));
    // The error passes through the planner, which removes the stage.
    if (signal?.aborted === true) throw new OperationError('failed', 'the check was interrupted');
  };
  const { checkFile } = await import('../importer/check/check.js');
  const summary = await checkFile(workplace, org, source, { ...listeners, onProgress });
  return { summary, verdict: describeVerdict({ summary, slotAt: null, beside: [] }) };
}

function readingOf(read: number, bytes: number): Advance {
  const amount = `${formatBytes(read)} of ${formatBytes(bytes)}`;
  return { phase: 'computing the SHA-256', amount, done: read, unit: 'bytes', share: shareOf(read, bytes), name: null };
}

/**
 * Opens a run now and waits for its end. This process first finishes interrupted runs of the organization, and does the
 * import, unless a server's importer claims the run first.
 * @param signal ends the wait; an import of this process stops at a safe point.
 * @throws OperationError `refused` while another run of the organization is held; `failed` when the wait ends first; `unavailable`
 * while the disk is nearly full
 */
export async function importNow(
  workplace: Workplace,
  orgId: string,
  onProgress: OnAdvance,
  signal: AbortSignal,
): Promise<Run> {
  return followRun(workplace, await openImport(workplace, orgId), onProgress, signal);
}

/** Opens a run for the importers of the server, and does not wait; its number. @throws OperationError as importNow */
export async function openImport(workplace: Workplace, orgId: string): Promise<number> {
  const org = await workplace.org(orgId);
  const { control, actor, now } = workplace;
  await refuseWhileHeld(workplace, org.id);
  await requireFit(workplace);
  const shortage = findShortage(workplace.settings);
  if (shortage !== null) throw new OperationError('unavailable', describeShortage(shortage));
  const id = await openManualRun(control.write, org.id, now());
  await recordAudit(control.write, {
    at: now(),
    org: org.id,
    actor,
    action: 'run.opened',
    subject: `run ${id}`,
    detail: {},
  });
  return id;
}

/**
 * Approves a held run, and waits until it is applied, or held again because its plan has changed.
 * @throws OperationError `not_found`, `refused` when it is not held.
 */
export async function approveHeldRun(
  workplace: Workplace,
  id: string,
  note: string | null,
  onProgress: OnAdvance,
  signal: AbortSignal,
): Promise<Run> {
  const run = await approveCounted(workplace, id, note);
  return followRun(workplace, run.id, onProgress, signal);
}

/**
 * Approves a held run for the importers of the server, and does not wait.
 * @param digest of the plan that was counted and shown; undefined: of the one that is held now.
 * @throws OperationError `not_found`, `refused` when it is not held, another plan is held by now, or another person must approve it.
 */
export async function approveCounted(
  workplace: Workplace,
  id: string,
  note: string | null,
  digest?: string,
): Promise<Run> {
  const run = await getHeldRun(workplace, id);
  if (digest !== undefined && digest !== run.hold?.digest)
    throw new OperationError(
      'refused',
      `run ${run.id} is held with other changes than those of the digest: look at its changes again, and approve their digest`,
    );
  await refuseApproval(workplace, run);
  const { approveRun } = await import('../importer/run/approval.js');
  if (!(await approveRun(workplace, run, { by: workplace.actor, note }))) throw notHeld(run);
  return getRun(workplace, id);
}

/**
 * @param files names or paths of files of the run that are rejected; the others are queued again. Empty: all are rejected.
 * @throws OperationError `not_found`, `refused` when it is not held, or operators decide; `usage` when the run has no such file.
 */
export async function rejectHeldRun(
  workplace: Workplace,
  id: string,
  note: string | null,
  files: readonly string[] = [],
): Promise<Run> {
  const run = await getHeldRun(workplace, id);
  await refuseDecision(workplace, run);
  const uploads = files.length === 0 ? undefined : await findFiles(workplace, run, files);
  const { rejectRun } = await import('../importer/run/rejection.js');
  if (!(await rejectRun(workplace, run, { by: workplace.actor, note, uploads }))) throw notHeld(run);
  await sweepStages(workplace);
  return getRun(workplace, id);
}

/**
 * Opens a run that undoes the changes of another run, and waits for its end.
 * @throws OperationError `not_found`; `refused` when that run changed nothing, or another run is held
 */
export async function undoRunNow(
  workplace: Workplace,
  id: string,
  onProgress: OnAdvance,
  signal: AbortSignal,
): Promise<Run> {
  return followRun(workplace, await openUndo(workplace, id), onProgress, signal);
}

/** Opens the undo for the importers of the server, and does not wait; its number. @throws OperationError as undoRunNow */
export async function openUndo(workplace: Workplace, id: string): Promise<number> {
  const { control, actor, now } = workplace;
  const run = await getAppliedRun(workplace, id);
  await refuseWhileHeld(workplace, run.org);
  await requireFit(workplace);
  const undo = await openUndoRun(control.write, run.org, run.id, now());
  const event = { at: now(), org: run.org, actor, action: 'run.undone', subject: `run ${run.id}` };
  await recordAudit(control.write, { ...event, detail: { undo } });
  return undo;
}

/**
 * Plans the undo of a run without applying or recording it.
 * @param use gets the summary, and lists of the values that the undo would restore (`back`) and leave unchanged (`kept`).
 * @throws OperationError `not_found`; `refused` when that run changed nothing; ImportError `unsafe`
 */
export async function previewUndoOf(workplace: Workplace, id: string, use: UndoPreview): Promise<void> {
  const run = await getAppliedRun(workplace, id);
  const { previewUndo } = await import('../importer/check/undopreview.js');
  await previewUndo(workplace, await workplace.org(run.org), run.id, use);
}

export type UndoPreview = (
  summary: RunSummary,
  list: (which: 'back' | 'kept', most?: number) => AsyncIterable<UndoneValue[]>,
) => Promise<void>;

/** @throws OperationError `not_found`, `refused` when it changed nothing */
export async function getAppliedRun(workplace: Workplace, id: string): Promise<Run> {
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

/** @throws OperationError `not_found`, `refused` when it is not held */
export async function getHeldRun(workplace: Workplace, id: string): Promise<Run> {
  const run = await getRun(workplace, id);
  if (run.state !== 'held') throw notHeld(run);
  return run;
}

function notHeld({ id, state }: Run): OperationError {
  return new OperationError('refused', `run ${id} is not held: it is ${state}`);
}

/** @throws OperationError `not_found` */
export async function getRun(workplace: Workplace, id: string): Promise<Run> {
  const run = /^[1-9]\d{0,15}$/.test(id) ? await findRun(workplace.control.read, Number(id)) : null;
  if (run === null) throw new OperationError('not_found', `no run "${id}"; see "dropslot runs list"`);
  return run;
}

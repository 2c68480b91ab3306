/** One run from its first step to its last: claim the files, stage, plan, report, apply, archive. May be killed on any line. */
import { findOrg, type Org } from '../../db/control/orgs.js';
import { dropRun, type Run } from '../../db/control/runs.js';
import { type Settlement, settleRun } from '../../db/control/settle.js';
import { listClaimed, type UploadRow } from '../../db/control/uploads.js';
import { readWrites } from '../../db/directory/pair.js';
import { DatabaseError } from '../../db/error.js';
import { dropStages, type Stage } from '../../db/stage.js';
import { removeBlob } from '../../storage/blobs.js';
import { contactOf } from '../contact.js';
import { ImportError } from '../error.js';
import { tellAfterApply } from '../hooks/call.js';
import type { PlanInput } from '../plan/input.js';
import { planFiles } from '../plan/plan.js';
import { openRunStage } from '../plan/tables.js';
import { type PlannedRun, writeRunReports } from '../report/runreports.js';
import { summarizeRun } from '../report/summary.js';
import { dateIn } from '../schedule/calendar.js';
import type { Progress, RunSummary } from '../types.js';
import { countApplied } from './appliedcounts.js';
import { findApplied } from './apply.js';
import type { RunDeps } from './deps.js';
import { keepKnown, readKnown } from './directorystate.js';
import { holdPlan } from './hold.js';
import { orderSources, type UploadSource } from './order.js';
import { applyWithReports } from './reportedapply.js';
import { openSettlement, type SealedSettlement } from './sealedsettlement.js';
import { isEarlierStage, runStageLabel } from './stages.js';
import { undoRun } from './undo.js';

/** How often a run is planned again because the directory changed meanwhile. */
const planAttempts = 5;
/** Files from this size together, packed as they are, have a large stage. */
const largeBytes = 1024 ** 2;

/**
 * Works on a claimed run until it is settled. A run that was applied before a crash is only settled.
 * @param reportProgress gets the progress, and throws ImportError when this process must stop working on the run.
 * @returns the summary, also of a run that is held now; null when another importer settled the run, or its files are gone.
 */
export async function workRun(
  given: RunDeps,
  run: Run,
  reportProgress: (progress: Progress) => void,
): Promise<RunSummary | null> {
  // One version of the hooks for the whole run.
  const deps = { ...given, ...(given.hooks && { hooks: once(given.hooks) }) };
  const { control, directory, now, onStep } = deps;
  const org = await requireOrg(deps, run);
  // A run has one importer: an earlier one lost its lease or died, so its stages may be dropped.
  await dropStages(deps.settings, directory, (label) => isEarlierStage(label, run));
  const begin = run.kind === 'undo' ? undo : importQueue;
  const applied = (await findApplied(directory.read, run.id)) as SealedSettlement | null;
  const settlement =
    applied === null
      ? await begin(deps, run, org, reportProgress)
      : await openSettlement(applied, () => deps.identity(org));
  if ('held' in settlement) return settlement.held;
  reportProgress({ phase: 'archiving', file: null, rows: 0 });
  const { files } = settlement.summary as RunSummary;
  const reads = new Map(
    files.flatMap(({ uploadId, type, rows }) => (uploadId === null ? [] : [[uploadId, { type, rows }]])),
  );
  const freed = await settleRun(control, run, settlement, now(), await readWrites(directory.read), reads);
  await onStep?.('settled');
  if (freed === null) return null;
  deps.onApplied?.(countApplied(settlement));
  for (const id of freed) await removeBlob(deps.paths, id);
  await afterApply(deps, run, settlement.summary as RunSummary);
  return settlement.summary as RunSummary;
}

async function requireOrg({ control }: RunDeps, { id, org }: Run): Promise<Org> {
  const found = await findOrg(control.read, org);
  if (found === null) throw new Error(`the organization of run ${id} was removed`);
  return found;
}

function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | null = null;
  return () => {
    answer ??= ask();
    return answer;
  };
}

async function afterApply(deps: RunDeps, { id, kind }: Run, summary: RunSummary): Promise<void> {
  if (deps.hooks === undefined && deps.settings.importHooks === undefined) return;
  const { org, date, users, teams } = summary;
  const files = summary.files.map(({ name, type, state, rows }) => ({ name, type, state, rows }));
  await tellAfterApply(deps, { org, run: id, kind, date, files, users, teams });
}

/** The settlement of an applied run; or the summary of a held one, null if another importer took the run over. */
type Ending = Settlement | { held: RunSummary | null };

async function importQueue(
  deps: RunDeps,
  run: Run,
  org: Org,
  reportProgress: (progress: Progress) => void,
): Promise<Ending> {
  const uploads = await listClaimed(deps.control.read, run.id);
  await deps.onStep?.('claimed');
  if (uploads.length === 0 && (run.kind === 'slot' || run.kind === 'upload')) {
    await dropRun(deps.control.write, run);
    return { held: null };
  }
  if (uploads.length === 0) {
    const moment = deps.now();
    const plan = { run, org, moment, today: dateIn(org.timeZone, moment) };
    const summary = { ...summarizeRun(plan, [], contactOf(org, deps.settings)), appliedAt: moment };
    return { reports: [], uploads: [], summary };
  }
  const sources = await orderSources(deps, () => deps.identity(org), org, withoutNeed(uploads));
  const bytes = uploads.reduce((sum, upload) => sum + upload.size, 0);
  return inStage(deps, run, bytes, async (stage, attempt) => {
    // The first erasure of the organization may be the reason why it is planned again.
    const { erasureKey } = attempt === 1 ? org : await requireOrg(deps, run);
    return planAndApply(deps, run, { ...org, erasureKey }, sources, stage, reportProgress);
  });
}

/** The order of files depends on their types: that of a single one need not be looked for in its header. */
function withoutNeed(uploads: readonly UploadRow[]): readonly UploadRow[] {
  return uploads.length > 1 ? uploads : uploads.map((upload) => ({ ...upload, headerType: 'none' }));
}

async function undo(
  deps: RunDeps,
  run: Run,
  org: Org,
  reportProgress: (progress: Progress) => void,
): Promise<Settlement> {
  return inStage(deps, run, 0, (stage) => undoRun(deps, run, org, stage, reportProgress));
}

/** Plans and applies in a stage, and again in a new one when the directory changed meanwhile. `bytes`: of the files. */
async function inStage<T>(
  deps: RunDeps,
  run: Run,
  bytes: number,
  work: (stage: Stage, attempt: number) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const label = runStageLabel(run);
    const stage = await openRunStage(deps.settings, deps.directory, label, bytes >= largeBytes);
    try {
      return await work(stage, attempt);
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      if (error.code !== 'conflict') throw error;
      if (attempt === planAttempts) throw new ImportError('contended', error.message, { cause: error });
    } finally {
      await stage.drop();
    }
  }
}

async function planAndApply(
  deps: RunDeps,
  run: Run,
  org: Org,
  sources: readonly UploadSource[],
  stage: Stage,
  reportProgress: (progress: Progress) => void,
): Promise<Ending> {
  const { directory, settings, now, onStep } = deps;
  const { version, ...known } = await readKnown(directory.read, org, settings, sources[0]?.source.mapper?.digest);
  const moment = now();
  const input: PlanInput = {
    settings,
    stage,
    org,
    // An approval is for the plan that was counted, so the plan keeps its date.
    today: run.hold?.today ?? dateIn(org.timeZone, moment),
    now: moment,
    ...known,
    isOneByOne: run.attempts > 1,
    reportProgress,
  };
  const planned = await planFiles(
    input,
    sources.map(({ source }) => source),
  );
  await onStep?.('planned');
  const plan: PlannedRun = { run, org, sources, planned, stage, today: input.today, moment, reportProgress };
  const guarded = await holdPlan(deps, plan);
  if ('held' in guarded) return guarded;

  const uploads = sources.flatMap(({ upload }, file) =>
    planned[file]!.refusal === null ? [{ file, uploadId: upload.id }] : [],
  );
  return applyWithReports(deps, {
    ...{ run, org, stage, uploads, version, moment, reportProgress, counted: guarded.counted },
    known: () => keepKnown(input),
    write: (keep) => writeRunReports(deps, plan, keep),
  });
}

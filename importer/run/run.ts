/** One run from top to bottom: claim the files, stage, plan, apply, report, archive. Safe to be killed on any line. */
import type { Logger } from '../../config/logger.js';
import type { Paths } from '../../config/paths.js';
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import { findOrg, type Org } from '../../db/control/orgs.js';
import type { Run } from '../../db/control/runs.js';
import { type Settlement, settleRun } from '../../db/control/settle.js';
import { claimHeldUploads, claimUploads } from '../../db/control/uploads.js';
import { DatabaseError } from '../../db/error.js';
import { dropStages, type Stage } from '../../db/stage.js';
import { removeBlob } from '../../storage/blobs.js';
import { ImportError } from '../error.js';
import type { PlanInput } from '../plan/input.js';
import { planFiles } from '../plan/plan.js';
import { openRunStage } from '../plan/tables.js';
import { dateIn } from '../schedule/calendar.js';
import type { Progress, RunSummary } from '../types.js';
import { applyPlan, findApplied } from './apply.js';
import { keepKnown, readKnown } from './directorystate.js';
import { holdPlan } from './hold.js';
import { orderSources, type UploadSource } from './order.js';
import { type Outcome, openSettlement, sealSettlement } from './outcome.js';
import { type PlannedRun, type Report, summarize, writeReports } from './settlement.js';
import { undoRun } from './undo.js';

export interface RunDeps {
  settings: Settings;
  paths: Paths;
  control: Db;
  directory: Db;
  logger: Logger;
  /** The organization's age identities as they are now, one a line. @throws KeyError */
  identity: (org: Org) => Promise<string>;
  now: () => number;
  /** Told each step that a crash can separate from the next: for tests that kill the process there. */
  onStep?: (step: RunStep) => void | Promise<void>;
}

export type RunStep = 'claimed' | 'planned' | 'reported' | 'applied' | 'settled';

/** Times that a plan is made anew because the directory changed under it. */
const planAttempts = 5;

/**
 * Works on a claimed run until it is settled. A run that was applied before a crash is only settled.
 * @param tell is told the progress; it throws ImportError when the run must be left alone.
 * @returns the summary, also of a run that is held now; null when another importer settled the run.
 */
export async function workRun(deps: RunDeps, run: Run, tell: (progress: Progress) => void): Promise<RunSummary | null> {
  const { control, directory, now, onStep } = deps;
  const org = await findOrg(control.read, run.org);
  if (org === null) throw new Error(`run ${run.id} is of an organization that is gone`);
  // A run has one importer: whoever else was at work on it has lost its lease, or died, and its stage ends with it.
  await dropStages(deps.settings, directory, (label) => label.startsWith(labelOf(run)));
  const begin = run.kind === 'undo' ? undo : importQueue;
  const applied = (await findApplied(directory.read, run.id)) as Outcome | null;
  const settlement =
    applied === null ? await begin(deps, run, org, tell) : await openSettlement(applied, () => deps.identity(org));
  if ('held' in settlement) return settlement.held;
  tell({ phase: 'archiving', file: null, rows: 0 });
  const isSettled = await settleRun(control, run, settlement, now());
  await onStep?.('settled');
  return isSettled ? (settlement.summary as RunSummary) : null;
}

function labelOf(run: Run): string {
  return `run_${run.id}_`;
}

/** What is to be settled; or the run is held, and null says that somebody else holds it. */
type Ending = Settlement | { held: RunSummary | null };

async function importQueue(deps: RunDeps, run: Run, org: Org, tell: (progress: Progress) => void): Promise<Ending> {
  const uploads = await deps.control.transact((tx) =>
    run.hold === null ? claimUploads(tx, org.id, run.id) : claimHeldUploads(tx, run.id),
  );
  await deps.onStep?.('claimed');
  if (uploads.length === 0) {
    const moment = deps.now();
    const summary = summarize(deps, { run, org, moment, today: dateIn(org.timeZone, moment) }, []);
    return { reports: [], uploads: [], summary };
  }
  const sources = await orderSources(deps, () => deps.identity(org), org, uploads);
  return inStage(deps, run, (stage) => planAndApply(deps, run, org, sources, stage, tell));
}

function undo(deps: RunDeps, run: Run, org: Org, tell: (progress: Progress) => void): Promise<Settlement> {
  return inStage(deps, run, (stage) => undoRun(deps, run, org, stage, tell));
}

/** Plans and applies in a stage; anew in another one where the directory changed meanwhile. */
async function inStage<T>(deps: RunDeps, run: Run, work: (stage: Stage) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const stage = await openRunStage(deps.settings, deps.directory, `${labelOf(run)}${run.attempts}`);
    try {
      return await work(stage);
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
  tell: (progress: Progress) => void,
): Promise<Ending> {
  const { directory, settings, now, onStep } = deps;
  const { version, ...known } = await readKnown(directory.read, org, settings);
  const moment = now();
  const input: PlanInput = {
    settings,
    stage,
    org,
    // What is approved is what was counted: it keeps its date.
    today: run.hold?.today ?? dateIn(org.timeZone, moment),
    now: moment,
    ...known,
    reportProgress: tell,
  };
  const planned = await planFiles(
    input,
    sources.map(({ source }) => source),
  );
  await onStep?.('planned');
  const plan: PlannedRun = { run, org, sources, planned, stage, today: input.today, moment, tell };
  const held = await holdPlan(deps, plan);
  if (held !== null) return { held: held.summary };

  const uploads = sources.flatMap(({ upload }, file) =>
    planned[file]!.refusal === null ? [{ file, uploadId: upload.id }] : [],
  );
  const reports: Report[] = [];
  let isSubmitted = false;
  try {
    const settlement = await writeReports(deps, plan, reports);
    await onStep?.('reported');
    tell({ phase: 'applying', file: null, rows: 0 });
    const outcome = await sealSettlement(org.recipient, settlement);
    isSubmitted = true;
    const application = { org: org.id, runId: run.id, uploads, version, now: moment, outcome };
    await applyPlan(stage, { ...application, known: keepKnown(input) });
    await onStep?.('applied');
    return settlement;
  } catch (error) {
    // Whoever else applied this run names its own reports; these are nobody's. But a commit whose answer was lost may
    // have taken place, and then it names these: they are left to the sweep of orphans, which knows by then.
    if (!isSubmitted || error instanceof DatabaseError)
      for (const { blob } of reports) await removeBlob(deps.paths, blob.id);
    throw error;
  }
}

/** Takes back what a run changed, as a run of its own: planned, applied and recorded as an import is; or only planned. */
import type { Org } from '../../db/control/orgs.js';
import type { Run } from '../../db/control/runs.js';
import type { Settlement } from '../../db/control/settle.js';
import { readVersion } from '../../db/directory/directory.js';
import { DatabaseError } from '../../db/error.js';
import type { Stage } from '../../db/stage.js';
import { removeBlob } from '../../storage/blobs.js';
import { apart, type CheckDeps } from '../check/check.js';
import { noCounts } from '../counts.js';
import { ImportError } from '../error.js';
import { type Fate, listReversals } from '../plan/reversals.js';
import { planUndo, type UndoOutcome } from '../plan/undo.js';
import { guardFormula } from '../read/formula.js';
import { emailKey } from '../read/normalize.js';
import { toCsv } from '../report/csv.js';
import { writePieces } from '../report/report.js';
import { dateIn } from '../schedule/calendar.js';
import type { Progress, RunSummary } from '../types.js';
import { applyPlan } from './apply.js';
import { sealSettlement } from './outcome.js';
import type { RunDeps } from './run.js';
import { createPlacer, type Report, summarize, writeSummary } from './settlement.js';

/** Why a value was left alone, for people. */
const reasons: Record<Fate, string> = {
  changed: 'it was changed since',
  gone: 'what it was before is not there any more',
  taken: 'somebody else has this email now',
  ring: 'it would close a ring',
  stays: 'nothing that was created is ever removed',
  unrecorded: 'an older version did not record how the deactivation stood',
};

/**
 * Plans, applies and leaves what is to be settled.
 * @throws ImportError `unsafe` when the organization would be left without an admin; DatabaseError `conflict` when the
 *   directory changed meanwhile.
 */
export async function undoRun(
  deps: RunDeps,
  run: Run,
  org: Org,
  stage: Stage,
  tell: (progress: Progress) => void,
): Promise<Settlement> {
  const { directory, paths, now, onStep } = deps;
  const undoes = run.undoes!;
  tell({ phase: 'planning', file: null, rows: 0 });
  const version = await readVersion(directory.read, org.id);
  const moment = now();
  const today = dateIn(org.timeZone, moment);
  const outcome = await planTakingBack(stage, org, undoes, moment);
  await onStep?.('planned');
  const reports: Report[] = [];
  let isSubmitted = false;
  try {
    const summary = await writeUndoReports(deps, { run, org, today, moment }, stage, outcome, reports);
    const settlement: Settlement = { reports, uploads: [], summary };
    await onStep?.('reported');
    tell({ phase: 'applying', file: null, rows: 0 });
    const sealed = await sealSettlement(org.recipient, settlement);
    isSubmitted = true;
    const uploads = [{ file: 0, uploadId: null }];
    const application = { org: org.id, runId: run.id, uploads, version, now: moment, outcome: sealed };
    await applyPlan(stage, { ...application, known: null });
    await onStep?.('applied');
    return settlement;
  } catch (error) {
    if (!isSubmitted || error instanceof DatabaseError)
      for (const { blob } of reports) await removeBlob(paths, blob.id);
    throw error;
  }
}

/** @throws ImportError `unsafe` when the organization would be left without an admin. */
async function planTakingBack(stage: Stage, org: Org, undoes: number, moment: number): Promise<UndoOutcome> {
  const today = dateIn(org.timeZone, moment);
  const replacesTeams = org.teamsMode === 'replace';
  const context = { org: org.id, file: 0, today, now: moment, ownerKey: emailKey(org.ownerEmail), replacesTeams };
  const outcome = await planUndo(stage, context, undoes, emailKey);
  if (outcome === null) throw new ImportError('unsafe', `undoing run ${undoes} would leave no active admin`);
  return outcome;
}

/** What undoing the run would do now, and its values while `use` works. Writes to a stage of its own only. */
export async function previewUndo<T>(
  deps: CheckDeps,
  org: Org,
  undoes: number,
  use: (
    summary: RunSummary,
    list: (which: 'back' | 'kept', most?: number) => AsyncIterable<UndoneValue[]>,
  ) => Promise<T>,
): Promise<T> {
  const moment = deps.now();
  return apart(deps, async (stage) => {
    const outcome = await planTakingBack(stage, org, undoes, moment);
    const summary: RunSummary = {
      run: null,
      org: org.id,
      kind: 'undo',
      state: 'planned',
      hold: [],
      note: null,
      date: dateIn(org.timeZone, moment),
      timeZone: org.timeZone,
      startedAt: moment,
      appliedAt: moment,
      ...countUndone(outcome),
      undo: { run: undoes, restored: outcome.restored, kept: outcome.kept, report: null },
      files: [],
    };
    return use(summary, (which, most) => describeValues(stage, which, most));
  });
}

async function writeUndoReports(
  deps: RunDeps,
  plan: Parameters<typeof summarize>[1],
  stage: Stage,
  outcome: UndoOutcome,
  reports: Report[],
): Promise<RunSummary> {
  const { run, org, today } = plan;
  const { kept } = outcome;
  const place = createPlacer(deps, org);
  const folder = `/reports/${today}`;
  const reportDeps = { paths: deps.paths, recipient: org.recipient };
  let report: string | null = null;
  if (kept > 0) {
    report = await place(folder, `run-${run.id}.undo.csv`);
    reports.push({ path: report, blob: await writePieces(reportDeps, describeKept(stage)) });
  }
  const summary: RunSummary = {
    ...summarize(deps, plan, []),
    ...countUndone(outcome),
    undo: { run: run.undoes!, restored: outcome.restored, kept, report },
  };
  await writeSummary(reportDeps, folder, `run-${run.id}.summary`, summary, place, reports);
  return summary;
}

function countUndone({ users, teams, deactivated }: UndoOutcome): Pick<RunSummary, 'users' | 'teams'> {
  return { users: { ...noCounts(), updated: users, deactivated }, teams: { ...noCounts(), updated: teams } };
}

/** A value that an undo restores, or leaves alone for a reason. */
export interface UndoneValue {
  /** user, team or field. */
  what: string;
  name: string;
  column: string;
  /** What it was before the run, and what the run made it. */
  before: string | null;
  after: string | null;
  /** null: it is restored. */
  leftAlone: string | null;
}

async function* describeValues(stage: Stage, which: 'back' | 'kept', most?: number): AsyncGenerator<UndoneValue[]> {
  for await (const page of listReversals(stage, which, most))
    yield page.map(({ entity, name, field, before, after, fate }) => ({
      what: entity,
      name,
      column: field === '' ? '(created)' : field,
      before,
      after,
      leftAlone: fate === 'back' ? null : reasons[fate],
    }));
}

async function* describeKept(stage: Stage): AsyncGenerator<string> {
  yield toCsv([['what', 'name', 'column', 'before', 'after', 'why it was left alone']]);
  for await (const page of describeValues(stage, 'kept'))
    yield toCsv(
      page.map(({ what, name, column, before, after, leftAlone }) =>
        [what, name, column, before ?? '', after ?? '', leftAlone!].map(guardFormula),
      ),
    );
}

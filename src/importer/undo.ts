/** Takes back what a run changed, as a run of its own: planned, applied and recorded as an import is. */
import type { Org } from '../db/control/orgs.js';
import type { Run } from '../db/control/runs.js';
import type { Settlement } from '../db/control/settle.js';
import { applyPlan } from '../db/directory/apply.js';
import { readVersion } from '../db/directory/directory.js';
import type { Stage } from '../db/directory/stage.js';
import { type Fate, listKept, planUndo, type UndoOutcome } from '../db/directory/undo.js';
import { DatabaseError } from '../db/error.js';
import { removeBlob } from '../storage/blob.js';
import { noCounts } from './counts.js';
import { toCsv } from './csv.js';
import { ImportError } from './error.js';
import { guardFormula } from './formula.js';
import { emailKey } from './normal.js';
import { sealSettlement } from './outcome.js';
import { writePieces } from './report.js';
import type { RunDeps } from './run.js';
import { createPlacer, type Report, summarize, writeSummary } from './settlement.js';
import { dateIn } from './time.js';
import type { Progress, RunSummary } from './types.js';

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
  const replacesTeams = org.teamsMode === 'replace';
  const context = { org: org.id, file: 0, today, now: moment, ownerKey: emailKey(org.ownerEmail), replacesTeams };
  const outcome = await planUndo(stage, context, undoes, emailKey);
  if (outcome === null) throw new ImportError('unsafe', `undoing run ${undoes} would leave no active admin`);
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
    await applyPlan(stage, { org: org.id, runId: run.id, uploads, version, now: moment, outcome: sealed });
    await onStep?.('applied');
    return settlement;
  } catch (error) {
    if (!isSubmitted || error instanceof DatabaseError)
      for (const { blob } of reports) await removeBlob(paths, blob.id);
    throw error;
  }
}

async function writeUndoReports(
  deps: RunDeps,
  plan: Parameters<typeof summarize>[1],
  stage: Stage,
  { users, teams, deactivated, kept }: UndoOutcome,
  reports: Report[],
): Promise<RunSummary> {
  const { run, org, today } = plan;
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
    users: { ...noCounts(), updated: users, deactivated },
    teams: { ...noCounts(), updated: teams },
    undo: { run: run.undoes!, kept, report },
  };
  await writeSummary(reportDeps, folder, `run-${run.id}.summary`, summary, place, reports);
  return summary;
}

async function* describeKept(stage: Stage): AsyncGenerator<string> {
  yield toCsv([['what', 'name', 'column', 'before', 'after', 'why it was left alone']]);
  for await (const page of listKept(stage))
    yield toCsv(
      page.map(({ entity, name, field, before, after, fate }) =>
        [entity, name, field === '' ? '(created)' : field, before ?? '', after ?? '', reasons[fate]].map(guardFormula),
      ),
    );
}

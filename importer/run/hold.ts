/** Holds a run whose plan is too much, until an operator approves exactly that plan (rule G1). */
import { putAside } from '../../db/control/holds.js';
import type { Run } from '../../db/control/runs.js';
import { removeBlob } from '../../storage/blobs.js';
import { digestPlan } from '../plan/digest.js';
import { guardPlan } from '../plan/guard.js';
import { stageIssues } from '../plan/issuelog.js';
import type { HoldReason, RunSummary } from '../types.js';
import type { RunDeps } from './run.js';
import { type PlannedRun, type Report, writeHeldReports } from './settlement.js';

/** null: the plan may be applied. A summary that is null: the run belongs to somebody else now. */
export async function holdPlan(deps: RunDeps, plan: PlannedRun): Promise<{ summary: RunSummary | null } | null> {
  const { paths, control, settings, now } = deps;
  const reasons = await guardPlan(plan.stage, plan.org, settings);
  if (reasons.length === 0) return null;
  plan.tell({ phase: 'planning', file: null, rows: 0 });
  const digest = await digestPlan(plan.stage, plan.moment);
  if (isApproved(plan.run, digest, now())) return null;
  const reports: Report[] = [];
  let isSubmitted = false;
  try {
    await tellSenders(plan, reasons);
    const summary = await writeHeldReports(deps, plan, reasons, reports);
    isSubmitted = true;
    const hold = { at: now(), today: plan.today, digest };
    return { summary: (await putAside(control, plan.run, hold, { reports, summary })) ? summary : null };
  } catch (error) {
    // A commit whose answer was lost may have taken place: then the reports are somebody's.
    if (!isSubmitted) for (const { blob } of reports) await removeBlob(paths, blob.id);
    throw error;
  }
}

/** What is approved is exactly what was counted, and for a time. */
function isApproved({ approval }: Run, digest: string, now: number): boolean {
  return approval !== null && approval.digest === digest && now <= approval.until;
}

/** Each file's report begins with why nothing of it is applied yet. */
async function tellSenders({ stage, planned }: PlannedRun, reasons: readonly HoldReason[]): Promise<void> {
  for (const [file, { refusal }] of planned.entries()) {
    if (refusal !== null) continue;
    const issues = reasons.map(({ code, field, message }) => ({
      ...{ file, line: null, column: field, severity: 'hold', code, message, value: null },
    }));
    await stageIssues(stage, issues);
  }
}

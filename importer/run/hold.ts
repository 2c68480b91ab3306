/** Holds a run whose plan exceeds the guard's limits until an operator approves exactly that plan (rule G1). */
import { putAside } from '../../db/control/holds.js';
import type { Run } from '../../db/control/runs.js';
import { isInControl, sealAndCommit } from '../../storage/blobcommit.js';
import { digestPlan } from '../plan/digest.js';
import { guardPlan } from '../plan/guard.js';
import { stageIssues } from '../plan/issuelog.js';
import { type PlannedRun, writeHeldReports } from '../report/runreports.js';
import type { HoldReason, RunSummary } from '../types.js';
import type { RunDeps } from './deps.js';

/** null: the plan may be applied. A summary that is null: another importer has taken the run over. */
export async function holdPlan(deps: RunDeps, plan: PlannedRun): Promise<{ summary: RunSummary | null } | null> {
  const { paths, control, settings, logger, now } = deps;
  const reasons = await guardPlan(plan.stage, plan.org, settings);
  if (reasons.length === 0) return null;
  plan.tell({ phase: 'planning', file: null, rows: 0 });
  const digest = await digestPlan(plan.stage, plan.moment);
  if (isApproved(plan.run, digest, now())) return null;
  const summary = await sealAndCommit({
    ...{ paths, logger },
    isNamed: isInControl(control),
    seal: async (keep) => {
      await addHoldReasons(plan, reasons);
      return writeHeldReports(deps, plan, reasons, keep);
    },
    commit: async (held) => {
      const hold = { at: now(), today: plan.today, digest };
      return (await putAside(control, plan.run, hold, held)) ? held.summary : null;
    },
  });
  return { summary };
}

/** An approval is for exactly the plan that was counted, and for a limited time. */
function isApproved({ approval }: Run, digest: string, now: number): boolean {
  return approval !== null && approval.digest === digest && now <= approval.until;
}

/** Puts the reasons at the top of each file's report. */
async function addHoldReasons({ stage, planned }: PlannedRun, reasons: readonly HoldReason[]): Promise<void> {
  for (const [file, { refusal }] of planned.entries()) {
    if (refusal !== null) continue;
    const issues = reasons.map(({ code, field, message }) => ({
      ...{ file, line: null, column: field, severity: 'hold', code, message, value: null },
    }));
    await stageIssues(stage, issues);
  }
}

/** Holds a run whose plan exceeds the guard's limits until an operator approves exactly that plan (rule G1). */
import { putAside } from '../../db/control/holds.js';
import type { Counted } from '../../db/directory/guardcounts.js';
import { requireWhole } from '../../db/stage.js';
import { isInControl, sealAndCommit } from '../../storage/blobcommit.js';
import { sumFiles } from '../counts.js';
import { askBeforeApply } from '../hooks/call.js';
import type { HookPlan } from '../hooks/hooks.js';
import { findHooks } from '../hooks/load.js';
import { digestPlan } from '../plan/digest.js';
import { guardPlan } from '../plan/guard.js';
import { stageIssues } from '../plan/issuelog.js';
import { type PlannedRun, writeHeldReports } from '../report/runreports.js';
import type { HoldReason, RunSummary } from '../types.js';
import { isApproved } from './approval.js';
import type { RunDeps } from './deps.js';

/** A plan that may be applied, with the numbers that later imports count; null: an operator approved it, or it can harm nothing. */
interface Passed {
  counted: Counted | null;
}

/** `held` null: another importer has taken the run over. */
export async function holdPlan(deps: RunDeps, plan: PlannedRun): Promise<{ held: RunSummary | null } | Passed> {
  const { paths, control, settings, logger, now } = deps;
  const { reasons, weight } = await guardPlan(plan.stage, plan.org, settings, now());
  const hooks = await findHooks(deps);
  reasons.push(...(await askBeforeApply(hooks, settings, toHookPlan(plan))));
  if (reasons.length === 0) return { counted: weight };
  plan.reportProgress({ phase: 'planning', file: null, rows: 0 });
  const digest = await digestPlan(plan.stage, plan.org, settings, plan.moment);
  if (isApproved(plan.run, digest, now())) return { counted: null };
  const held = await sealAndCommit({
    ...{ paths, logger },
    isNamed: isInControl(control),
    seal: async (keep) => {
      await addHoldReasons(plan, reasons);
      return writeHeldReports(deps, plan, reasons, keep);
    },
    commit: async (reports) => {
      await requireWhole(plan.stage, plan.stage.db);
      const hold = { at: now(), today: plan.today, digest };
      return (await putAside(control, plan.run, hold, reports)) ? reports.summary : null;
    },
  });
  return { held };
}

function toHookPlan({ run, org, today, sources, planned }: PlannedRun): HookPlan {
  const files = planned.map(({ type, rows, refusal }, file) => ({
    ...{ name: sources[file]!.source.name, type, rows },
    isRefused: refusal !== null,
  }));
  return { org: org.id, run: run.id, date: today, files, ...sumFiles(planned) };
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

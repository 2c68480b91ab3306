/** Applies the plan of a run together with its reports: they are sealed first, and the apply records which they are. */
import type { Org } from '../../db/control/orgs.js';
import { hasLease, type Run } from '../../db/control/runs.js';
import type { Settlement } from '../../db/control/settle.js';
import type { Stage } from '../../db/stage.js';
import { type Keep, sealAndCommit } from '../../storage/blobcommit.js';
import type { Progress } from '../types.js';
import { type Application, applyPlan, findApplied } from './apply.js';
import type { RunDeps } from './deps.js';
import { type SealedSettlement, sealSettlement } from './sealedsettlement.js';

export interface ReportedPlan extends Pick<Application, 'uploads' | 'version' | 'counted'> {
  run: Run;
  org: Org;
  stage: Stage;
  /** When it was planned, in ms. */
  moment: number;
  /** Called once the reports are sealed: the rows that are known once the plan is applied. */
  known: () => Application['known'];
  /** Seals the reports. */
  write: (keep: Keep) => Promise<Settlement>;
  reportProgress: (progress: Progress) => void;
}

/**
 * Returns the settlement that is left to do. Removes the reports when the run is not applied with them.
 * @throws DatabaseError as applyPlan
 */
export async function applyWithReports(deps: RunDeps, plan: ReportedPlan): Promise<Settlement> {
  const { directory, paths, logger, onStep } = deps;
  const { run, org, stage, uploads, version, moment, counted } = plan;
  const epoch = run.claim?.epoch ?? 0;
  return sealAndCommit({
    ...{ paths, logger },
    isNamed: async (id) => {
      const applied = (await findApplied(directory.read, run.id)) as SealedSettlement | null;
      return applied?.reports.some(({ blob }) => blob.id === id) ?? false;
    },
    seal: async (keep) => {
      const settlement = await plan.write(keep);
      await onStep?.('reported');
      plan.reportProgress({ phase: 'applying', file: null, rows: 0 });
      return { settlement, outcome: await sealSettlement(org.recipient, settlement) };
    },
    commit: async ({ settlement, outcome }) => {
      const application = { org: org.id, runId: run.id, uploads, version, epoch, counted, now: moment, outcome };
      const isClaimed = () => hasLease(deps.control.read, run);
      await applyPlan(stage, { ...application, isClaimed, known: plan.known() });
      await onStep?.('applied');
      return settlement;
    },
  });
}

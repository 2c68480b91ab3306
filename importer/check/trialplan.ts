/** Trial plans: plans files as an import would, in a stage of its own, and applies nothing. */
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import type { Org } from '../../db/control/orgs.js';
import { requireWhole, type Stage } from '../../db/stage.js';
import { sumFiles } from '../counts.js';
import { guardPlan } from '../plan/guard.js';
import { planFiles } from '../plan/plan.js';
import type { PlannedFile } from '../plan/planfile.js';
import { openRunStage } from '../plan/tables.js';
import type { Source } from '../read/source.js';
import { indexIssues } from '../report/findings.js';
import { readKnown } from '../run/directorystate.js';
import { trialStageLabel } from '../run/stages.js';
import { dateIn } from '../schedule/calendar.js';
import type { FileOutcome, HoldReason, Progress, RunSummary } from '../types.js';

export interface TrialDeps {
  settings: Settings;
  directory: Db;
  now: () => number;
}

/** A plan that is shown and never applied. */
export interface TrialPlan {
  stage: Stage;
  /** In the order of the sources. */
  planned: readonly PlannedFile[];
  /** Why a run would be held until an operator approves it. */
  hold: HoldReason[];
  /** When the import would be, in ms, and its date in the organization's time zone. */
  moment: number;
  today: string;
}

/**
 * Plans files as one import would now; the plan exists while `use` works. Writes to a stage of its own only.
 * @param date the import's, yyyy-mm-dd, where it is not that of now.
 */
export async function planTrial<T>(
  deps: TrialDeps,
  org: Org,
  sources: readonly Source[],
  reportProgress: (progress: Progress) => void,
  use: (plan: TrialPlan) => Promise<T>,
  date?: string,
): Promise<T> {
  const { settings, directory, now } = deps;
  return withTrialStage(deps, async (stage) => {
    const moment = now();
    const today = date ?? dateIn(org.timeZone, moment);
    const known = await readKnown(directory.read, org, settings, sources[0]?.mapper?.digest);
    const planned = await planFiles({ settings, stage, org, today, now: moment, ...known, reportProgress }, sources);
    const { reasons: hold } = await guardPlan(stage, org, settings, moment);
    await indexIssues(stage);
    await requireWhole(stage, stage.db);
    return use({ stage, planned, hold, moment, today });
  });
}

/** Gives `use` a stage that belongs to no run, and drops it afterwards. */
export async function withTrialStage<T>(
  { settings, directory, now }: TrialDeps,
  use: (stage: Stage) => Promise<T>,
): Promise<T> {
  const stage = await openRunStage(settings, directory, trialStageLabel(now()));
  try {
    return await use(stage);
  } finally {
    await stage.drop();
  }
}

/** The summary of a run that would import the files now: its states say what the run would do. */
export function summarizeTrial(
  kind: 'check' | 'dry_run',
  org: Org,
  { moment, today, hold }: TrialPlan,
  files: readonly FileOutcome[],
  contact: string | null,
): RunSummary {
  const told = files.map((file) => ({ ...file, state: stateOf(file, hold) }));
  const state =
    told.length > 0 && told.every((file) => file.state === 'would_refuse') ? 'would_refuse' : importOf(hold);
  const times = { date: today, timeZone: org.timeZone, startedAt: moment };
  return { run: null, org: org.id, kind, state, hold, note: null, contact, ...times, ...sumFiles(told), files: told };
}

function stateOf({ refusal }: FileOutcome, hold: readonly HoldReason[]): FileOutcome['state'] & `would_${string}` {
  return refusal === null ? importOf(hold) : 'would_refuse';
}

function importOf(hold: readonly HoldReason[]): 'would_import' | 'would_hold' {
  return hold.length > 0 ? 'would_hold' : 'would_import';
}

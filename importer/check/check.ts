/** Plans files beside all runs, and applies nothing: `dropslot check`, dry runs, and the early check of what is queued. */
import { randomBytes } from 'node:crypto';
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import type { Org } from '../../db/control/orgs.js';
import { dropStages, type Stage } from '../../db/stage.js';
import { sumFiles } from '../counts.js';
import { guardPlan } from '../plan/guard.js';
import { planFiles } from '../plan/plan.js';
import type { PlannedFile } from '../plan/planfile.js';
import { openRunStage } from '../plan/tables.js';
import { readAs } from '../read/encoding.js';
import type { Source } from '../read/source.js';
import { indexIssues, listIssues } from '../report/findings.js';
import { readKnown } from '../run/directorystate.js';
import { outcomeOf } from '../run/settlement.js';
import { dateIn } from '../schedule/calendar.js';
import type { FileOutcome, HoldReason, Issue, Progress, RunSummary } from '../types.js';

export interface CheckDeps {
  settings: Settings;
  directory: Db;
  now: () => number;
}

/** A plan that nobody will apply. */
export interface ApartPlan {
  stage: Stage;
  /** In the order of the sources. */
  planned: readonly PlannedFile[];
  /** Why a run would be held for an operator's word. */
  hold: HoldReason[];
  /** When the import would be, in ms, and its date in the organization's time zone. */
  moment: number;
  today: string;
}

/**
 * Plans files as one import would now; the plan is there while `use` works. Writes to a stage of its own only.
 * @param date the import's, yyyy-mm-dd, where it is not that of now.
 */
export async function planApart<T>(
  deps: CheckDeps,
  org: Org,
  sources: readonly Source[],
  tell: (progress: Progress) => void,
  use: (plan: ApartPlan) => Promise<T>,
  date?: string,
): Promise<T> {
  const { settings, directory, now } = deps;
  return apart(deps, async (stage) => {
    const moment = now();
    const today = date ?? dateIn(org.timeZone, moment);
    const known = await readKnown(directory.read, org, settings);
    const planned = await planFiles(
      { settings, stage, org, today, now: moment, ...known, reportProgress: tell },
      sources,
    );
    const hold = await guardPlan(stage, org, settings);
    await indexIssues(stage);
    return use({ stage, planned, hold, moment, today });
  });
}

/** A stage that no run knows, while `use` works. */
export async function apart<T>({ settings, directory, now }: CheckDeps, use: (stage: Stage) => Promise<T>): Promise<T> {
  const stage = await openRunStage(settings, directory, `check_${now()}_${randomBytes(6).toString('hex')}`);
  try {
    return await use(stage);
  } finally {
    await stage.drop();
  }
}

/**
 * What a run would do with the file now.
 * @param onIssues is given everything that is wrong, in the order of the lines.
 */
export async function checkFile(
  deps: CheckDeps,
  org: Org,
  file: Source,
  onIssues: (issues: Issue[]) => void | Promise<void>,
  tell: (progress: Progress) => void,
): Promise<RunSummary> {
  const source = await readAs(file, org.options.encoding);
  return planApart(deps, org, [source], tell, async (plan) => {
    for await (const page of listIssues(plan.stage, 0)) await onIssues(page as Issue[]);
    return summarizeCheck('check', org, plan, [await outcomeOf(plan.stage, 0, source, plan.planned[0]!)]);
  });
}

/** A summary as runs have it, of what would happen. */
export function summarizeCheck(
  kind: 'check' | 'dry_run',
  org: Org,
  { moment, today, hold }: ApartPlan,
  files: FileOutcome[],
): RunSummary {
  const times = { date: today, timeZone: org.timeZone, startedAt: moment, appliedAt: moment };
  return { run: null, org: org.id, kind, state: 'planned', hold, note: null, ...times, ...sumFiles(files), files };
}

/** Removes what checks left that were killed; one that is still at work after a day is none. */
export async function dropAbandonedChecks({ settings, directory, now }: CheckDeps): Promise<void> {
  const oldest = now() - 86_400_000;
  await dropStages(settings, directory, (label) => Number(/^check_(\d+)_/.exec(label)?.[1] ?? oldest) < oldest);
}

/** Plans a file of the operator's disk, and applies nothing: what `dropslot check` prints. */
import { randomBytes } from 'node:crypto';
import type { Settings } from '../config/settings.js';
import type { Db } from '../db/connection.js';
import type { Org } from '../db/control/orgs.js';
import { listFields } from '../db/directory/fields.js';
import { indexIssues, listIssues } from '../db/directory/findings.js';
import { dropStages, openStage } from '../db/directory/stage.js';
import { sumFiles } from './counts.js';
import { guardPlan } from './guard.js';
import { planFiles } from './plan.js';
import { outcomeOf } from './settlement.js';
import type { Source } from './source.js';
import { dateIn } from './time.js';
import type { Issue, Progress, RunSummary } from './types.js';

export interface CheckDeps {
  settings: Settings;
  directory: Db;
  now: () => number;
}

/**
 * What a run would do with the file now. Writes to the stage only.
 * @param onIssues is given everything that is wrong, in the order of the lines.
 */
export async function checkFile(
  { settings, directory, now }: CheckDeps,
  org: Org,
  source: Source,
  onIssues: (issues: Issue[]) => void | Promise<void>,
  tell: (progress: Progress) => void,
): Promise<RunSummary> {
  const stage = await openStage(settings, directory, `check_${now()}_${randomBytes(6).toString('hex')}`);
  try {
    const moment = now();
    const today = dateIn(org.timeZone, moment);
    const fields = await listFields(directory.read, org.id);
    const [planned] = await planFiles({ settings, stage, org, today, now: moment, fields, tell }, [source]);
    const hold = await guardPlan(stage, org, settings);
    await indexIssues(stage);
    for await (const page of listIssues(stage, 0)) await onIssues(page as Issue[]);
    const files = [outcomeOf(source.name, source, planned!)];
    const { timeZone } = org;
    return {
      run: null,
      org: org.id,
      kind: 'check',
      state: 'planned',
      hold,
      note: null,
      date: today,
      timeZone,
      startedAt: moment,
      appliedAt: moment,
      ...sumFiles(files),
      files,
    };
  } finally {
    await stage.drop();
  }
}

/** Removes what checks left that were killed; one that is still at work after a day is none. */
export async function dropAbandonedChecks({ settings, directory, now }: CheckDeps): Promise<void> {
  const oldest = now() - 86_400_000;
  await dropStages(settings, directory, (label) => Number(/^check_(\d+)_/.exec(label)?.[1] ?? oldest) < oldest);
}

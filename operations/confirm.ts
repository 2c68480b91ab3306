/** Confirms that a number names the intended run: the runs of all organizations are numbered together, so a typo can hit another's. */
import type { Run } from '../db/control/runs.js';
import { describeCounts } from '../importer/report/summarytext.js';
import type { RunSummary } from '../importer/types.js';
import { OperationError } from './error.js';
import { escapeControl, formatTime } from './format.js';
import { getRun } from './runs.js';
import type { Workplace } from './workplace.js';

/**
 * @param org the organization that the run must belong to; undefined: any.
 * @param ask asks the operator to confirm; null: do not ask.
 * @param question for example "Apply it?"
 * @throws OperationError `not_found`; `refused` when it is another organization's, or the person says no.
 */
export async function confirmRun(
  workplace: Workplace,
  id: string,
  org: string | undefined,
  question: string,
  ask: ((question: string) => Promise<boolean>) | null,
): Promise<void> {
  const run = await getRun(workplace, id);
  if (org !== undefined && org !== run.org)
    throw new OperationError('refused', `run ${run.id} belongs to ${run.org}, not to ${org}: nothing was done`);
  if (ask !== null && !(await ask(`${escapeControl(describe(run))}\n${question}`)))
    throw new OperationError('refused', 'nothing was done');
}

function describe({ id, org, kind, state, openedAt, summary }: Run): string {
  const counts = summary as RunSummary | null;
  const counted =
    counts === null ? '' : ` Users: ${describeCounts(counts.users)}. Teams: ${describeCounts(counts.teams)}.`;
  return `Run ${id} of ${org} (${kind}, opened ${formatTime(openedAt)}) is ${state}.${counted}`;
}

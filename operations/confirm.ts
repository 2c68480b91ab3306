/** Whether a number names the run that is meant: runs of all organizations are counted together, and one is mistyped soon. */
import type { Run } from '../db/control/runs.js';
import { describeCounts } from '../importer/report/summary.js';
import type { RunSummary } from '../importer/types.js';
import { OperationError } from './error.js';
import { escapeControl, formatTime } from './format.js';
import { getRun } from './runs.js';
import type { Workplace } from './workplace.js';

/**
 * @param org the organization whose run it must be; undefined: anybody's.
 * @param ask the person at the terminal; null: there is none, or they have said yes already.
 * @param question as "Take it back?"
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
    throw new OperationError('refused', `run ${run.id} is of ${run.org}, not of ${org}: nothing was done`);
  if (ask !== null && !(await ask(`${escapeControl(describe(run))}\n${question}`)))
    throw new OperationError('refused', 'nothing was done');
}

function describe({ id, org, kind, state, openedAt, summary }: Run): string {
  const counts = summary as RunSummary | null;
  const told =
    counts === null ? '' : ` Users: ${describeCounts(counts.users)}. Teams: ${describeCounts(counts.teams)}.`;
  return `Run ${id} of ${org} (${kind}, opened ${formatTime(openedAt)}) is ${state}.${told}`;
}

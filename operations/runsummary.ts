/** The texts about a run that every surface shows in the same words: its counts, its summary, its progress. */
import type { Run } from '../db/control/runs.js';
import { quoteName } from '../importer/outside.js';
import { describeCounts, describeProblem, describeRun, nameFile } from '../importer/report/summarytext.js';
import type { Progress, RunSummary } from '../importer/types.js';
import type { Advance } from './advance.js';

export type { Run } from '../db/control/runs.js';
export type { Issue, Progress, RunSummary } from '../importer/types.js';

export { describeProblem, nameFile };

/** null: nothing of it is counted yet. */
export function summaryOf(run: Run): RunSummary | null {
  const summary = run.summary as RunSummary | null;
  // The summary of a held run that a newer file superseded was written when the run was held.
  return summary !== null && run.state === 'superseded' ? { ...summary, state: run.state } : summary;
}

/** Several lines, as the summary in /reports has them. */
export function describeSummary(summary: RunSummary): string {
  return describeRun(summary).trimEnd();
}

/** Counts of users or of teams; if the run is not applied, counts of the changes it would make. null: not counted. */
export function describeOutcome(run: Run, of: 'users' | 'teams'): string | null {
  const summary = summaryOf(run);
  if (summary === null) return null;
  const counts = describeCounts(summary[of]);
  if (run.state === 'done') return counts;
  return run.state === 'held' || run.state === 'open' || run.state === 'running' ? `planned: ${counts}` : 'not applied';
}

export function describeProgress({ phase, file, rows }: Progress): string {
  return [phase, file === null ? null : quoteName(file), rows > 0 ? `${rows} rows` : null]
    .filter((part) => part !== null)
    .join(' · ');
}

/** @param prefix tells which run it is, where it is not the one that is asked for. */
export function advanceOf({ phase, file, rows, share }: Partial<Progress>, prefix = ''): Advance {
  const name = file == null ? null : quoteName(file);
  const amount = rows !== undefined && rows > 0 ? `${rows} rows` : '';
  return { phase: `${prefix}${phase ?? 'waiting'}`, amount, done: rows ?? 0, unit: 'rows', share: share ?? null, name };
}

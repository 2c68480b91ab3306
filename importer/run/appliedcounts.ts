/** The numbers of a run that was applied, for metrics: rows, users, teams and issues, without any name. */
import type { Settlement } from '../../db/control/settle.js';
import type { Counts, FileType, RunSummary } from '../types.js';

export interface AppliedCounts {
  /** Data rows read, by the type of their file; `unknown`: of refused files without one. */
  rows: Partial<Record<FileType | 'unknown', number>>;
  users: Counts;
  teams: Counts;
  /** Refusals, faults and warnings, by code. */
  issues: Record<string, number>;
}

export function countApplied({ summary, issues = {} }: Settlement): AppliedCounts {
  const { users, teams, files } = summary as RunSummary;
  const counts: AppliedCounts = { rows: {}, users, teams, issues: { ...issues } };
  for (const { type, rows, refusal } of files) {
    const name = type ?? 'unknown';
    counts.rows[name] = (counts.rows[name] ?? 0) + rows;
    if (refusal !== null) counts.issues[refusal.code] = (counts.issues[refusal.code] ?? 0) + 1;
  }
  return counts;
}

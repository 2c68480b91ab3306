/** Runs, their changes and the issues of their files as JSON. The command line and the API give the same. */
import { nameColumn, type RunChange } from '../changes.js';
import { isoTime } from '../format.js';
import type { Issue, Run } from '../runsummary.js';

export function runToJson(run: Run) {
  return {
    ...run,
    openedAt: isoTime(run.openedAt),
    startedAt: isoTime(run.startedAt),
    finishedAt: isoTime(run.finishedAt),
    leaseUntil: isoTime(run.leaseUntil),
    retryAt: isoTime(run.retryAt),
  };
}

/** The rows of a plan have more fields than an issue. */
export function issueToJson({ line, column, severity, code, message, value }: Issue) {
  return { line, column, severity, code, message, value };
}

export function changeToJson(change: RunChange) {
  const { file, line, entity: what, name, before, after, values } = change;
  return { file, line, what, name, column: nameColumn(change), before, after, created: values };
}

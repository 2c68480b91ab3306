/** Runs, the issues of their files and the values of an undo, for people and as JSON. */

import { formatTime } from '../../operations/format.js';
import { issueToJson, runToJson } from '../../operations/forms/runs.js';
import type { UndoneValue } from '../../operations/runs.js';
import {
  describeOutcome,
  describeProgress,
  describeSummary,
  type Issue,
  type Progress,
  type Run,
  summaryOf,
} from '../../operations/runsummary.js';
import type { Tint, Tints } from '../color.js';
import { type ListView, renderRecord } from '../output.js';

const stateTints: Partial<Record<Run['state'], Tint>> = { failed: 'red', rejected: 'red', held: 'yellow' };

/** Of the verdict of a check. */
export const verdictTints: Tints = {
  'This file would be refused': 'red',
  'The import would be held': 'yellow',
  '  rejected': 'red',
  '  warning': 'yellow',
};

/** Of the summary of a run. */
export const summaryTints: Tints = {
  'REJECTED by an operator': 'red',
  '  REFUSED': 'red',
  '  rejected': 'red',
  '  warning': 'yellow',
  HELD: 'yellow',
  'This would be HELD': 'yellow',
};

/** Of the record of a run: the name of the value is painted. */
export function runTints({ state }: Run): Tints {
  const tint = stateTints[state];
  return tint === undefined ? {} : { 'State:': tint, 'Failure:': 'red', 'Held:': 'yellow' };
}

export const issueList: ListView<Issue> = {
  columns: [
    { title: 'LINE', cell: (issue) => (issue.line === null ? '–' : String(issue.line)), align: 'right' },
    { title: 'COLUMN', cell: (issue) => issue.column ?? '–' },
    {
      title: 'WHAT',
      cell: (issue) => issue.severity,
      tint: ({ severity }) =>
        severity === 'refusal' || severity === 'fault' ? 'red' : severity === 'warning' ? 'yellow' : null,
    },
    { title: 'CODE', cell: (issue) => issue.code },
    { title: 'VALUE', cell: (issue) => issue.value ?? '–' },
    { title: 'MESSAGE', cell: (issue) => issue.message },
  ],
  empty: 'The file has no errors.',
  toJson: issueToJson,
};

export const undoneList: ListView<UndoneValue> = {
  columns: [
    { title: 'WHAT', cell: (value) => value.what },
    { title: 'NAME', cell: (value) => value.name },
    { title: 'COLUMN', cell: (value) => value.column },
    { title: 'BEFORE', cell: (value) => value.before ?? '–' },
    { title: 'AFTER', cell: (value) => value.after ?? '–' },
    { title: 'UNDO', cell: (value) => (value.leftAlone === null ? 'restore' : `keep: ${value.leftAlone}`) },
  ],
  empty: 'No value would be restored.',
  toJson: (value) => value,
};

export const runList: ListView<Run> = {
  columns: [
    { title: 'RUN', cell: (run) => String(run.id), align: 'right' },
    { title: 'ORGANIZATION', cell: (run) => run.org, whole: true },
    {
      title: 'KIND',
      cell: (run) => (run.slotDate === null ? run.kind : `${run.kind} ${run.slotDate} ${run.slotTime ?? ''}`.trim()),
    },
    { title: 'STATE', cell: (run) => run.state, tint: ({ state }) => stateTints[state] ?? null },
    { title: 'OPENED', cell: (run) => formatTime(run.openedAt) },
    {
      title: 'FILES',
      cell: (run) => String(summaryOf(run)?.files.length ?? '–'),
      align: 'right',
    },
    { title: 'USERS', cell: (run) => describeOutcome(run, 'users') ?? '–' },
    { title: 'TEAMS', cell: (run) => describeOutcome(run, 'teams') ?? '–' },
  ],
  empty: 'No run yet.',
  toJson: runToJson,
};

export function renderRun(run: Run): string {
  const summary = summaryOf(run);
  const head = renderRecord([
    ['Run', String(run.id)],
    ['Organization', run.org],
    ['Kind', run.slotDate === null ? run.kind : `${run.kind} of ${run.slotDate} ${run.slotTime ?? ''}`.trim()],
    ['State', run.state],
    ['Undoes run', run.undoes === null ? null : String(run.undoes)],
    ['Opened', formatTime(run.openedAt)],
    ['Started', formatTime(run.startedAt)],
    ['Finished', formatTime(run.finishedAt)],
    ['Progress', run.progress === null ? null : describeProgress(run.progress as Progress)],
    ['Failure', run.failure],
    ['Waits for', run.fault === null ? null : `the end of a fault of the machine: ${run.fault}`],
    ['Next attempt', run.state === 'open' && run.fault !== null ? formatTime(run.retryAt) : null],
    ['Held', run.hold === null ? null : formatTime(run.hold.at)],
    ['Its changes', run.state === 'held' ? `dropslot runs show ${run.id} --changes` : null],
    [
      'Approved',
      run.approval === null
        ? null
        : `${formatTime(run.approval.at)} by ${run.approval.by}, valid until ${formatTime(run.approval.until)}`,
    ],
  ]);
  return summary === null ? head : `${head}\n\n${describeSummary(summary)}`;
}

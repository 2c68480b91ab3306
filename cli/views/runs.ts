/** How runs and what is wrong with files are shown. */
import type { Run } from '../../db/control/runs.js';
import { describeCounts, describeRun } from '../../importer/report/summary.js';
import type { UndoneValue } from '../../importer/run/undo.js';
import type { Issue, Progress, RunSummary } from '../../importer/types.js';
import { formatTime, isoTime } from '../../operations/format.js';
import { type ListView, renderRecord } from '../output.js';

export const issueList: ListView<Issue> = {
  columns: [
    { title: 'LINE', cell: (issue) => (issue.line === null ? '–' : String(issue.line)), align: 'right' },
    { title: 'COLUMN', cell: (issue) => issue.column ?? '–' },
    { title: 'WHAT', cell: (issue) => issue.severity },
    { title: 'CODE', cell: (issue) => issue.code },
    { title: 'MESSAGE', cell: (issue) => issue.message },
  ],
  empty: 'Nothing is wrong with the file.',
  // A plan's row has more than the issue.
  toJson: ({ line, column, severity, code, message, value }) => ({ line, column, severity, code, message, value }),
};

export const undoneList: ListView<UndoneValue> = {
  columns: [
    { title: 'WHAT', cell: (value) => value.what },
    { title: 'NAME', cell: (value) => value.name },
    { title: 'COLUMN', cell: (value) => value.column },
    { title: 'BEFORE', cell: (value) => value.before ?? '–' },
    { title: 'AFTER', cell: (value) => value.after ?? '–' },
    { title: 'UNDO', cell: (value) => (value.leftAlone === null ? 'restores it' : `leaves it: ${value.leftAlone}`) },
  ],
  empty: 'Nothing would be restored.',
  toJson: (value) => value,
};

export const runList: ListView<Run> = {
  columns: [
    { title: 'RUN', cell: (run) => String(run.id), align: 'right' },
    {
      title: 'KIND',
      cell: (run) => (run.slotDate === null ? run.kind : `${run.kind} ${run.slotDate} ${run.slotTime ?? ''}`.trim()),
    },
    { title: 'STATE', cell: (run) => run.state },
    { title: 'OPENED', cell: (run) => formatTime(run.openedAt) },
    {
      title: 'FILES',
      cell: (run) => (summaryOf(run) === null ? '–' : String(summaryOf(run)!.files.length)),
      align: 'right',
    },
    { title: 'USERS', cell: (run) => describeDone(run, 'users') },
    { title: 'TEAMS', cell: (run) => describeDone(run, 'teams') },
  ],
  empty: 'No run yet.',
  toJson: runToJson,
};

/** What was counted of a run that is not applied has not happened. */
function describeDone(run: Run, of: 'users' | 'teams'): string {
  const summary = summaryOf(run);
  if (summary === null) return '–';
  const counts = describeCounts(summary[of]);
  if (run.state === 'done') return counts;
  return run.state === 'held' || run.state === 'open' || run.state === 'running' ? `would: ${counts}` : 'not applied';
}

export function runToJson(run: Run): unknown {
  return {
    ...run,
    openedAt: isoTime(run.openedAt),
    startedAt: isoTime(run.startedAt),
    finishedAt: isoTime(run.finishedAt),
    leaseUntil: isoTime(run.leaseUntil),
  };
}

export function renderRun(run: Run): string {
  const told = summaryOf(run);
  // The summary is of the moment when the run was held.
  const summary = told !== null && run.state === 'superseded' ? { ...told, state: run.state } : told;
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
    ['Held', run.hold === null ? null : formatTime(run.hold.at)],
    ['Whom it would change', run.state === 'held' ? `dropslot runs show ${run.id} --changes` : null],
    [
      'Approved',
      run.approval === null
        ? null
        : `${formatTime(run.approval.at)} by ${run.approval.by}, good until ${formatTime(run.approval.until)}`,
    ],
  ]);
  return summary === null ? head : `${head}\n\n${describeRun(summary).trimEnd()}`;
}

export function describeProgress({ phase, file, rows }: Progress): string {
  return [phase, file, rows > 0 ? `${rows} rows` : null].filter((part) => part !== null).join(' · ');
}

function summaryOf(run: Run): RunSummary | null {
  return run.summary as RunSummary | null;
}

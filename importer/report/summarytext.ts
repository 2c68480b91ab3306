/** Words the summary of a run for people, in lines of at most 80 columns. */
import { nameContact } from '../contact.js';
import { oneLine, quote, quoteName } from '../outside.js';
import type { Counts, FileOutcome, HoldReason, Problem, RunSummary } from '../types.js';
import { wrapLine } from './wrap.js';

/** Plain text. */
export function describeRun(summary: RunSummary): string {
  const isApplied = summary.state === 'applied' || summary.state === undefined;
  const isUndo = summary.undo !== undefined;
  const { edit } = summary;
  const lines = [
    `${headOf(summary)} of ${summary.org}, ${summary.date} (${summary.timeZone})`,
    '',
    ...describeHold(summary),
    ...describeUndo(summary),
    ...(edit === undefined ? [] : [`A change by ${quoteName(edit.by)}, not by a file.`]),
    ...(isUndo || edit !== undefined
      ? []
      : summary.files.length === 0
        ? ['No file was waiting.']
        : summary.files.flatMap(describeFile)),
    '',
    ...(isApplied || isUndo ? [] : ['Counts of the planned changes:']),
    `Users: ${describeCounts(summary.users)}`,
    `Teams: ${describeCounts(summary.teams)}`,
  ];
  return `${lines.flatMap((line) => wrapLine(line)).join('\n')}\n`;
}

function headOf({ kind, run }: RunSummary): string {
  if (kind === 'check') return 'Check';
  return kind === 'undo' && run === null ? 'Undo (dry run)' : `Run ${run}`;
}

function describeUndo({ undo, state }: RunSummary): string[] {
  if (undo === undefined) return [];
  const { run, kept, report } = undo;
  if (state === 'planned') {
    const left = kept === 0 ? '' : `; ${kept} ${kept === 1 ? 'value' : 'values'} would be left unchanged`;
    return [`The changes of run ${run} would be undone${left}.`];
  }
  const left = `${kept} ${kept === 1 ? 'value was' : 'values were'} left unchanged; for the reasons see ${report}`;
  return [`The changes of run ${run} were undone.`, ...(report === null ? [] : [left])];
}

/** Older summaries have no state. */
function describeHold(summary: RunSummary): string[] {
  const { kind, run, state, hold = [], note = null, contact = null, changes = null } = summary;
  const said = note === null ? [] : [`The operator's note: ${quote(oneLine(note))}`];
  const why = describeReasons(hold);
  if (state === 'rejected') return ['REJECTED by an operator: nothing was applied.', ...why, ...said, ''];
  if (kind === 'check' && hold.length > 0) return ['This would be HELD until an operator approves it.', ...why, ''];
  if (state === 'superseded')
    return ['SUPERSEDED: a file of it was replaced or removed; nothing was applied.', ...why, ''];
  if (state === 'held')
    return [
      'HELD: nothing is applied until an operator approves it.',
      ...why,
      ...(changes === null ? [] : [`  Its changes, one by one, are in ${changes}`]),
      `  If the files are right, ${nameContact('ask your operator', contact)} to approve run ${run}. If not, send corrected files under the same names: they replace these files.`,
      `  The result will be in run-${run}.summary.txt if it is approved, in run-${run}.rejected.txt if it is rejected, and in run-${run}.superseded.txt if corrected files arrive before the decision.`,
      '',
    ];
  return said.length > 0 ? [...said, ''] : [];
}

export function describeReasons(hold: readonly HoldReason[]): string[] {
  return hold.map(({ message }) => `  ${message}`);
}

function describeFile(file: FileOutcome): string[] {
  const kind = file.type === null ? 'file' : `${file.type} file`;
  const lines = [`${nameFile(file)}: ${kind}, ${file.rows} ${file.rows === 1 ? 'row' : 'rows'}, ${file.bytes} bytes`];
  if (file.refusal !== null) {
    const where = file.refusal.line === null ? '' : `line ${file.refusal.line}: `;
    lines.push(`  REFUSED, nothing of it was applied. ${where}${file.refusal.message}`);
  }
  if (file.state === 'queued') lines.push('  not rejected: it is queued again, for the next run');
  lines.push(...describeFileCounts(file), ...describeNewFields(file), ...describeProblems(file));
  if (file.archivedAs !== null) lines.push(`  archived as ${quoteName(file.archivedAs)}`);
  if (file.report !== null) lines.push(`  details in ${quoteName(file.report)}`);
  if (file.rejected !== null) lines.push(`  ${describeRejected(file)} in ${quoteName(file.rejected)}`);
  lines.push(`  SHA-256 ${file.sha256}`);
  return lines;
}

/** With its folder, where that is known; in quotes unless it is one plain word. */
export function nameFile({ path, name }: Pick<FileOutcome, 'path' | 'name'>): string {
  return quoteName(path ?? name);
}

/** Users and teams, those without any left out. */
export function describeFileCounts({ users, teams }: Pick<FileOutcome, 'users' | 'teams'>): string[] {
  const parts = [
    ['Users', describeCounts(users)],
    ['Teams', describeCounts(teams)],
  ].filter(([, counts]) => counts !== nothing);
  return parts.length === 0 ? [`  ${nothing} changed`] : parts.map((part) => `  ${part.join(': ')}`);
}

/** A misspelt column is seen here: it makes a field of its own. */
export function describeNewFields({ newFields = [] }: Pick<FileOutcome, 'newFields'>): string[] {
  const kinds = { text: 'text', boolean: 'Yes or No', date: 'date' };
  if (newFields.length === 0) return [];
  return [
    `  new fields: ${newFields.map(({ label, type }) => `${quoteName(oneLine(label))} (${kinds[type]})`).join(', ')}`,
  ];
}

/** The same problem of many lines is one line: `line 12: … (4,998 more like line 12)`. */
export function describeProblems({ problems = [], moreProblems = false }: FileOutcome): string[] {
  const lines = problems.map((problem) => `  ${placeOf(problem)}${describeProblem(problem)}`);
  return moreProblems ? [...lines, '  … and more; the report has all of them'] : lines;
}

function placeOf({ line, severity }: Problem): string {
  const word = severity === 'notice' ? 'notice' : severity === 'fault' ? 'rejected' : 'warning';
  return line === null ? `${word}: ` : `${word}, line ${line}: `;
}

/** The message, and how many more there are. */
export function describeProblem({ message, count, line }: Pick<Problem, 'message' | 'count' | 'line'>): string {
  if (count === 1) return message;
  const more = (count - 1).toLocaleString('en-US');
  return `${message} (${more} more${line === null ? '' : ` like line ${line}`})`;
}

/** The other rows of a refused file were not applied either: sending the mended rows alone would lose them. */
export function describeRejected({ refusal }: Pick<FileOutcome, 'refusal'>): string {
  return refusal === null
    ? 'rejected rows, to be mended and sent again,'
    : 'faulty rows, to be mended in the whole file, which is then sent again,';
}

type Shown = readonly [keyof Counts, string, string];

/** The words behind a count, for one and for more: users or teams, each in one of these. */
const each: readonly Shown[] = [
  ['created', 'created', 'created'],
  ['updated', 'updated', 'updated'],
  ['unchanged', 'unchanged', 'unchanged'],
  ['stubs', 'created because others name it', 'created because others name them'],
];
/** Some of the created and updated ones. */
const among: readonly Shown[] = [
  ['deactivated', 'deactivated', 'deactivated'],
  ['scheduled', 'to be deactivated', 'to be deactivated'],
];
const others: readonly Shown[] = [
  ['faults', 'row rejected', 'rows rejected'],
  ['warnings', 'warning', 'warnings'],
  ['refused', 'file refused', 'files refused'],
];

const nothing = 'nothing';

/** `30 updated (5 of them to be deactivated)`, `3 created and 30 updated (of these 33: 5 to be deactivated)`: no user is counted twice. */
export function describeCounts(counts: Counts): string {
  const list = (shown: readonly Shown[]) =>
    shown
      .filter(([name]) => counts[name] > 0)
      .map(([name, one, more]) => `${counts[name]} ${counts[name] === 1 ? one : more}`);
  const changed = list(each.slice(0, 2));
  const ended = list(among);
  if (changed.length === 1 && ended.length > 0)
    changed.push(`${changed.pop()} (${ended.join(', ').replace(/ /, ' of them ')})`);
  else if (changed.length === 2 && ended.length > 0)
    changed.splice(0, 2, `${changed.join(' and ')} (of these ${counts.created + counts.updated}: ${ended.join(', ')})`);
  else changed.push(...ended);
  const parts = [...changed, ...list(each.slice(2)), ...list(others)];
  return parts.length === 0 ? nothing : parts.join(', ');
}

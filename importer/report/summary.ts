/** The summary of a run or a file: builds it from the plan, and words it for people. */
import type { Org } from '../../db/control/orgs.js';
import type { Run } from '../../db/control/runs.js';
import type { Stage } from '../../db/stage.js';
import { sumFiles } from '../counts.js';
import type { PlannedFile } from '../plan/planfile.js';
import type { Source } from '../read/source.js';
import type { Counts, FileOutcome, RunSummary } from '../types.js';
import { listNewFields } from './findings.js';

/** Of a run that is to be applied at `appliedAt` (ms). */
export function summarizeRun(
  { run, org, today, moment }: { run: Run; org: Org; today: string; moment: number },
  files: FileOutcome[],
  appliedAt: number,
): RunSummary {
  return {
    run: run.id,
    org: org.id,
    kind: run.kind,
    state: 'applied',
    hold: [],
    note: null,
    date: today,
    timeZone: org.timeZone,
    startedAt: run.startedAt ?? moment,
    appliedAt,
    ...sumFiles(files),
    files,
  };
}

/** Of a planned file that has no place in the archive and no reports yet. */
export async function summarizeFile(
  stage: Stage,
  file: number,
  { name, bytes, sha256 }: Source,
  plan: PlannedFile,
): Promise<FileOutcome> {
  const { type, refusal, rows, users, teams } = plan;
  const state = refusal === null ? 'imported' : 'refused';
  const newFields = refusal === null ? await listNewFields(stage, file) : [];
  const nowhere = { archivedAs: null, report: null, rejected: null };
  return { uploadId: null, name, type, state, refusal, bytes, sha256, rows, users, teams, ...nowhere, newFields };
}

/** The words behind a count: for one, and for more. */
const shown: readonly [keyof Counts, string, string][] = [
  ['created', 'created', 'created'],
  ['updated', 'updated', 'updated'],
  ['unchanged', 'unchanged', 'unchanged'],
  ['deactivated', 'deactivated', 'deactivated'],
  ['scheduled', 'to be deactivated', 'to be deactivated'],
  ['stubs', 'created because others name it', 'created because others name them'],
  ['faults', 'row rejected', 'rows rejected'],
  ['warnings', 'warning', 'warnings'],
  ['refused', 'file refused', 'files refused'],
];

/** Plain text, no longer than a screen for a run of a few files. */
export function describeRun(summary: RunSummary): string {
  const head = headOf(summary);
  const isApplied = summary.state === 'applied' || summary.state === undefined;
  const lines = [
    `${head} of ${summary.org}, ${summary.date} (${summary.timeZone})`,
    '',
    ...describeHold(summary),
    ...describeUndo(summary),
    ...(summary.edit !== undefined ? [`A change by ${summary.edit.by}, not by a file.`] : []),
    ...(summary.undo !== undefined || summary.edit !== undefined
      ? []
      : summary.files.length === 0
        ? ['No file was waiting.']
        : summary.files.flatMap(describeFile)),
    '',
    ...(isApplied || summary.undo !== undefined ? [] : ['Counts of the planned changes:']),
    `Users: ${describeCounts(summary.users)}`,
    `Teams: ${describeCounts(summary.teams)}`,
  ];
  return `${lines.join('\n')}\n`;
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
function describeHold({ kind, run, state, hold = [], note = null }: RunSummary): string[] {
  const said = note === null ? [] : [`The operator's note: ${note}`];
  const why = hold.map(({ message }) => `  ${message}`);
  if (state === 'rejected') return ['REJECTED by an operator: nothing was applied.', ...why, ...said, ''];
  if (kind === 'check' && hold.length > 0) return ['This would be HELD until an operator approves it.', ...why, ''];
  if (state === 'superseded')
    return ['SUPERSEDED: a file of it was replaced or removed; nothing was applied.', ...why, ''];
  if (state === 'held')
    return [
      'HELD: nothing is applied until an operator approves it.',
      ...why,
      `  If the files are right, ask your operator to approve run ${run}. If not, send corrected files under the same names:`,
      '  they replace these files.',
      `  The result will be in run-${run}.summary.txt if it is approved, in run-${run}.rejected.txt if it is rejected, and in`,
      `  run-${run}.superseded.txt if corrected files arrive before the decision.`,
      '',
    ];
  return said.length > 0 ? [...said, ''] : [];
}

function describeFile(file: FileOutcome): string[] {
  const kind = file.type === null ? 'file' : `${file.type} file`;
  const head = `${file.name}: ${kind}, ${file.rows} ${file.rows === 1 ? 'row' : 'rows'}, ${file.bytes} bytes`;
  const lines = [head];
  if (file.refusal !== null) {
    const where = file.refusal.line === null ? '' : `line ${file.refusal.line}: `;
    lines.push(`  REFUSED, nothing of it was applied. ${where}${file.refusal.message}`);
  }
  lines.push(...describeNewFields(file));
  if (file.archivedAs !== null) lines.push(`  archived as ${file.archivedAs}`);
  if (file.report !== null) lines.push(`  details in ${file.report}`);
  if (file.rejected !== null) lines.push(`  ${describeRejected(file)} in ${file.rejected}`);
  lines.push(`  SHA-256 ${file.sha256}`);
  return lines;
}

/** A misspelt column is seen here: it makes a field of its own. */
export function describeNewFields({ newFields = [] }: Pick<FileOutcome, 'newFields'>): string[] {
  const kinds = { text: 'text', boolean: 'Yes or No', date: 'date' };
  if (newFields.length === 0) return [];
  return [
    `  new fields: ${newFields.map(({ label, type }) => `${label.replace(/\s+/g, ' ')} (${kinds[type]})`).join(', ')}`,
  ];
}

/** The other rows of a refused file were not applied either: sending the mended rows alone would lose them. */
export function describeRejected({ refusal }: Pick<FileOutcome, 'refusal'>): string {
  return refusal === null
    ? 'rejected rows, to be mended and sent again,'
    : 'faulty rows, to be mended in the whole file, which is then sent again,';
}

/** `3 created, 1 updated`; zeros are left out. */
export function describeCounts(counts: Counts): string {
  const parts = shown
    .filter(([name]) => counts[name] > 0)
    .map(([name, one, more]) => `${counts[name]} ${counts[name] === 1 ? one : more}`);
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}

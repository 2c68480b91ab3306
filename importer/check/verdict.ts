/** Words the result of a check on one file for people. */
import { nameContact } from '../contact.js';
import { quoteName } from '../outside.js';
import {
  describeCounts,
  describeNewFields,
  describeProblems,
  describeReasons,
  describeRejected,
  nameFile,
} from '../report/summarytext.js';
import { wrapLine } from '../report/wrap.js';
import { formatLocal } from '../schedule/calendar.js';
import type { RunSummary } from '../types.js';

export interface Verdict {
  /** Of that file alone. */
  summary: RunSummary;
  /** When its slot is, in ms; null: the file is not queued. */
  slotAt: number | null;
  /** The run that is held and comes before it, where there is one (rule G1). */
  heldRun?: number | null;
  /** Names of the files that it was planned together with. */
  beside: readonly string[];
}

/** Files that are named in one text. */
const mostNames = 10;

/** Plain text. */
export function describeVerdict({ summary, slotAt, heldRun = null, beside }: Verdict): string {
  const file = summary.files[0]!;
  const { timeZone, contact = null } = summary;
  const operator = nameContact('your operator', contact);
  const name = nameFile(file);
  const heads = {
    dry_run: `Dry run of ${name}: nothing of it is applied.`,
    check: `Check of ${name}: nothing is applied.`,
  };
  const head =
    slotAt === null
      ? heads[summary.kind as keyof typeof heads]
      : `Early check of ${name}, which waits for the import of ${formatLocal(slotAt, timeZone)}.`;
  const lines = [head, ''];
  if (slotAt !== null && heldRun !== null)
    lines.push(`Run ${heldRun} is held: this file waits until ${operator} approves or rejects that run.`, '');
  if (file.refusal !== null) {
    const where = file.refusal.line === null ? '' : `Line ${file.refusal.line}: `;
    lines.push(`This file would be refused: nothing of it would be applied. ${where}${file.refusal.message}`);
  } else {
    const of = file.type === null ? '' : ` of ${file.type}`;
    lines.push(`This file would be imported: ${file.rows} ${file.rows === 1 ? 'row' : 'rows'}${of}.`);
    lines.push(
      `  Users: ${describeCounts(file.users)}`,
      `  Teams: ${describeCounts(file.teams)}`,
      ...describeNewFields(file),
    );
  }
  if (summary.hold.length > 0) {
    const alone = beside.length === 0 ? 'The import' : 'The import of these files';
    lines.push('', `${alone} would be held until ${operator} approves it:`, ...describeReasons(summary.hold));
  }
  const problems = describeProblems(file);
  if (problems.length > 0) lines.push('', 'Problems:', ...problems);
  if (file.report !== null) lines.push('', `Problems, line by line: ${quoteName(file.report)}`);
  if (file.rejected !== null)
    lines.push(
      `${describeRejected(file)
        .replace(/^./, (first) => first.toUpperCase())
        .replace(/,$/, '')}: ${quoteName(file.rejected)}`,
    );
  if (file.changes != null) lines.push(`Changes, one by one: ${quoteName(file.changes)}`);
  lines.push('');
  if (beside.length > 0) lines.push(`Planned together with ${listNames(beside)}.`);
  lines.push(
    `Checked ${formatLocal(summary.startedAt, timeZone, true)}: ${file.bytes} bytes.`,
    `SHA-256 ${file.sha256}`,
    ...(slotAt === null ? [] : ['A newer version under the same name, sent before the import, takes its place.']),
  );
  return `${[lines[0], ...lines.slice(1).flatMap((line) => wrapLine(line))].join('\n')}\n`;
}

function listNames(names: readonly string[]): string {
  const named = names.slice(0, mostNames).map(quoteName).join(', ');
  const more = names.length - mostNames;
  return more <= 0 ? named : `${named} and ${more} other ${more === 1 ? 'file' : 'files'}`;
}

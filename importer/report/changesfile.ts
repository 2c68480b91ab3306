/** Writes `run-7.changes.csv` and its like: who would change, in which column, from what to what, so that the sender can judge a plan. */
import type { SealedBlob } from '../../storage/sealedwriter.js';
import { guardFormula } from '../read/formulaguard.js';
import { describeAfter, nameColumn, type ShownChange } from './changeorder.js';
import { byteOrderMark, hasWideLetters, toCsv } from './csv.js';
import { type ReportDeps, writePieces } from './filereport.js';
import { listPlanned, rankPlanned } from './plannedchanges.js';

const mostChanges = 10_000;
const mostCharacters = 4 * 1024 * 1024;
/** A value may be a megabyte long. */
const longestValue = 1000;

export interface ChangesOf {
  org: string;
  /** Paths of the files, in the order of the plan. */
  files: readonly string[];
  /** Only the changes of this file; without it those of all. */
  file?: number;
}

/** The most severe changes first; null: there is none. */
export async function writeChanges(
  deps: Pick<ReportDeps, 'paths' | 'recipient' | 'encryptTo' | 'stage' | 'room'>,
  of: ChangesOf,
): Promise<SealedBlob | null> {
  const total = await rankPlanned(deps.stage, of.org, { file: of.file, most: mostChanges });
  return total === 0 ? null : writePieces(deps, renderChanges(deps, of, total));
}

/** The same as one text of a few megabytes at most, for a file that is not sealed; without a change only the line of labels. */
export async function describeChanges(deps: Pick<ReportDeps, 'stage' | 'room'>, of: ChangesOf): Promise<string> {
  const total = await rankPlanned(deps.stage, of.org, { file: of.file, most: mostChanges });
  let text = '';
  for await (const piece of renderChanges(deps, of, total)) text += piece;
  return (hasWideLetters(text) ? byteOrderMark : '') + text;
}

async function* renderChanges(
  { stage, room }: Pick<ReportDeps, 'stage' | 'room'>,
  { org, files }: ChangesOf,
  total: number,
): AsyncGenerator<string> {
  yield toCsv([['who', 'column', 'before', 'after', 'kind', 'file', 'line']]);
  const most = Math.min(mostCharacters, room.leftBytes);
  let [listed, characters] = [0, 0];
  for await (const page of listPlanned(stage, org, mostChanges)) {
    const lines: string[] = [];
    for (const change of page) {
      if (characters > most) break;
      const line = toCsv([toCells(change, files)]);
      lines.push(line);
      characters += line.length;
      listed++;
    }
    yield lines.join('');
    if (characters > most) break;
  }
  room.leftBytes -= characters;
  if (listed < total) {
    const left = (total - listed).toLocaleString('en-US');
    yield toCsv([[`and ${left} more`, '', '', '', '', '', '']]);
  }
}

function toCells(change: ShownChange, files: readonly string[]): string[] {
  const { name, before, entity, source, line } = change;
  const file = source === null ? '' : (files[source] ?? '');
  const cells = [name, nameColumn(change), before ?? '', describeAfter(change) ?? '', entity, file];
  return [...cells.map((cell) => guardFormula(cut(cell))), line === null ? '' : String(line)];
}

function cut(text: string): string {
  return text.length > longestValue ? `${text.slice(0, longestValue)}…` : text;
}

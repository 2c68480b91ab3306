/** Finds out why a header has no key column, for the refusal: it says nothing where it is not sure (rules F1, F7a). */
import { shorten } from '../codes.js';
import { oneLine, quote } from '../outside.js';
import { readCell } from './formulaguard.js';
import { teamLabels, userLabels, type Wording } from './labels.js';
import { isEmail, labelKey } from './normalize.js';
import type { Row } from './parse.js';
import { isAddressLabel, isForeignAddress, rankOf } from './vendorlabels.js';

/** Separators that Dropslot does not read, with their names. */
const unreadSeparators: readonly [string | RegExp, string][] = [
  ['^', '"^"'],
  ['~', '"~"'],
  [':', 'colons'],
  ['\u0001', 'the control character 01'],
  [/ {2,}/, 'several spaces'],
];

/** A longer line is not searched for column names: real headers have a few thousand characters. */
const longestHeader = 16 * 1024;

/**
 * A continuation of the refusal's first sentence, or ''.
 * @param rows the first rows below the header.
 */
export function hintFor(header: Row, rows: readonly Row[], wording: Wording): string {
  if (!isShort(header.cells)) return '';
  return hintOfForm(header) || hintOfPlace(header, rows) || hintOfAddress(header, rows, wording);
}

/** The whole header in one cell. */
function hintOfForm({ cells: [cell = '', ...more] }: Row): string {
  if (more.some((other) => other.trim() !== '')) return '';
  if (isHeader(cell.split(/[,;\t|]/)))
    return ': each line is in quotes as a whole, which makes it one cell. Export again, with quotes around single cells only';
  const found = unreadSeparators.find(([separator]) => {
    const parts = cell.split(separator);
    return parts.length > 1 && isHeader(parts);
  });
  return found === undefined
    ? ''
    : `: its columns are separated by ${found[1]}. Export with commas, semicolons, tabs or |`;
}

/** The column names on a later line. */
function hintOfPlace(header: Row, rows: readonly Row[]): string {
  if (header.cells.some((cell) => isEmail(readCell(cell).trim())))
    return ': the first line has an address, so it is a row. Add a line with the column names above it';
  if (isHeader(header.cells)) return '';
  const found = rows.find(({ cells }) => isHeader(cells));
  if (found === undefined) return '';
  const isComment = /^\s*(#|\/\/|--)/.test(header.cells[0] ?? '');
  const above = isComment ? 'comments' : 'a title';
  return `: the column names are on line ${found.line}, below ${above}. Remove the lines above them`;
}

function hintOfAddress({ cells }: Row, rows: readonly Row[], { aliases, org }: Wording): string {
  const index = findAddresses(cells, rows);
  if (index === null) return '';
  const label = readCell(cells[index]!).trim();
  const hint = `: the column ${quote(oneLine(shorten(label)))} has the addresses. Rename it to "${userLabels.email}"`;
  // These characters separate aliases, or end the quotes of a shell.
  if (label.length > 120 || /["'=;$`!\\\p{Cc}\p{Cf}]/u.test(label)) return hint;
  const all = [...aliases, [label, userLabels.email] as const].map(([alias, standard]) => `${alias}=${standard}`);
  return `${hint}, or ask your operator to run: dropslot orgs set ${org ?? 'ORG'} aliases="${all.join('; ')}"`;
}

/** The column of the users' addresses; null: none, or it is not certain. */
function findAddresses(cells: readonly string[], rows: readonly Row[]): number | null {
  const columns = cells.map((cell, index) => {
    const label = readCell(cell).trim();
    const values = rows.map((row) => readCell(row.cells[index] ?? '').trim()).filter((value) => value !== '');
    const hasAddresses = values.length > 0 && values.every(isEmail);
    const isNamed = isAddressLabel(label) && rows.length === 0;
    return { index, label, rank: rankOf(label), isLikely: label !== '' && (hasAddresses || isNamed) };
  });
  const likely = columns.filter(({ isLikely }) => isLikely);
  const known = likely.filter(({ rank }) => rank !== undefined).sort((a, b) => a.rank! - b.rank!);
  if (known[0] !== undefined) return known[0].index;
  const own = likely.filter(({ label }) => !isForeignAddress(label) && !isEmail(label));
  return own.length === 1 ? own[0]!.index : null;
}

/** Whether one of the cells is a key column, or a known name of one, beside other cells. */
function isHeader(cells: readonly string[]): boolean {
  if (!isShort(cells)) return false;
  const keys = [userLabels.email, teamLabels.name].map(labelKey);
  const labels = cells.map((cell) => readCell(dropQuotes(cell)));
  return labels.length > 1 && labels.some((label) => keys.includes(labelKey(label)) || isAddressLabel(label));
}

function isShort(cells: readonly string[]): boolean {
  let length = 0;
  for (const cell of cells) length += cell.length;
  return length <= longestHeader;
}

/** Without the quotes and blanks around the text; by index, since a pattern for its end would take quadratic time. */
function dropQuotes(text: string): string {
  const isAround = (character: string | undefined) => character !== undefined && /["'\s]/.test(character);
  let [start, end] = [0, text.length];
  while (start < end && isAround(text[start])) start++;
  while (end > start && isAround(text[end - 1])) end--;
  return text.slice(start, end);
}

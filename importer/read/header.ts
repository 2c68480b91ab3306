/** Reads a header line: the type of the file, and the meaning of each column (rules F1, F6, F7, F8). */
import { type Details, makeIssue, RefusalError, refuse } from '../codes.js';
import type { FileType, Issue } from '../types.js';
import { readCell } from './formulaguard.js';
import { hintFor } from './headerhint.js';
import {
  exportOnly,
  rejectedLabels,
  type TeamColumn,
  teamLabels,
  type UserColumn,
  userLabels,
  type Wording,
} from './labels.js';
import { findNearMiss } from './nearmiss.js';
import { describeInvisible, isName, labelKey, longestName } from './normalize.js';
import type { Limits, Row } from './parse.js';

export type Meaning =
  | { kind: 'standard'; column: UserColumn | TeamColumn }
  | { kind: 'custom' }
  | { kind: 'status' }
  | { kind: 'blank' }
  | { kind: 'ignored' };

export interface Column {
  index: number;
  /** As the file writes it, trimmed. */
  label: string;
  meaning: Meaning;
}

/** Two columns with one meaning: `index` fills the blank cells of `first`, and is ignored itself. */
export interface Twins {
  first: number;
  index: number;
}

export interface Header {
  type: FileType;
  columns: Column[];
  twins: Twins[];
  /** Index of the column that names the user or the team of a row: `User Email`, `Team Name`. */
  key: number;
  line: number;
  /** The first line's cells, for the file of rejected rows. */
  cells: string[];
  /** Cells that a row must have: the columns up to the last one with a name. */
  named: number;
  /** Columns of the file's own: those before the two that the file of rejected rows adds. */
  own: number;
  warnings: Issue[];
}

const noWording: Wording = { aliases: new Map(), own: new Set() };

/**
 * @param below the first rows below the header, for the hint of a refusal.
 * @throws RefusalError when the header names no file type or both, or has too many columns.
 */
export function readHeader(row: Row, limits: Limits, wording: Wording = noWording, below: readonly Row[] = []): Header {
  const cells = row.cells.map((cell) => readCell(cell));
  const own = countOwn(cells);
  const named = Math.min(countNamed(cells), own);
  if (named > limits.maxColumns) {
    throw new RefusalError(refuse('too_many_columns', { count: named, limit: limits.maxColumns }, row.line));
  }
  const meant = cells.map((cell) => followAlias(cell, cells, wording));
  const twins = findTwins(meant);
  const type = findFileType(cells, meant, row.line, () => hintFor(row, below, wording));
  const warnings: Issue[] = [];
  const columns = cells.map((cell, index): Column => {
    const label = cell.trim();
    if (label === '') return { index, label, meaning: { kind: 'blank' } };
    if (twins.some((twin) => twin.index === index)) return { index, label, meaning: { kind: 'ignored' } };
    if (index >= own) return { index, label, meaning: { kind: 'ignored' } };
    return { index, label, meaning: findMeaning(meant[index]!.trim(), type, row.line, wording, warnings) };
  });
  const isKey = ({ meaning }: Column) =>
    meaning.kind === 'standard' && (meaning.column === 'email' || meaning.column === 'name');
  for (const twin of twins) {
    const where = { line: row.line, column: columns[twin.index]!.label };
    warnings.push(makeIssue('label_repeated', where, describeTwins(columns, twin)));
  }
  return {
    type,
    line: row.line,
    columns,
    twins,
    key: columns.findIndex(isKey),
    cells: row.cells,
    named,
    own,
    warnings,
  };
}

/**
 * The standard label that a cell stands for, or the cell itself. An alias is not followed where the standard label is there
 * too and a custom field has the alias as its label (exports write both), nor where it would make a second key column.
 */
function followAlias(cell: string, cells: readonly string[], { aliases, own }: Wording): string {
  const standard = aliases.get(labelKey(cell));
  if (standard === undefined) return cell;
  const isThere = (label: string) => cells.some((other) => labelKey(other) === labelKey(label));
  if (standard === teamLabels.name && isThere(userLabels.email)) return cell;
  if (standard === userLabels.email && isThere(teamLabels.name)) return cell;
  return own.has(labelKey(cell)) && isThere(standard) ? cell : standard;
}

function findFileType(cells: string[], meant: string[], line: number, findHint: () => string): FileType {
  const nameOf = (standard: string) =>
    cells[meant.findIndex((label) => labelKey(label) === labelKey(standard))]?.trim();
  const [users, teams] = [nameOf(userLabels.email), nameOf(teamLabels.name)];
  if (users !== undefined && teams !== undefined)
    throw new RefusalError(refuse('both_key_columns', { users, teams }, line));
  if (users === undefined && teams === undefined)
    throw new RefusalError(refuse('no_key_column', { hint: findHint() }, line));
  return users === undefined ? 'teams' : 'users';
}

/** @param meant the cells with aliases followed: an alias beside its standard label is the same column twice. */
function findTwins(meant: readonly string[]): Twins[] {
  const seen = new Map<string, number>();
  return meant.flatMap((cell, index): Twins[] => {
    const key = labelKey(cell);
    const first = seen.get(key);
    if (key !== '' && first === undefined) seen.set(key, index);
    return first === undefined ? [] : [{ first, index }];
  });
}

function describeTwins(columns: readonly Column[], { first, index }: Twins): Details {
  return {
    ...{ first: columns[first]!.label, second: columns[index]!.label },
    ...{ one: letterOf(first), other: letterOf(index) },
  };
}

/**
 * The cells with the blank ones of a column filled by its twin.
 * @throws RefusalError where the twins have two values (rule F6).
 */
export function mergeTwins(row: Row, { twins, columns, line }: Header): Row {
  if (twins.length === 0) return row;
  const cells = [...row.cells];
  for (const twin of twins) {
    const [value, other] = [cells[twin.first], cells[twin.index]].map((cell) => readCell(cell ?? ''));
    if (other === '' || value === other) continue;
    if (value === '') cells[twin.first] = cells[twin.index]!;
    else {
      const details = { ...describeTwins(columns, twin), at: row.line };
      throw new RefusalError(refuse('label_twice', details, line, columns[twin.index]!.label));
    }
  }
  return { ...row, cells };
}

function findMeaning(label: string, type: FileType, line: number, wording: Wording, warnings: Issue[]): Meaning {
  const standards: Record<string, string> = type === 'users' ? userLabels : teamLabels;
  const key = labelKey(label);
  for (const [column, standard] of Object.entries(standards)) {
    if (key !== labelKey(standard)) continue;
    if (label !== standard) {
      const details = { label, standard, unseen: describeInvisible(label) };
      warnings.push(makeIssue('label_inexact', { line, column: label }, details));
    }
    return { kind: 'standard', column: column as UserColumn | TeamColumn };
  }
  if (Object.values(rejectedLabels).some((one) => key === labelKey(one)) && !wording.own.has(key)) {
    warnings.push(makeIssue('label_reserved', { line, column: label }, { label }));
    return { kind: 'ignored' };
  }
  if (key === labelKey(exportOnly)) {
    if (label === exportOnly) return { kind: 'status' };
    const isRead = type === 'users' && wording.readsStatus === true;
    const details = { label, standard: exportOnly, unseen: describeInvisible(label) };
    warnings.push(makeIssue(isRead ? 'label_inexact' : 'label_reserved', { line, column: label }, details));
    return { kind: isRead ? 'status' : 'ignored' };
  }
  if (type === 'users' && wording.own.has(key)) return { kind: 'custom' };
  const near = findNearMiss(label, Object.values(standards));
  if (near !== undefined) {
    warnings.push(makeIssue('label_near', { line, column: label }, { label, standard: near }));
    return { kind: 'ignored' };
  }
  if (type === 'users') {
    if (isName(label)) return { kind: 'custom' };
    warnings.push(makeIssue('label_long', { line, column: label }, { limit: longestName }));
    return { kind: 'ignored' };
  }
  warnings.push(makeIssue('label_unknown', { line, column: label }, { label }));
  return { kind: 'ignored' };
}

/** Columns up to the last one with a label: spreadsheets export blank ones after it. */
function countNamed(cells: string[]): number {
  let length = cells.length;
  while (length > 0 && cells[length - 1]!.trim() === '') length--;
  return length;
}

/** The number of columns before `Dropslot Problem` and `Dropslot Line`, where these two are the last ones; else of all. */
export function countOwn(cells: string[]): number {
  const named = countNamed(cells);
  const last = cells.slice(Math.max(named - 2, 0), named).map((cell) => labelKey(readCell(cell)));
  const isOurs = last.join('\n') === Object.values(rejectedLabels).map(labelKey).join('\n');
  return isOurs ? named - 2 : cells.length;
}

/** The name that spreadsheets give to a column: A, B, … Z, AA. */
export function letterOf(index: number): string {
  const last = String.fromCharCode(65 + (index % 26));
  return index < 26 ? last : letterOf(Math.floor(index / 26) - 1) + last;
}

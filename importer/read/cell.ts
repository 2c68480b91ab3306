/** The text of one cell of a row, as every reader of cells takes it. */
import { readCell } from './formulaguard.js';
import { collapse, dropInvisible } from './normalize.js';
import type { Row } from './parse.js';

/** The trimmed text without a spreadsheet's guard; null: the cell is blank, or there is no such column. */
export function cellAt(row: Row, index: number | undefined): string | null {
  if (index === undefined) return null;
  const cell = row.cells[index] ?? '';
  const value = row.isClean === true ? cell : readCell(cell);
  return value === '' ? null : value;
}

/** As cellAt, for an email address: without invisible characters. */
export function addressAt(row: Row, index: number | undefined): string | null {
  const value = cellAt(row, index);
  return value === null || row.isClean === true ? value : dropInvisible(value);
}

/** As cellAt, for a name: with one space between words. */
export function collapsedAt(row: Row, index: number | undefined): string | null {
  const value = cellAt(row, index);
  return value === null || row.isClean === true ? value : collapse(value);
}

/** Cells that empty a value: those with the clear token of the organization (rule U4a). */
import { makeIssue } from '../codes.js';
import type { Issue } from '../types.js';
import { cellAt } from './cell.js';
import { type ColumnPlan, labelOf } from './columns.js';
import type { TeamColumn, UserColumn } from './labels.js';
import type { Row } from './parse.js';

/** The columns that can be emptied, with their names in the stage. */
const clearable: { readonly [column in UserColumn | TeamColumn]?: string } = {
  userName: 'user_name',
  firstName: 'first_name',
  lastName: 'last_name',
  managerEmail: 'manager_key',
  teams: 'teams',
  deactivationDate: 'deactivation_date',
  ownerEmail: 'owner_key',
  parent: 'parent_key',
  type: 'type',
};
/** An account is of a type, and an admin or not: it can't be neither. */
const fixed: readonly string[] = ['accountType', 'isAdmin'] satisfies UserColumn[];

/** A row without its tokens, and the values that they empty: names of columns and ids of fields between commas; null: none. */
export interface ClearedRow<R extends Row> {
  row: R;
  clears: string | null;
  /** Cells whose value can't be empty, to be reported unless the row is rejected: of that one nothing is left as it is. */
  refused: readonly Issue[];
}

const none: readonly Issue[] = [];

/** Blanks the cells with the token. @param token undefined: there is none. */
export function takeClears<R extends Row>(row: R, columns: ColumnPlan, token: string | undefined): ClearedRow<R> {
  if (token === undefined || !row.cells.some((cell) => isToken(cell, token)))
    return { row, clears: null, refused: none };
  const cleared: string[] = [];
  const refused: Issue[] = [];
  const refuse = (label: string, index: number) => {
    const where = { line: row.line, column: label, value: cellAt(row, index) };
    refused.push(makeIssue('clear_refused', where, { label }));
  };
  for (const [name, index] of columns.standard) {
    if (!isToken(row.cells[index] ?? '', token)) continue;
    const column = clearable[name as UserColumn | TeamColumn];
    if (column !== undefined) cleared.push(column);
    else if (fixed.includes(name)) refuse(labelOf(columns, name as UserColumn), index);
  }
  for (const column of columns.fields) {
    if (!isToken(row.cells[column.index] ?? '', token)) continue;
    if (column === columns.identifier) refuse(column.label, column.index);
    else cleared.push(column.field.id);
  }
  const clears = cleared.length === 0 ? null : `,${cleared.sort().join(',')},`;
  return { row: blankTokens(row, token), clears, refused };
}

/** As takeClears, of rows whose columns are not known yet. */
export function blankTokens<R extends Row>(row: R, token: string): R {
  return { ...row, cells: row.cells.map((cell) => (isToken(cell, token) ? '' : cell)) };
}

function isToken(cell: string, token: string): boolean {
  return cell.length >= token.length && cellAt({ line: 0, cells: [cell] }, 0)?.toLowerCase() === token.toLowerCase();
}

/** Reads one row of a teams file into typed values, and reports each cell that is wrong (rules T1–T4). */
import { type CodeName, makeIssue } from '../codes.js';
import type { Issue } from '../types.js';
import { reasonOf } from './address.js';
import { addressAt, collapsedAt } from './cell.js';
import { type ColumnPlan, labelOf } from './columns.js';
import type { TeamColumn } from './labels.js';
import { emailKey, isEmail, isName, longestName, nameKey } from './normalize.js';
import { isNull } from './nullwords.js';
import type { Row } from './parse.js';
import { followAlias } from './teamlist.js';

/** A row's values; null: the cell is blank, was ignored, or the file has no such column. */
export interface TeamRow {
  line: number;
  name: string;
  key: string;
  ownerKey: string | null;
  ownerEmail: string | null;
  parentKey: string | null;
  parentName: string | null;
  type: string | null;
}

/** @returns null when the row is faulty: `issues` has the reason. */
export function readTeam(row: Row, columns: ColumnPlan, issues: Issue[]): TeamRow | null {
  const addIssue = (code: CodeName, column: TeamColumn, value: string | null, reason = '') => {
    const label = labelOf(columns, column);
    issues.push(makeIssue(code, { line: row.line, column: label, value }, { label, limit: longestName, reason }));
  };
  const unlessNull = (value: string | null, column: TeamColumn) => {
    if (value === null || !isNull(value, columns.rules)) return value;
    addIssue('null_value', column, value);
    return null;
  };
  const text = (column: TeamColumn) => unlessNull(collapsedAt(row, columns.standard.get(column)), column);
  const name = text('name');
  if (name === null) {
    addIssue('team_missing', 'name', null);
    return null;
  }
  if (!isName(name)) {
    addIssue('team_long', 'name', name);
    return null;
  }
  const { key, name: known } = followAlias({ key: nameKey(name), name }, columns.teamAliases);
  const team: TeamRow = {
    line: row.line,
    name: known,
    key,
    ownerEmail: null,
    ownerKey: null,
    parentName: null,
    parentKey: null,
    type: text('type'),
  };
  const owner = unlessNull(addressAt(row, columns.standard.get('ownerEmail')), 'ownerEmail');
  if (owner !== null) {
    if (isEmail(owner)) Object.assign(team, { ownerEmail: owner, ownerKey: emailKey(owner) });
    else addIssue('owner_invalid', 'ownerEmail', owner, reasonOf(owner));
  }
  const parent = text('parent');
  if (parent !== null) {
    if (!isName(parent)) addIssue('parent_long', 'parent', parent);
    else {
      const above = followAlias({ key: nameKey(parent), name: parent }, columns.teamAliases);
      if (above.key === team.key) addIssue('parent_self', 'parent', parent);
      else Object.assign(team, { parentName: above.name, parentKey: above.key });
    }
  }
  return team;
}

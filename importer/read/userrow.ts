/** Reads one row of a users file into typed values, and reports each cell that is wrong (rules U1–U12, C3). */
import { type CodeName, type Details, makeIssue } from '../codes.js';
import type { Issue } from '../types.js';
import { reasonOf } from './address.js';
import { addressAt, cellAt, collapsedAt } from './cell.js';
import { type ColumnPlan, type FieldColumn, labelOf, type PlacedColumn } from './columns.js';
import { isEarly, isNoEnd, noEnd, resolveDate } from './dates.js';
import { convertValue, readAnswer } from './fieldvalues.js';
import type { UserColumn } from './labels.js';
import { emailKey, isEmail, isName, longestName } from './normalize.js';
import { isNull } from './nullwords.js';
import type { Row } from './parse.js';
import { type Status, wordKey } from './statuswords.js';
import { renameTeams, splitTeams } from './teamlist.js';

/** A row's values; null: the cell is blank, was ignored, or the file has no such column. */
export interface UserRow {
  line: number;
  email: string;
  key: string;
  userName: string | null;
  firstName: string | null;
  lastName: string | null;
  managerKey: string | null;
  managerEmail: string | null;
  managerName: string | null;
  /** The identifier of the manager. */
  managerIdent: string | null;
  teams: { key: string; name: string }[] | null;
  accountType: string | null;
  isAdmin: boolean | null;
  /** yyyy-mm-dd, and the start of that day in the organization's time zone (ms); null with a date that means "no end". */
  deactivationDate: string | null;
  deactivationAt: number | null;
  /** The status that a word means; null where the row has a date, which decides. */
  status: Status | null;
  /** Field id → value. */
  custom: Record<string, string> | null;
  /** The identifier, where the organization has a column for it. */
  ident: string | null;
}

export interface Calendar {
  /** The import's date, yyyy-mm-dd. */
  today: string;
  /** When the day of a date begins in the organization's time zone: milliseconds since 1970. */
  startOfDay(isoDate: string): number;
}

/** @returns null when the row is faulty: `issues` has the reason. */
export function readUser(row: Row, columns: ColumnPlan, calendar: Calendar, issues: Issue[]): UserRow | null {
  const unlessNull = (value: string | null, column: UserColumn) => {
    if (value === null || !isNull(value, columns.rules)) return value;
    addIssue('null_value', column, value);
    return null;
  };
  const cell = (column: UserColumn) => unlessNull(cellAt(row, columns.standard.get(column)), column);
  const address = (column: UserColumn) => unlessNull(addressAt(row, columns.standard.get(column)), column);
  const text = (column: UserColumn) => collapsedAt(row, columns.standard.get(column));
  const addIssue = (code: CodeName, column: UserColumn, value: string | null, details: Details = {}) => {
    const label = labelOf(columns, column);
    issues.push(makeIssue(code, { line: row.line, column: label, value }, { label, ...details }));
  };

  const email = address('email');
  if (email === null || !isEmail(email)) {
    if (email === null) addIssue('email_missing', 'email', null);
    else addIssue('email_invalid', 'email', email, { reason: reasonOf(email) });
    return null;
  }
  const user: UserRow = {
    line: row.line,
    email,
    key: emailKey(email),
    userName: text('userName'),
    firstName: text('firstName'),
    lastName: text('lastName'),
    managerKey: null,
    managerEmail: null,
    managerName: null,
    managerIdent: null,
    teams: null,
    accountType: null,
    isAdmin: null,
    deactivationDate: null,
    deactivationAt: null,
    status: null,
    custom: null,
    ident: null,
  };

  const manager = address('managerEmail');
  if (manager !== null) {
    if (!isEmail(manager)) addIssue('manager_invalid', 'managerEmail', manager, { reason: reasonOf(manager) });
    else if (emailKey(manager) === user.key) addIssue('manager_self', 'managerEmail', manager);
    else {
      user.managerKey = emailKey(manager);
      user.managerEmail = manager;
      user.managerName = text('managerName');
    }
  }
  const teams = cell('teams');
  if (teams !== null) {
    const all = splitTeams(teams);
    const names = all?.filter(({ name }) => unlessNull(name, 'teams') !== null) ?? null;
    if (names === null) addIssue('teams_malformed', 'teams', teams);
    else if (!names.every(({ name }) => isName(name))) addIssue('teams_long', 'teams', teams, { limit: longestName });
    else if (names.length > 0) {
      if (/^[^",]*[;|][^",]*$/.test(teams)) addIssue('teams_separator', 'teams', teams);
      user.teams = renameTeams(names, columns.teamAliases);
    }
  }
  const accountType = cell('accountType');
  if (accountType !== null) {
    user.accountType = readChoice(accountType, ['Regular', 'Observer']);
    if (user.accountType === null) addIssue('account_type_invalid', 'accountType', accountType);
  }
  const isAdmin = cell('isAdmin');
  if (isAdmin !== null) {
    const answer = readAnswer(isAdmin);
    if (answer === null) addIssue('admin_invalid', 'isAdmin', isAdmin);
    else {
      if (answer.toLowerCase() !== isAdmin.toLowerCase()) addIssue('admin_inexact', 'isAdmin', isAdmin);
      user.isAdmin = answer === 'Yes';
    }
  }
  const date = cell('deactivationDate');
  if (date !== null) {
    const resolved = resolveDate(date, columns.deactivationOrder);
    if (isEarly(date)) addIssue('null_value', 'deactivationDate', date);
    else if (isNoEnd(date)) {
      addIssue('date_no_end', 'deactivationDate', date);
      user.deactivationDate = noEnd;
    } else if ('problem' in resolved) addIssue(resolved.problem, 'deactivationDate', date);
    else {
      user.deactivationDate = resolved.iso;
      user.deactivationAt = calendar.startOfDay(resolved.iso);
    }
  }
  if (columns.status !== null) readStatus(user, row, columns, columns.status, calendar.today, issues);
  readFields(user, row, columns, issues);
  return user;
}

/** The word of the status. A date in the same row decides; one that means "no end" is none beside a user who has left. */
function readStatus(
  user: UserRow,
  row: Row,
  columns: ColumnPlan,
  { index, label }: PlacedColumn,
  today: string,
  issues: Issue[],
): void {
  const value = cellAt(row, index);
  if (value === null) return;
  const { statuses } = columns.rules;
  const addIssue = (code: CodeName, details: Details = {}) =>
    issues.push(makeIssue(code, { line: row.line, column: label, value }, { label, ...details }));
  if (statuses === null) {
    if (!/^(active|deactivated)$/i.test(value)) addIssue('status_ignored');
    return;
  }
  if (isNull(value, columns.rules)) {
    addIssue('null_value');
    return;
  }
  const status = statuses.get(wordKey(value));
  if (status === undefined) {
    addIssue('status_unknown');
    return;
  }
  if (status === 'deactivated' && user.deactivationDate === noEnd) user.deactivationDate = null;
  if (user.deactivationDate === null) user.status = status;
  else if ((status === 'active') !== user.deactivationDate > today)
    addIssue('status_dated', { date: labelOf(columns, 'deactivationDate') });
}

/** The cells of custom fields. */
function readFields(user: UserRow, row: Row, columns: ColumnPlan, issues: Issue[]): void {
  const addNull = ({ label }: PlacedColumn, value: string) =>
    issues.push(makeIssue('null_value', { line: row.line, column: label, value }, { label }));
  for (const column of columns.valueless) {
    const value = cellAt(row, column.index);
    if (value !== null) addNull(column, value);
  }
  for (const column of columns.fields) {
    const value = cellAt(row, column.index);
    if (value === null) continue;
    const { label, field, order } = column;
    if (mayBeNull(column, columns) && isNull(value, columns.rules)) {
      addNull(column, value);
      continue;
    }
    const converted = convertValue(value, field.type, order);
    if (typeof converted !== 'string') {
      const kind = field.type === 'date' ? 'dates' : 'Yes or No';
      issues.push(makeIssue(converted.problem, { line: row.line, column: label, value }, { label, kind }));
      continue;
    }
    // One object for all values: a copy for each would cost more than the rest of the row.
    user.custom ??= {};
    user.custom[field.id] = converted;
    if (column === columns.identifier) user.ident = converted;
    if (column === columns.managerIdentifier) user.managerIdent = converted;
  }
}

/** A text field takes every word as it is, except where its values name users. */
function mayBeNull(column: FieldColumn, { identifier, managerIdentifier }: ColumnPlan): boolean {
  return column.field.type !== 'text' || column === identifier || column === managerIdentifier;
}

/** The standard spelling of a choice that is written in any case; null: it is none of the choices. */
function readChoice(value: string, choices: readonly string[]): string | null {
  return choices.find((choice) => choice.toLowerCase() === value.toLowerCase()) ?? null;
}

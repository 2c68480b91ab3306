/** Reads one row of a users file into typed values, and reports each cell that is wrong (rules U1–U12, C3). */
import { type CodeName, type Details, makeIssue } from '../codes.js';
import type { Issue } from '../types.js';
import { addressAt, cellAt, collapsedAt } from './cell.js';
import { type ColumnPlan, labelOf } from './columns.js';
import { resolveDate } from './dates.js';
import { convertValue, readAnswer } from './fieldvalues.js';
import { exportOnly, type UserColumn } from './labels.js';
import { emailKey, isEmail, isName, longestName } from './normalize.js';
import type { Row } from './parse.js';
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
  teams: { key: string; name: string }[] | null;
  accountType: string | null;
  isAdmin: boolean | null;
  /** yyyy-mm-dd, and the start of that day in the organization's time zone (ms). */
  deactivationDate: string | null;
  deactivationAt: number | null;
  /** Field id → value. */
  custom: Record<string, string> | null;
  /** The identifier, where the organization has a column for it. */
  ident: string | null;
}

/** When the day of a date begins in the organization's time zone: milliseconds since 1970. */
export type StartOfDay = (isoDate: string) => number;

/** @returns null when the row is faulty: `issues` has the reason. */
export function readUser(row: Row, columns: ColumnPlan, startOfDay: StartOfDay, issues: Issue[]): UserRow | null {
  const cell = (column: UserColumn) => cellAt(row, columns.standard.get(column));
  const text = (column: UserColumn) => collapsedAt(row, columns.standard.get(column));
  const addIssue = (code: CodeName, column: UserColumn, value: string | null, details: Details = {}) => {
    const label = labelOf(columns, column);
    issues.push(makeIssue(code, { line: row.line, column: label, value }, { label, ...details }));
  };

  const email = addressAt(row, columns.standard.get('email'));
  if (email === null || !isEmail(email)) {
    addIssue(email === null ? 'email_missing' : 'email_invalid', 'email', email);
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
    teams: null,
    accountType: null,
    isAdmin: null,
    deactivationDate: null,
    deactivationAt: null,
    custom: null,
    ident: null,
  };

  const manager = addressAt(row, columns.standard.get('managerEmail'));
  if (manager !== null) {
    if (!isEmail(manager)) addIssue('manager_invalid', 'managerEmail', manager);
    else if (emailKey(manager) === user.key) addIssue('manager_self', 'managerEmail', manager);
    else {
      user.managerKey = emailKey(manager);
      user.managerEmail = manager;
      user.managerName = text('managerName');
    }
  }
  const teams = cell('teams');
  if (teams !== null) {
    const names = splitTeams(teams);
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
    if ('problem' in resolved) addIssue(resolved.problem, 'deactivationDate', date);
    else {
      user.deactivationDate = resolved.iso;
      user.deactivationAt = startOfDay(resolved.iso);
    }
  }
  const status = cellAt(row, columns.status);
  if (status !== null && !/^(active|deactivated)$/i.test(status)) {
    const where = { line: row.line, column: exportOnly, value: status };
    issues.push(makeIssue('status_ignored', where, { label: exportOnly }));
  }
  readFields(user, row, columns, issues);
  return user;
}

/** The cells of custom fields. */
function readFields(user: UserRow, row: Row, columns: ColumnPlan, issues: Issue[]): void {
  for (const column of columns.fields) {
    const value = cellAt(row, column.index);
    if (value === null) continue;
    const { label, field, order } = column;
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
  }
}

/** The standard spelling of a choice that is written in any case; null: it is none of the choices. */
function readChoice(value: string, choices: readonly string[]): string | null {
  return choices.find((choice) => choice.toLowerCase() === value.toLowerCase()) ?? null;
}

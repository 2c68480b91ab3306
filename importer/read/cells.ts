/** Turns the cells of one row into typed values, and says what is wrong with them (rules U1–U14, T1–T4, C1, C3). */

import type { CodeName, Details } from '../codes.js';
import { makeIssue } from '../codes.js';
import type { StagedTeam, StagedUser } from '../plan/stagedrows.js';
import type { Issue } from '../types.js';
import { type ColumnPlan, type FieldColumn, labelOf } from './columns.js';
import { resolveDate } from './dates.js';
import { readCell } from './formula.js';
import type { TeamColumn, UserColumn } from './header.js';
import { collapse, dropInvisible, emailKey, isEmail, isName, longestName, nameKey } from './normalize.js';
import type { Row } from './parse.js';
import { splitTeams, type TeamName } from './teamlist.js';

/** When the day of a date begins in the organization's time zone: milliseconds since 1970. */
export type StartOfDay = (isoDate: string) => number;

/** null: the row is faulty, `issues` says why. */
export function readUser(row: Row, columns: ColumnPlan, startOfDay: StartOfDay, issues: Issue[]): StagedUser | null {
  const cell = (column: UserColumn) => cellAt(row, columns.standard.get(column));
  const tell = (code: CodeName, column: UserColumn, value: string | null, details: Details = {}) => {
    const label = labelOf(columns, column);
    issues.push(makeIssue(code, { line: row.line, column: label, value }, { label, ...details }));
  };

  const email = addressAt(row, columns.standard.get('email'));
  if (email === null || !isEmail(email)) {
    tell(email === null ? 'email_missing' : 'email_invalid', 'email', email);
    return null;
  }
  const user: StagedUser = {
    line: row.line,
    email,
    key: emailKey(email),
    userName: collapsed(cell('userName')),
    firstName: collapsed(cell('firstName')),
    lastName: collapsed(cell('lastName')),
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
    if (!isEmail(manager)) tell('manager_invalid', 'managerEmail', manager);
    else if (emailKey(manager) === user.key) tell('manager_self', 'managerEmail', manager);
    else {
      user.managerKey = emailKey(manager);
      user.managerEmail = manager;
      user.managerName = collapsed(cell('managerName'));
    }
  }
  const teams = cell('teams');
  if (teams !== null) {
    const names = splitTeams(teams);
    if (names === null) tell('teams_malformed', 'teams', teams);
    else if (!names.every(({ name }) => isName(name))) tell('teams_long', 'teams', teams, { limit: longestName });
    else if (names.length > 0) user.teams = renameTeams(names, columns.teamAliases);
  }
  const accountType = cell('accountType');
  if (accountType !== null) {
    user.accountType = readChoice(accountType, ['Regular', 'Observer']);
    if (user.accountType === null) tell('account_type_invalid', 'accountType', accountType);
  }
  const isAdmin = cell('isAdmin');
  if (isAdmin !== null) {
    const answer = readChoice(isAdmin, ['Yes', 'No']);
    if (answer === null) tell('admin_invalid', 'isAdmin', isAdmin);
    else user.isAdmin = answer === 'Yes';
  }
  const date = cell('deactivationDate');
  if (date !== null) {
    const resolved = resolveDate(date, columns.deactivationOrder);
    if ('problem' in resolved) tell(resolved.problem, 'deactivationDate', date);
    else {
      user.deactivationDate = resolved.iso;
      user.deactivationAt = startOfDay(resolved.iso);
    }
  }
  for (const column of columns.fields) {
    const value = cellAt(row, column.index);
    if (value === null) continue;
    const fitted = fitValue(value, column);
    if (typeof fitted === 'string') {
      // Not a copy for each value: thirty fields would cost more than all the rest of the row.
      user.custom ??= {};
      user.custom[column.field.id] = fitted;
      if (column === columns.identifier) user.ident = fitted;
    } else
      issues.push(
        makeIssue(
          fitted.problem,
          { line: row.line, column: column.label, value },
          { label: column.label, kind: column.field.type === 'date' ? 'dates' : 'Yes or No' },
        ),
      );
  }
  return user;
}

/** null: the row is faulty, `issues` says why. */
export function readTeam(row: Row, columns: ColumnPlan, issues: Issue[]): StagedTeam | null {
  const cell = (column: TeamColumn) => cellAt(row, columns.standard.get(column));
  const tell = (code: CodeName, column: TeamColumn, value: string | null) => {
    const label = labelOf(columns, column);
    issues.push(makeIssue(code, { line: row.line, column: label, value }, { label, limit: longestName }));
  };
  const name = collapsed(cell('name'));
  if (name === null) {
    tell('team_missing', 'name', null);
    return null;
  }
  if (!isName(name)) {
    tell('team_long', 'name', name);
    return null;
  }
  const { key, name: known } = followAlias({ key: nameKey(name), name }, columns.teamAliases);
  const team: StagedTeam = {
    line: row.line,
    name: known,
    key,
    ownerEmail: null,
    ownerKey: null,
    parentName: null,
    parentKey: null,
    type: collapsed(cell('type')),
  };
  const owner = addressAt(row, columns.standard.get('ownerEmail'));
  if (owner !== null) {
    if (isEmail(owner)) Object.assign(team, { ownerEmail: owner, ownerKey: emailKey(owner) });
    else tell('owner_invalid', 'ownerEmail', owner);
  }
  const parent = collapsed(cell('parent'));
  if (parent !== null) {
    if (!isName(parent)) tell('parent_long', 'parent', parent);
    else {
      const above = followAlias({ key: nameKey(parent), name: parent }, columns.teamAliases);
      if (above.key === team.key) tell('parent_self', 'parent', parent);
      else Object.assign(team, { parentName: above.name, parentKey: above.key });
    }
  }
  return team;
}

/** What a team is called now that a file calls by an old name. */
function followAlias(team: TeamName, aliases: ReadonlyMap<string, TeamName>): TeamName {
  return aliases.get(team.key) ?? team;
}

/** As followAlias; a team that the cell calls by both names is one. */
function renameTeams(names: TeamName[], aliases: ReadonlyMap<string, TeamName>): TeamName[] {
  if (aliases.size === 0) return names;
  return [...new Map(names.map((name) => followAlias(name, aliases)).map((team) => [team.key, team])).values()];
}

/** The value as it is stored, or why it does not fit the field. */
function fitValue(value: string, { field, order }: FieldColumn): string | { problem: CodeName } {
  if (field.type === 'text') return value;
  if (field.type === 'boolean') {
    if (/^(yes|true)$/i.test(value)) return 'Yes';
    return /^(no|false)$/i.test(value) ? 'No' : { problem: 'field_mismatch' };
  }
  const resolved = resolveDate(value, order);
  if ('iso' in resolved) return resolved.iso;
  return { problem: resolved.problem === 'date_invalid' ? 'field_mismatch' : resolved.problem };
}

/** The standard spelling of what the cell says in any case; null: none of them. */
function readChoice(value: string, choices: readonly string[]): string | null {
  return choices.find((choice) => choice.toLowerCase() === value.toLowerCase()) ?? null;
}

/** What the cell says; null: nothing, or there is no such column. */
export function cellAt(row: Row, index: number | undefined): string | null {
  const value = index === undefined ? '' : readCell(row.cells[index] ?? '');
  return value === '' ? null : value;
}

/** As cellAt; an address has nothing that nobody sees. */
export function addressAt(row: Row, index: number | undefined): string | null {
  const value = cellAt(row, index);
  return value === null ? null : dropInvisible(value);
}

function collapsed(value: string | null): string | null {
  return value === null ? null : collapse(value);
}

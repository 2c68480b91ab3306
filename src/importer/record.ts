/** Turns the cells of one row into typed values, and says what is wrong with them (rules U1–U14, T1–T4, C1, C3). */
import type { StagedTeam, StagedUser } from '../db/directory/rows.js';
import type { CodeName, Details } from './codes.js';
import { makeIssue } from './codes.js';
import type { ColumnPlan, FieldColumn } from './columns.js';
import { resolveDate } from './dates.js';
import { readCell } from './formula.js';
import { type TeamColumn, teamLabels, type UserColumn, userLabels } from './header.js';
import { collapse, dropInvisible, emailKey, isEmail, isName, longestName, nameKey } from './normal.js';
import type { Row } from './parse.js';
import { splitTeams, type TeamName } from './teamlist.js';
import type { Issue } from './types.js';

/** When the day of a date begins in the organization's time zone: milliseconds since 1970. */
export type StartOfDay = (isoDate: string) => number;

/** null: the row is faulty, `issues` says why. */
export function readUser(row: Row, columns: ColumnPlan, startOfDay: StartOfDay, issues: Issue[]): StagedUser | null {
  const cell = (column: UserColumn) => cellAt(row, columns.standard.get(column));
  const warn = (code: CodeName, column: string, value: string, details: Details = {}) =>
    issues.push(makeIssue(code, { line: row.line, column, value }, details));

  const email = addressOf(cell('email'));
  if (email === null || !isEmail(email)) {
    const code = email === null ? 'email_missing' : 'email_invalid';
    issues.push(makeIssue(code, { line: row.line, column: userLabels.email, value: email }));
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

  const manager = addressOf(cell('managerEmail'));
  if (manager !== null) {
    if (!isEmail(manager)) warn('manager_invalid', userLabels.managerEmail, manager);
    else if (emailKey(manager) === user.key) warn('manager_self', userLabels.managerEmail, manager);
    else {
      user.managerKey = emailKey(manager);
      user.managerEmail = manager;
      user.managerName = collapsed(cell('managerName'));
    }
  }
  const teams = cell('teams');
  if (teams !== null) {
    const names = splitTeams(teams);
    if (names === null) warn('teams_malformed', userLabels.teams, teams);
    else if (!names.every(({ name }) => isName(name)))
      warn('teams_long', userLabels.teams, teams, { limit: longestName });
    else if (names.length > 0) user.teams = renameTeams(names, columns.teamAliases);
  }
  const accountType = cell('accountType');
  if (accountType !== null) {
    user.accountType = readChoice(accountType, ['Regular', 'Observer']);
    if (user.accountType === null) warn('account_type_invalid', userLabels.accountType, accountType);
  }
  const isAdmin = cell('isAdmin');
  if (isAdmin !== null) {
    const answer = readChoice(isAdmin, ['Yes', 'No']);
    if (answer === null) warn('admin_invalid', userLabels.isAdmin, isAdmin);
    else user.isAdmin = answer === 'Yes';
  }
  const date = cell('deactivationDate');
  if (date !== null) {
    const resolved = resolveDate(date, columns.deactivationOrder);
    if ('problem' in resolved) warn(resolved.problem, userLabels.deactivationDate, date);
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
      warn(fitted.problem, column.label, value, {
        label: column.label,
        kind: column.field.type === 'date' ? 'dates' : 'Yes or No',
      });
  }
  return user;
}

/** null: the row is faulty, `issues` says why. */
export function readTeam(row: Row, columns: ColumnPlan, issues: Issue[]): StagedTeam | null {
  const cell = (column: TeamColumn) => cellAt(row, columns.standard.get(column));
  const name = collapsed(cell('name'));
  if (name === null) {
    issues.push(makeIssue('team_missing', { line: row.line, column: teamLabels.name }));
    return null;
  }
  if (!isName(name)) {
    issues.push(
      makeIssue('team_long', { line: row.line, column: teamLabels.name, value: name }, { limit: longestName }),
    );
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
  const owner = addressOf(cell('ownerEmail'));
  if (owner !== null) {
    if (isEmail(owner)) Object.assign(team, { ownerEmail: owner, ownerKey: emailKey(owner) });
    else issues.push(makeIssue('owner_invalid', { line: row.line, column: teamLabels.ownerEmail, value: owner }));
  }
  const parent = collapsed(cell('parent'));
  if (parent !== null) {
    const warn = (code: CodeName) =>
      issues.push(
        makeIssue(code, { line: row.line, column: teamLabels.parent, value: parent }, { limit: longestName }),
      );
    if (!isName(parent)) warn('parent_long');
    else {
      const above = followAlias({ key: nameKey(parent), name: parent }, columns.teamAliases);
      if (above.key === team.key) warn('parent_self');
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

function cellAt(row: Row, index: number | undefined): string | null {
  const value = index === undefined ? '' : readCell(row.cells[index] ?? '');
  return value === '' ? null : value;
}

/** An address has nothing that nobody sees. */
function addressOf(value: string | null): string | null {
  return value === null ? null : dropInvisible(value);
}

function collapsed(value: string | null): string | null {
  return value === null ? null : collapse(value);
}

/** Renders the files in `/templates`: empty CSV files with the exact labels and the organization's own fields, and an example. */
import type { Org } from '../../db/control/orgs.js';
import type { Field } from '../../db/directory/fields.js';
import { formatDate } from '../read/dates.js';
import { guardFormula } from '../read/formulaguard.js';
import { teamLabels, userLabels } from '../read/labels.js';
import { labelKey } from '../read/normalize.js';
import { byteOrderMark, hasWideLetters, isAlwaysMarked, toCsv } from './csv.js';

export interface Template {
  name: string;
  text: string;
}

/** The meaning of a column, and a value as an example. */
type Column = [label: string, meaning: string, example: string];

/**
 * `users.csv` and `teams.csv` have their header and no rows: dropped as they are, they change nothing. `example.txt` has
 * rows, and no header that an import would know.
 */
export function renderTemplates(
  org: Pick<Org, 'name' | 'dateFormat' | 'teamsMode' | 'options'>,
  fields: readonly Field[],
): Template[] {
  const shown = fields.filter(({ hidden }) => !hidden);
  const own = shown.map((field) => fieldColumn(org, field));
  const { identifier } = org.options;
  const isKnown = fields.some(({ label, aliases }) =>
    [labelKey(label), ...aliases].includes(labelKey(identifier ?? '')),
  );
  if (identifier !== undefined && !isKnown)
    own.unshift([identifier, 'identifies the user, even if the email changes', '00042']);
  const users = [...userColumns(org), ...own];
  const teams = teamColumns();
  return [
    { name: 'example.txt', text: renderExample(org, users, teams) },
    { name: 'teams.csv', text: toTemplate(org, teams) },
    { name: 'users.csv', text: toTemplate(org, users) },
  ];
}

function userColumns({ dateFormat, teamsMode }: Pick<Org, 'dateFormat' | 'teamsMode'>): Column[] {
  const teams = teamsMode === 'add' ? 'the user is added to them' : 'the user leaves all others';
  return [
    [userLabels.email, 'identifies the user; required', 'jane@example.com'],
    [userLabels.userName, 'the name that is shown; else first and last name are', ''],
    [userLabels.firstName, '', 'Jane'],
    [userLabels.lastName, '', 'Foster'],
    [userLabels.managerName, "the manager's name, if the manager is a new user", 'Li Chen'],
    [userLabels.managerEmail, "the manager's address", 'li@example.com'],
    [userLabels.teams, `names of teams, separated by commas; ${teams}`, 'People, Payroll'],
    [userLabels.accountType, 'Regular or Observer', 'Regular'],
    [userLabels.isAdmin, 'Yes or No', 'No'],
    [userLabels.deactivationDate, 'the day on which the user is deactivated', formatDate('2027-03-31', dateFormat)],
  ];
}

function teamColumns(): Column[] {
  return [
    [teamLabels.name, 'identifies the team; required', 'Payroll'],
    [teamLabels.ownerEmail, "the owner's address", 'jane@example.com'],
    [teamLabels.parent, 'the name of the team above it', 'People'],
    [teamLabels.type, 'any text', 'Department'],
  ];
}

function fieldColumn({ dateFormat }: Pick<Org, 'dateFormat'>, { label, type }: Field): Column {
  if (type === 'boolean') return [label, 'your own field: Yes or No', 'Yes'];
  if (type === 'date') return [label, 'your own field: a date', formatDate('2026-01-31', dateFormat)];
  return [label, 'your own field: any text', ''];
}

function renderExample({ name }: Pick<Org, 'name'>, users: readonly Column[], teams: readonly Column[]): string {
  return `How to fill users.csv and teams.csv of ${name}

Copy the file, write one row for each user or team below its first line, and drop it into the folder above this one.
A blank cell changes nothing. Users who are missing from a file are not removed. You may leave out columns, except the first.
To see what a file would do without importing it, drop it into /dry-run and look into /reports.

The columns of users.csv:

${describeColumns(users)}

An example:

${indent(toGuarded([users, users].map((row, line) => row.map(([label, , example]) => (line === 0 ? label : example)))))}
The columns of teams.csv:

${describeColumns(teams)}

An example:

${indent(toGuarded([teams, teams].map((row, line) => row.map(([label, , example]) => (line === 0 ? label : example)))))}`;
}

function describeColumns(columns: readonly Column[]): string {
  const width = Math.max(...columns.map(([label]) => label.length));
  return columns.map(([label, meaning]) => `    ${label.padEnd(width)}  ${meaning}`.trimEnd()).join('\n');
}

function toTemplate({ options }: Pick<Org, 'options'>, columns: readonly Column[]): string {
  const text = toGuarded([columns.map(([label]) => label)]);
  return isAlwaysMarked(options) || hasWideLetters(text) ? byteOrderMark + text : text;
}

function toGuarded(rows: string[][]): string {
  return toCsv(rows.map((cells) => cells.map(guardFormula)));
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '    ');
}

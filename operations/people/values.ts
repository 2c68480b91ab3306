/** Reads the values that a person gives for a user or a team, and checks them by the rules of an import. */
import type { Queryable } from '../../db/connection.js';
import type { Org } from '../../db/control/orgs.js';
import { type Field, listFields } from '../../db/directory/fields.js';
import { listTeamAliases } from '../../db/directory/teamaliases.js';
import { type ColumnPlan, type FieldColumn, noColumns } from '../../importer/read/columns.js';
import { createOrderDecider } from '../../importer/read/fieldvalues.js';
import {
  exportOnly,
  type TeamColumn,
  teamLabels,
  type UserColumn,
  userLabels,
  wordingOf,
} from '../../importer/read/labels.js';
import { labelKey } from '../../importer/read/normalize.js';
import type { Row } from '../../importer/read/parse.js';
import { readTeam, type TeamRow } from '../../importer/read/teamrow.js';
import { readUser, type UserRow } from '../../importer/read/userrow.js';
import { dateIn, startOfDay } from '../../importer/schedule/calendar.js';
import type { Issue } from '../../importer/types.js';
import { OperationError } from '../error.js';

export type Target<Column> = { column: Column; field?: undefined } | { column?: undefined; field: Field };

const { managerName: _ofManager, ...ofUsers } = userLabels;
const { name: _ofTeam, ...ofTeams } = teamLabels;
/** Standard labels whose values a person sets, of a user and of a team. */
export const settableLabels = { user: Object.values(ofUsers), team: Object.values(ofTeams) } as const;

/** One FIELD=VALUE of a command. */
export interface Assignment {
  label: string;
  value: string;
}

/** @throws OperationError `usage` unless it is FIELD=VALUE, with a value. */
export function readAssignment(text: string): Assignment {
  const at = text.indexOf('=');
  if (at < 1) throw new OperationError('usage', `write FIELD=VALUE, not "${text}"`);
  const [label, value] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  if (value === '')
    throw new OperationError('usage', `"${label}" has no value; to empty it, use the command "clear" instead of "set"`);
  return { label, value };
}

/** The column or field of each label. @throws OperationError `not_found`, `usage` */
export async function findUserTargets(
  tx: Queryable,
  org: Org,
  labels: readonly string[],
): Promise<Target<UserColumn>[]> {
  const fields = await listFields(tx, org.id);
  const { aliases } = wordingOf(org, fields);
  const targets = labels.map((label): Target<UserColumn> => {
    const key = labelKey(label);
    const field = fields.find((one) => labelKey(one.label) === key) ?? fields.find((one) => one.aliases.includes(key));
    if (field !== undefined) return { field };
    const standard = labelKey(aliases.get(key) ?? label);
    if (standard === labelKey(exportOnly))
      throw new OperationError('usage', `"${label}" is changed by "dropslot users deactivate" and "users reactivate"`);
    const column = columnOf(userLabels, standard);
    if (column === 'managerName')
      throw new OperationError('usage', `a manager is named by their address: set "${userLabels.managerEmail}"`);
    if (column !== null) return { column };
    throw new OperationError(
      'not_found',
      `users of ${org.id} have no field "${label}"; they have ${settableLabels.user.join(', ')}, and the fields of "dropslot fields list ${org.id}"`,
    );
  });
  refuseTwice(labels, targets);
  return targets;
}

/** As findUserTargets, of a team. */
export function findTeamTargets(org: Org, labels: readonly string[]): TeamColumn[] {
  const { aliases } = wordingOf(org, []);
  const targets = labels.map((label) => {
    const column = columnOf(teamLabels, labelKey(aliases.get(labelKey(label)) ?? label));
    if (column === 'name')
      throw new OperationError('usage', `a team's name is changed by: dropslot teams rename ${org.id} OLD NEW`);
    if (column !== null) return column;
    throw new OperationError('not_found', `teams have no "${label}"; they have ${settableLabels.team.join(', ')}`);
  });
  refuseTwice(
    labels,
    targets.map((column) => ({ column })),
  );
  return targets;
}

/**
 * The values as an import would read them from a row of the user.
 * @param email the user's address, unless one of the values replaces it.
 * @param at the moment of the change, in ms.
 * @throws OperationError `usage` for the first value that an import would not take
 */
export async function readUserValues(
  tx: Queryable,
  org: Org,
  email: string,
  targets: readonly Target<UserColumn>[],
  assignments: readonly Assignment[],
  at: number,
): Promise<UserRow> {
  const standard = new Map<string, number>([['email', 0]]);
  const labels = new Map<string, string>();
  const fields: FieldColumn[] = [];
  const row: Row = { line: 1, cells: [email] };
  let deactivationOrder: ColumnPlan['deactivationOrder'] = 'ambiguous';
  for (const [index, { column, field }] of targets.entries()) {
    const { label, value } = assignments[index]!;
    const decider = createOrderDecider(org.dateFormat);
    decider.add(value);
    const order = decider.decide();
    row.cells.push(value);
    if (field !== undefined) fields.push({ index: index + 1, label, field, order });
    else {
      standard.set(column, index + 1);
      labels.set(column, label);
      if (column === 'deactivationDate') deactivationOrder = order;
    }
  }
  const issues: Issue[] = [];
  const today = dateIn(org.timeZone, at);
  const columns = {
    ...noColumns(org.options),
    standard,
    labels,
    fields,
    deactivationOrder,
    teamAliases: await readAliases(tx, org),
  };
  const user = readUser(row, columns, { today, startOfDay: (date) => startOfDay(org.timeZone, date) }, issues);
  refuseIssues(issues);
  return user!;
}

/** As readUserValues, of a team. @param name its name */
export async function readTeamValues(
  tx: Queryable,
  org: Org,
  name: string,
  targets: readonly TeamColumn[],
  assignments: readonly Assignment[],
): Promise<TeamRow> {
  const standard = new Map<string, number>([['name', 0], ...targets.map((column, at) => [column, at + 1] as const)]);
  const labels = new Map(targets.map((column, at) => [column as string, assignments[at]!.label]));
  const row: Row = { line: 1, cells: [name, ...assignments.map(({ value }) => value)] };
  const issues: Issue[] = [];
  const team = readTeam(
    row,
    { ...noColumns(org.options), standard, labels, teamAliases: await readAliases(tx, org) },
    issues,
  );
  refuseIssues(issues);
  return team!;
}

function columnOf<T extends string>(labels: Readonly<Record<T, string>>, key: string): T | null {
  const found = Object.entries<string>(labels).find(([, label]) => labelKey(label) === key);
  return found === undefined ? null : (found[0] as T);
}

function refuseTwice(labels: readonly string[], targets: readonly Target<string>[]): void {
  const seen = new Set<string>();
  for (const [at, { column, field }] of targets.entries()) {
    const key = field?.id ?? column!;
    if (seen.has(key)) throw new OperationError('usage', `"${labels[at]}" is named twice`);
    seen.add(key);
  }
}

async function readAliases(tx: Queryable, org: Org): Promise<ColumnPlan['teamAliases']> {
  const aliases = await listTeamAliases(tx, org.id);
  return new Map(aliases.map(({ key, teamKey, teamName }) => [key, { key: teamKey, name: teamName }]));
}

/** The message of an issue also says how an import goes on, which a command does not. */
const outcome = /; (?:the|it|each)\b[^.]*\./;

function refuseIssues(issues: readonly Issue[]): void {
  const [issue] = issues.filter(({ severity, code }) => severity !== 'notice' && code !== 'admin_inexact');
  if (issue === undefined) return;
  const message = issue.message.replace(outcome, '.');
  throw new OperationError('usage', `${issue.column}: ${message} Nothing was changed.`);
}

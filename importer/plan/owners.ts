/**
 * Keeps values that a file may not change: those that a person set, of a field that people own, and those of a field that files
 * fill once (option `fieldOwners`, rule U4a). Their cells are taken out of the staged rows.
 */
import type { Stage } from '../../db/stage.js';
import { eachOf, pagesByLine, run } from '../../db/stagesql.js';
import { makeIssue } from '../codes.js';
import type { ColumnPlan } from '../read/columns.js';
import { labelOf } from '../read/columns.js';
import type { TeamColumn, UserColumn } from '../read/labels.js';
import { labelKey } from '../read/normalize.js';
import type { FileType } from '../types.js';
import { clearsIn } from './clears.js';
import type { PlanContext } from './context.js';
import type { IssueLog } from './issuelog.js';

export type FieldOwners = Readonly<Record<string, 'people' | 'once'>>;

/** SQL over a row `r`, its user or team in the plan `p` and in the directory `u`, and their manager or parent `m`. */
interface Owned {
  /** In reports. */
  label: string;
  /** In the table of origins. */
  field: string;
  /** The column of the stage, or the id of a custom field. */
  name: string;
  given: string;
  shown: string;
  planned: string;
  stored: string;
  /** Assignments that take the cell out of the row. */
  drop: string;
}

const standard: Record<FileType, readonly [UserColumn | TeamColumn, string, string][]> = {
  users: [
    ['userName', 'User Name', 'user_name'],
    ['firstName', 'First Name', 'first_name'],
    ['lastName', 'Last Name', 'last_name'],
    ['managerEmail', 'Manager Email', 'manager_key'],
    ['accountType', 'User Account Type', 'account_type'],
    ['isAdmin', 'Is Org Admin', 'is_admin'],
    ['deactivationDate', 'Deactivation Date', 'deactivation_date'],
    ['teams', 'Teams', 'teams'],
  ],
  teams: [
    ['ownerEmail', 'Owner Email', 'owner_key'],
    ['parent', 'Parent Team', 'parent_key'],
    ['type', 'Team Type', 'type'],
  ],
};

/** Reads `people` and `groups` as the files before this one planned them. */
export async function keepOwned(
  stage: Stage,
  context: PlanContext,
  type: FileType,
  columns: ColumnPlan,
  owners: FieldOwners,
  issues: IssueLog,
): Promise<void> {
  for (const [label, owner] of Object.entries(owners)) {
    const owned = findOwned(stage, type, columns, label);
    if (owned !== null) await keep(stage, context, type, owned, owner, issues);
  }
}

/** null: the file has no such column. */
function findOwned(stage: Stage, type: FileType, columns: ColumnPlan, label: string): Owned | null {
  const found = standard[type].find(([, standardLabel]) => standardLabel === label);
  if (found === undefined) return findCustom(stage, type, columns, label);
  const [column, field, name] = found;
  if (!columns.standard.has(column)) return null;
  const shown: Record<string, string> = {
    manager_key: 'r.manager_email',
    owner_key: 'r.owner_email',
    parent_key: 'r.parent_name',
    is_admin: `CASE r.is_admin WHEN 1 THEN 'Yes' WHEN 0 THEN 'No' END`,
    teams: `(SELECT string_agg(t.value->>1, ', ') FROM ${eachOf(stage.dialect, 'r.teams')})`,
  };
  const stored: Record<string, string> = {
    manager_key: 'm.email_key',
    owner_key: 'o.email_key',
    parent_key: 'm.name_key',
    // Of memberships only whether there is one is compared.
    teams: '(SELECT MIN(mm.team_id) FROM memberships mm WHERE mm.user_id = u.id)',
  };
  return {
    label: labelOf(columns, column),
    field,
    name,
    given: `r.${name}`,
    shown: shown[name] ?? `r.${name}`,
    planned: name === 'teams' ? stored.teams! : `p.${name}`,
    stored: stored[name] ?? `u.${name}`,
    drop: `${name} = NULL${name === 'deactivation_date' ? ', deactivation_at = NULL' : ''}`,
  };
}

function findCustom(stage: Stage, type: FileType, columns: ColumnPlan, label: string): Owned | null {
  const key = labelKey(label);
  const column = columns.fields.find(
    ({ field }) => labelKey(field.label) === key || field.aliases.some((alias) => labelKey(alias) === key),
  );
  if (type === 'teams' || column === undefined) return null;
  const { id } = column.field;
  const valueIn = (alias: string) => `${alias}.custom->>'${id}'`;
  return {
    label: column.label,
    field: id,
    name: id,
    given: valueIn('r'),
    shown: valueIn('r'),
    planned: valueIn('p'),
    stored: valueIn('u'),
    drop: `custom = ${stage.dialect === 'sqlite' ? `json_remove(custom, '$."${id}"')` : `custom - '${id}'`}`,
  };
}

async function keep(
  stage: Stage,
  { org }: PlanContext,
  type: FileType,
  { label, field, name, given, shown, planned, stored, drop }: Owned,
  owner: 'people' | 'once',
  issues: IssueLog,
): Promise<void> {
  const s = stage.prefix;
  const [table, plan, entity] = type === 'users' ? ['user_rows', 'people', 'user'] : ['team_rows', 'groups', 'team'];
  const current = `CASE WHEN p.key IS NULL THEN ${stored} ELSE ${planned} END`;
  const isKept =
    owner === 'once'
      ? `${current} IS NOT NULL`
      : `EXISTS (SELECT 1 FROM field_origins o WHERE o.entity = '${entity}' AND o.entity_id = u.id AND o.field = :field)`;
  const above =
    type === 'users'
      ? `LEFT JOIN users u ON u.org_id = :org AND u.email_key = r.key LEFT JOIN users m ON m.id = u.manager_id`
      : `LEFT JOIN teams u ON u.org_id = :org AND u.name_key = r.key LEFT JOIN teams m ON m.id = u.parent_id
         LEFT JOIN users o ON o.id = u.owner_id`;
  const isOther =
    name === 'teams'
      ? `EXISTS (SELECT 1 FROM ${eachOf(stage.dialect, 'r.teams')} WHERE t.value->>0 NOT IN
          (SELECT k.name_key FROM memberships mm JOIN teams k ON k.id = mm.team_id WHERE mm.user_id = u.id))`
      : `(${given} IS NOT NULL AND ${given} IS DISTINCT FROM ${current})`;
  const clears = `(${clearsIn(name)} AND ${current} IS NOT NULL)`;
  const found = `FROM ${s}.${table} r LEFT JOIN ${s}.${plan} p ON p.key = r.key ${above}
    WHERE r.state = 0 AND (${given} IS NOT NULL OR ${clearsIn(name)}) AND ${isKept}
      AND NOT (p.key IS NOT NULL AND p.is_new = 1 AND p.is_stub = 1)`;
  const bindings = owner === 'once' ? { org } : { org, field };
  const code = owner === 'once' ? 'kept_once' : 'kept_people';
  for await (const page of pagesByLine<{ line: number; value: string | null }>(
    stage,
    `SELECT r.line AS line, ${shown} AS value ${found} AND (COALESCE(${isOther}, false) OR COALESCE(${clears}, false))
       AND r.line > :after ORDER BY r.line LIMIT :limit`,
    bindings,
  ))
    await issues.addPage(page, ({ line, value }) => makeIssue(code, { line, column: label, value }, { label }));
  await run(
    stage,
    `UPDATE ${s}.${table} SET ${drop}, clears = REPLACE(clears, ',${name},', ',') WHERE line IN (SELECT r.line ${found})`,
    bindings,
  );
}

/** Empties values of known users and teams whose cells have the clear token, before other values are planned (rule U4a). */
import type { Stage } from '../../db/stage.js';
import { count, run } from '../../db/stagesql.js';
import type { FieldColumn } from '../read/columns.js';
import { bindingsOf, isOwnIn, type PlanContext, type RowTable } from './context.js';

/** `clear`: assignments that empty the value. */
interface Clearable {
  label: string;
  column: string;
  clear: string;
}

const userColumns: readonly Clearable[] = [
  { label: 'User Name', column: 'user_name', clear: 'user_name = NULL' },
  { label: 'First Name', column: 'first_name', clear: 'first_name = NULL' },
  { label: 'Last Name', column: 'last_name', clear: 'last_name = NULL' },
  { label: 'Manager Email', column: 'manager_key', clear: 'manager_key = NULL, manager_id = NULL' },
];
const teamColumns: readonly Clearable[] = [
  { label: 'Owner Email', column: 'owner_key', clear: 'owner_key = NULL, owner_id = NULL' },
  { label: 'Parent Team', column: 'parent_key', clear: 'parent_key = NULL, parent_id = NULL' },
  { label: 'Team Type', column: 'type', clear: 'type = NULL' },
];

/** SQL: the row `r` empties the value. @param column of the stage, or the id of a field. */
export function clearsIn(column: string): string {
  return `r.clears LIKE '%,${column},%'`;
}

/** Makes the changes in `people`, which has the users of all rows with a token, and records them. */
export async function clearUsers(stage: Stage, context: PlanContext, fields: readonly FieldColumn[]): Promise<void> {
  if (!(await hasClears(stage, context, 'user_rows'))) return;
  const clear = clearer(stage, context, 'user_rows', 'people', 'user');
  for (const { label, column, clear: change } of userColumns)
    await clear(label, column, `p.${column}`, change, 'NULL', `p.${column} IS NOT NULL`);
  for (const { field } of fields) {
    const value = `p.custom->>'${field.id}'`;
    const without =
      stage.dialect === 'sqlite' ? `json_remove(p.custom, '$."${field.id}"')` : `p.custom - '${field.id}'`;
    await clear(field.label, field.id, value, `custom = ${without}`, 'NULL', `${value} IS NOT NULL`);
  }
  // Users whom an import had deactivated are active again, as with any later date (rule U12).
  const returns = `p.deactivation_date IS NOT NULL AND p.status = 'deactivated' AND p.deactivated_by = 'import'`;
  const activate = `status = 'active', deactivated_at = NULL, deactivated_by = NULL`;
  await clear('Status', 'deactivation_date', 'p.status', activate, `'active'`, returns);
  await clear(
    'Deactivation Date',
    'deactivation_date',
    'p.deactivation_date',
    'deactivation_date = NULL, deactivate_at = NULL',
    'NULL',
    'p.deactivation_date IS NOT NULL',
  );
}

/** As clearUsers, in `groups`. */
export async function clearTeams(stage: Stage, context: PlanContext): Promise<void> {
  if (!(await hasClears(stage, context, 'team_rows'))) return;
  const clear = clearer(stage, context, 'team_rows', 'groups', 'team');
  for (const { label, column, clear: change } of teamColumns)
    await clear(label, column, `p.${column}`, change, 'NULL', `p.${column} IS NOT NULL`);
}

/** Whether a row of the file has a token. */
export async function hasClears(stage: Stage, { mayClear }: PlanContext, table: RowTable): Promise<boolean> {
  if (!mayClear) return false;
  return (await count(stage, `SELECT COUNT(*) AS n FROM ${stage.prefix}.${table} WHERE clears IS NOT NULL`)) > 0;
}

function clearer(stage: Stage, context: PlanContext, table: RowTable, plan: string, entity: string) {
  const s = stage.prefix;
  const bindings = bindingsOf(context);
  return async (label: string, column: string, before: string, change: string, after: string, when: string) => {
    const from = `FROM ${s}.${table} r WHERE r.key = p.key AND r.state = 0 AND ${clearsIn(column)}
      AND NOT (${isOwnIn('p')}) AND ${when}`;
    await run(
      stage,
      `INSERT INTO ${s}.changes (file, line, entity, key, field, before, after)
       SELECT :file, r.line, '${entity}', p.key, :label, ${before}, ${after} ${from.replace('FROM ', `FROM ${s}.${plan} p CROSS JOIN `)}`,
      { ...bindings, label },
    );
    await run(stage, `UPDATE ${s}.${plan} AS p SET ${change} ${from}`, bindings);
  };
}

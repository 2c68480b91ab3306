/**
 * Drops warnings about values that do not fit their field's type where the user has the same value already (rule C3): an
 * operator has changed the type with `--force`, and importing an export must change nothing and warn of nothing.
 */
import type { Stage } from '../../db/stage.js';
import { count, run } from '../../db/stagesql.js';
import { type CodeName, shorten } from '../codes.js';
import type { ColumnPlan } from '../read/columns.js';
import type { PlanContext } from './context.js';
import type { IssueLog } from './issuelog.js';

const unfit: readonly CodeName[] = ['field_mismatch', 'date_serial', 'date_ambiguous', 'date_contradictory'];

/** Reads the staged rows once their users are known, and deletes issues of the stage. */
export async function dropRepeatedWarnings(
  stage: Stage,
  context: PlanContext,
  { fields }: ColumnPlan,
  issues: IssueLog,
): Promise<void> {
  const typed = fields.filter(({ field }) => field.type !== 'text');
  if (typed.length === 0 || issues.counts.warning === 0) return;
  await issues.flush(true);
  for (const { field, label } of typed)
    issues.counts.warning -= await deleteRepeated(stage, context, field.id, shorten(label));
}

/** @param column the name that the issues have for it. Returns the number of deleted issues. */
async function deleteRepeated(
  stage: Stage,
  { org, file }: PlanContext,
  fieldId: string,
  column: string,
): Promise<number> {
  const s = stage.prefix;
  const ownIn = (alias: string) => `${alias}.custom->>CAST(:field AS TEXT)`;
  const repeated = `SELECT i.n FROM ${s}.issues i JOIN ${s}.user_rows r ON r.line = i.line
    LEFT JOIN ${s}.people p ON p.key = r.key LEFT JOIN users u ON u.org_id = :org AND u.email_key = r.key
    WHERE i.file = :file AND i.col = :column AND i.code IN (${unfit.map((code) => `'${code}'`).join(', ')})
      AND i.value = CASE WHEN p.key IS NULL THEN ${ownIn('u')} ELSE ${ownIn('p')} END`;
  const bindings = { org, file, column, field: fieldId };
  const found = await count(stage, `SELECT COUNT(*) AS n FROM (${repeated}) x`, bindings);
  if (found > 0) await run(stage, `DELETE FROM ${s}.issues WHERE n IN (${repeated})`, bindings);
  return found;
}

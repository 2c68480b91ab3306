/** Values that do not fit the type of their field, and that a user has nonetheless: an operator has retyped it with `--force`. */
import { count, type PlanContext, run } from './context.js';
import type { Stage } from './stage.js';

/**
 * Drops what the report says of cells that repeat such a value: there is nothing to apply, and nothing is lost. For rows whose
 * users are found, and issues that are in the stage.
 * @param column as the issues call it.
 * @returns how many were dropped.
 */
export async function dropRepeated(
  stage: Stage,
  { org, file }: PlanContext,
  fieldId: string,
  column: string,
  codes: readonly string[],
): Promise<number> {
  const s = stage.prefix;
  const ownIn = (alias: string) => `${alias}.custom->>CAST(:field AS TEXT)`;
  const repeated = `SELECT i.n FROM ${s}.issues i JOIN ${s}.user_rows r ON r.line = i.line
    LEFT JOIN ${s}.people p ON p.key = r.key LEFT JOIN users u ON u.org_id = :org AND u.email_key = r.key
    WHERE i.file = :file AND i.col = :column AND i.code IN (${codes.map((code) => `'${code}'`).join(', ')})
      AND i.value = CASE WHEN p.key IS NULL THEN ${ownIn('u')} ELSE ${ownIn('p')} END`;
  const bindings = { org, file, column, field: fieldId };
  const found = await count(stage, `SELECT COUNT(*) AS n FROM (${repeated}) x`, bindings);
  if (found > 0) await run(stage, `DELETE FROM ${s}.issues WHERE n IN (${repeated})`, bindings);
  return found;
}

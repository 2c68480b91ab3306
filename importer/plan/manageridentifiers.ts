/** Finds the managers of rows in an organization with an identifier: by their emails, and by their identifiers (rules U15, U8b). */
import type { Stage } from '../../db/stage.js';
import { createAs, createIndex, pagesByLine, run } from '../../db/stagesql.js';
import { type CodeName, makeIssue } from '../codes.js';
import { labelOf } from '../read/columns.js';
import { labelKey } from '../read/normalize.js';
import type { PlanContext } from './context.js';
import { followManagers } from './emailholders.js';
import type { PlanInput, StagedFile } from './input.js';
import type { IssueLog } from './issuelog.js';

type Problem = Extract<CodeName, 'manager_id_unknown' | 'manager_self' | 'manager_conflict'>;

/**
 * Sets `manager_key` of the rows, and reports identifiers of no user or of another one than `Manager Email` has. Call once the
 * users of the rows are known.
 */
export async function nameManagers(
  { stage, org, fields }: PlanInput,
  { context, columns }: StagedFile,
  issues: IssueLog,
): Promise<void> {
  await followManagers(stage, context);
  const { managerIdentifier: column, identifier } = columns;
  if (column === null) return;
  const wanted = labelKey(org.options.identifier ?? '');
  const known = fields.find((field) => [labelKey(field.label), ...field.aliases].includes(wanted));
  await lookUp(stage, context, identifier?.field.id ?? known?.id ?? noField);
  const { label } = column;
  const details = { label, other: labelOf(columns, 'managerEmail') };
  for await (const page of listProblems(stage))
    await issues.addPage(page, ({ line, value, problem }) =>
      makeIssue(problem, { line, column: label, value }, details),
    );
  await takeManagers(stage, column.field.id);
}

/** The id of no field; SQLite refuses an empty one. */
const noField = 'none';

/** Writes `led`: for each row with the identifier of a manager, the user who has it, and the problem with it. */
async function lookUp(stage: Stage, { org }: PlanContext, fieldId: string): Promise<void> {
  const s = stage.prefix;
  const identOf = (alias: string) => `${alias}.custom->>CAST(:field AS TEXT)`;
  await createAs(
    stage,
    'chiefs',
    `SELECT h.ident AS ident, MIN(h.key) AS key, COUNT(*) AS users FROM
       (SELECT r.ident AS ident, r.key AS key FROM ${s}.user_rows r WHERE r.state = 0 AND r.ident IS NOT NULL
        UNION SELECT ${identOf('p')}, p.key FROM ${s}.people p
        UNION SELECT ${identOf('u')}, u.email_key FROM users u WHERE u.org_id = :org
          AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = u.email_key)) h
     WHERE h.ident IN (SELECT r.manager_ident FROM ${s}.user_rows r WHERE r.manager_ident IS NOT NULL) GROUP BY h.ident`,
    { org, field: fieldId },
  );
  await createIndex(stage, 'chiefs', 'ident');
  await createAs(
    stage,
    'led',
    `SELECT r.line AS line, r.manager_ident AS value, c.key AS key, r.manager_key AS named,
       CASE WHEN c.key IS NULL OR c.users > 1 THEN 'manager_id_unknown' WHEN c.key = r.key THEN 'manager_self'
         WHEN r.manager_key IS NOT NULL AND r.manager_key <> c.key THEN 'manager_conflict' END AS problem
     FROM ${s}.user_rows r LEFT JOIN ${s}.chiefs c ON c.ident = r.manager_ident
     WHERE r.state = 0 AND r.manager_ident IS NOT NULL`,
    {},
  );
  await createIndex(stage, 'led', 'line');
}

function listProblems(stage: Stage): AsyncGenerator<{ line: number; value: string; problem: Problem }[]> {
  return pagesByLine(
    stage,
    `SELECT line, value, problem FROM ${stage.prefix}.led WHERE problem IS NOT NULL AND line > :after
     ORDER BY line LIMIT :limit`,
  );
}

/** @param fieldId of the column's field: it does not keep an identifier that was not used, so that no export repeats the problem. */
async function takeManagers(stage: Stage, fieldId: string): Promise<void> {
  const s = stage.prefix;
  await run(
    stage,
    `UPDATE ${s}.user_rows AS r SET manager_key = l.key FROM ${s}.led l
     WHERE l.line = r.line AND l.problem IS NULL AND l.named IS NULL`,
  );
  await run(
    stage,
    `UPDATE ${s}.user_rows AS r SET manager_key = NULL, manager_email = NULL, manager_name = NULL FROM ${s}.led l
     WHERE l.line = r.line AND l.problem = 'manager_conflict'`,
  );
  const rest =
    stage.dialect === 'sqlite' ? `json_remove(r.custom, '$.' || :fieldId)` : 'r.custom - CAST(:fieldId AS TEXT)';
  await run(
    stage,
    `UPDATE ${s}.user_rows AS r SET custom = ${rest} FROM ${s}.led l WHERE l.line = r.line AND l.problem IS NOT NULL`,
    { fieldId },
  );
}

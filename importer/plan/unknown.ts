/**
 * For an organization that makes nobody up (`createMissing=no`): ignores cells that name users and teams which neither the
 * directory nor a file of the run has (rules U7, U8, T2, T3). Their keys are in the table `unknown`.
 */
import type { Stage } from '../../db/stage.js';
import { eachOf, pagesByLine, run } from '../../db/stagesql.js';
import { type CodeName, makeIssue } from '../codes.js';
import { type ColumnPlan, labelOf } from '../read/columns.js';
import type { TeamColumn, UserColumn } from '../read/labels.js';
import type { FileType } from '../types.js';
import type { RowTable } from './context.js';
import type { IssueLog } from './issuelog.js';

interface Naming {
  table: RowTable;
  column: UserColumn | TeamColumn;
  code: CodeName;
  kind: 'people' | 'groups';
  /** Columns of `table` with the key and the text that the cell has; the key's column is cleared. */
  key: string;
  text: string;
}

const namings: Record<FileType, readonly Naming[]> = {
  users: [
    {
      ...{ table: 'user_rows', column: 'managerEmail', code: 'manager_unknown', kind: 'people' },
      ...{ key: 'manager_key', text: 'manager_email' },
    },
  ],
  teams: [
    {
      ...{ table: 'team_rows', column: 'ownerEmail', code: 'owner_unknown', kind: 'people' },
      ...{ key: 'owner_key', text: 'owner_email' },
    },
    {
      ...{ table: 'team_rows', column: 'parent', code: 'parent_unknown', kind: 'groups' },
      ...{ key: 'parent_key', text: 'parent_name' },
    },
  ],
};

/** Clears such cells of the staged rows, each with a warning. */
export async function ignoreUnknown(
  stage: Stage,
  type: FileType,
  columns: ColumnPlan,
  issues: IssueLog,
): Promise<void> {
  const s = stage.prefix;
  for (const { table, column, code, kind, key, text } of namings[type]) {
    const found = `FROM ${s}.${table} r WHERE r.state = 0
      AND r.${key} IN (SELECT x.key FROM ${s}.unknown x WHERE x.kind = '${kind}')`;
    await warn(stage, `SELECT r.line AS line, r.${text} AS value ${found}`, code, labelOf(columns, column), issues);
    await run(stage, `UPDATE ${s}.${table} SET ${key} = NULL WHERE line IN (SELECT r.line ${found})`);
  }
  if (type === 'users') await ignoreTeams(stage, columns, issues);
}

/** A cell of which one team is unknown is ignored as a whole. */
async function ignoreTeams(stage: Stage, columns: ColumnPlan, issues: IssueLog): Promise<void> {
  const s = stage.prefix;
  const unknown = `FROM ${eachOf(stage.dialect, 'r.teams')} WHERE t.value->>0 IN
    (SELECT x.key FROM ${s}.unknown x WHERE x.kind = 'groups')`;
  const found = `FROM ${s}.user_rows r WHERE r.state = 0 AND r.teams IS NOT NULL AND EXISTS (SELECT 1 ${unknown})`;
  const value = `(SELECT string_agg(t.value->>1, ', ') ${unknown})`;
  const label = labelOf(columns, 'teams');
  await warn(stage, `SELECT r.line AS line, ${value} AS value ${found}`, 'teams_unknown', label, issues);
  await run(stage, `UPDATE ${s}.user_rows SET teams = NULL WHERE line IN (SELECT r.line ${found})`);
}

async function warn(stage: Stage, query: string, code: CodeName, label: string, issues: IssueLog): Promise<void> {
  const paged = `${query} AND r.line > :after ORDER BY r.line LIMIT :limit`;
  for await (const page of pagesByLine<{ line: number; value: string }>(stage, paged))
    await issues.addPage(page, ({ line, value }) => makeIssue(code, { line, column: label, value }, { label }));
}

/** Rows of one file with the same key: equal rows count once, rows that differ are all faulty (rules U2, T1). */
import type { Stage } from '../../db/stage.js';
import { createAs, createIndex, pagesByLine, rows, run } from '../../db/stagesql.js';
import { makeIssue } from '../codes.js';
import { type ColumnPlan, labelOf } from '../read/columns.js';
import { type Finding, namedLines, nameLines, type RowTable } from './context.js';
import type { IssueLog } from './issuelog.js';

/** The columns in which rows of one key can differ; another spelling of the key is no difference. */
const compared: Record<RowTable, readonly string[]> = {
  user_rows: [
    'user_name',
    'first_name',
    'last_name',
    'manager_key',
    'manager_name',
    'manager_ident',
    'teams',
    'account_type',
    'is_admin',
    'deactivation_date',
    'status',
    'custom',
    'clears',
  ],
  team_rows: ['owner_key', 'parent_key', 'type', 'clears'],
};

/** Sets the `state` of the rows, and reports the faulty ones. */
export async function faultDuplicates(
  stage: Stage,
  table: RowTable,
  columns: ColumnPlan,
  issues: IssueLog,
): Promise<void> {
  const code = table === 'user_rows' ? 'email_twice' : 'team_twice';
  const column = labelOf(columns, table === 'user_rows' ? 'email' : 'name');
  const query = `SELECT key FROM ${stage.prefix}.${table} GROUP BY key HAVING COUNT(*) > 1 LIMIT 1`;
  if ((await rows(stage, query)).length === 0) return;
  await markDuplicates(stage, table);
  for await (const page of listFaulty(stage, table))
    await issues.addPage(page, ({ line, value, others }) =>
      makeIssue(code, { line, column, value }, { lines: nameLines(others) }),
    );
}

async function markDuplicates(stage: Stage, table: RowTable): Promise<void> {
  const s = stage.prefix;
  const array = stage.dialect === 'sqlite' ? 'json_array' : 'jsonb_build_array';
  await createAs(
    stage,
    'duplicates',
    `SELECT d.key AS key, d.first AS first,
       COUNT(DISTINCT ${array}(${compared[table].map((column) => `r.${column}`).join(', ')})) AS versions
     FROM (SELECT key, MIN(line) AS first FROM ${s}.${table} GROUP BY key HAVING COUNT(*) > 1) d
     JOIN ${s}.${table} r ON r.key = d.key GROUP BY d.key, d.first`,
    {},
  );
  await createIndex(stage, 'duplicates', 'key');
  await run(
    stage,
    `UPDATE ${s}.${table} AS r SET state = CASE WHEN t.versions = 1 THEN 1 ELSE 2 END
     FROM ${s}.duplicates t WHERE t.key = r.key AND (t.versions > 1 OR r.line <> t.first)`,
  );
}

/** Each faulty row with the first other lines of its key. */
async function* listFaulty(stage: Stage, table: RowTable): AsyncGenerator<Finding[]> {
  const s = stage.prefix;
  const shown = table === 'user_rows' ? 'email' : 'name';
  const query = `SELECT r.line, r.${shown} AS value,
      (SELECT string_agg(CAST(o.line AS TEXT), ',') FROM
        (SELECT line FROM ${s}.${table} x WHERE x.key = r.key AND x.line <> r.line ORDER BY x.line LIMIT ${namedLines}) o) AS others
    FROM ${s}.${table} r WHERE r.state = 2 AND r.line > :after ORDER BY r.line LIMIT :limit`;
  for await (const page of pagesByLine<{ line: number; value: string; others: string }>(stage, query)) {
    yield page.map((row) => ({ ...row, others: row.others.split(',').map(Number) }));
  }
}

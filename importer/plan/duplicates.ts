/** Rows of one file with the same key: rows that say the same count once, all others are faulty (rules U2, T1). */
import { createAs, createIndex, type Finding, namedLines, pagesByLine, type RowTable, run } from './context.js';
import type { Stage } from './stage.js';

/** What two rows of a key may differ in; how they spell the key itself is no difference. */
const values: Record<RowTable, readonly string[]> = {
  user_rows: [
    'user_name',
    'first_name',
    'last_name',
    'manager_key',
    'manager_name',
    'teams',
    'account_type',
    'is_admin',
    'deactivation_date',
    'custom',
  ],
  team_rows: ['owner_key', 'parent_key', 'type'],
};

/** Marks the rows, and yields the faulty ones, each with the first other lines of its key. */
export async function* settleTwins(stage: Stage, table: RowTable): AsyncGenerator<Finding[]> {
  const s = stage.prefix;
  const array = stage.dialect === 'sqlite' ? 'json_array' : 'jsonb_build_array';
  await createAs(
    stage,
    'twins',
    `SELECT d.key AS key, d.first AS first,
       COUNT(DISTINCT ${array}(${values[table].map((column) => `r.${column}`).join(', ')})) AS versions
     FROM (SELECT key, MIN(line) AS first FROM ${s}.${table} GROUP BY key HAVING COUNT(*) > 1) d
     JOIN ${s}.${table} r ON r.key = d.key GROUP BY d.key, d.first`,
    {},
  );
  await createIndex(stage, 'twins', 'key');
  await run(
    stage,
    `UPDATE ${s}.${table} AS r SET state = CASE WHEN t.versions = 1 THEN 1 ELSE 2 END
     FROM ${s}.twins t WHERE t.key = r.key AND (t.versions > 1 OR r.line <> t.first)`,
  );
  const shown = table === 'user_rows' ? 'email' : 'name';
  const query = `SELECT r.line, r.${shown} AS value,
      (SELECT string_agg(CAST(o.line AS TEXT), ',') FROM
        (SELECT line FROM ${s}.${table} x WHERE x.key = r.key AND x.line <> r.line ORDER BY x.line LIMIT ${namedLines}) o) AS others
    FROM ${s}.${table} r WHERE r.state = 2 AND r.line > :after ORDER BY r.line LIMIT :limit`;
  for await (const page of pagesByLine<{ line: number; value: string; others: string }>(stage, query)) {
    yield page.map((row) => ({ ...row, others: row.others.split(',').map(Number) }));
  }
}

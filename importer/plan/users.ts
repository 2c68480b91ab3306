/** Plans the users whom a file creates and the values that it changes: from `user_rows` into `people` and `changes` (U1–U13). */
import type { Stage } from '../../db/stage.js';
import { analyze, count, pagesByLine, rows, run } from '../../db/stagesql.js';
import type { ColumnPlan } from '../read/columns.js';
import { LineSet } from '../read/lineset.js';
import { warnOfBlankDates } from './blankdates.js';
import { clearUsers } from './clears.js';
import { bindingsOf, isOwnIn, type PlanContext } from './context.js';
import { planDeactivation } from './deactivation.js';
import type { RowCounts } from './input.js';
import type { IssueLog } from './issuelog.js';
import { addStubs } from './stubs.js';

/** Columns whose cells replace a value unchanged. `shown`: the form of the value in the record of changes. */
const plainColumns: readonly { label: string; column: string; shown?: (column: string) => string }[] = [
  { label: 'User Name', column: 'user_name' },
  { label: 'First Name', column: 'first_name' },
  { label: 'Last Name', column: 'last_name' },
  { label: 'Manager Email', column: 'manager_key' },
  { label: 'User Account Type', column: 'account_type' },
  {
    label: 'Is Org Admin',
    column: 'is_admin',
    shown: (column) => `CASE ${column} WHEN 1 THEN 'Yes' WHEN 0 THEN 'No' END`,
  },
  { label: 'Deactivation Date', column: 'deactivation_date' },
];

const isOwn = isOwnIn('p');

/** Adds to `people` the users whom the file creates, and the known users of whom it changes a value. */
export async function gatherUsers(stage: Stage, context: PlanContext, { fields }: ColumnPlan): Promise<void> {
  const s = stage.prefix;
  const merged = stage.dialect === 'sqlite' ? 'json_patch(u.custom, r.custom)' : '(u.custom || r.custom)';
  const differs = plainColumns
    .map(({ column }) => {
      const current = column === 'manager_key' ? 'm.email_key' : `u.${column}`;
      return `(r.${column} IS NOT NULL AND r.${column} IS DISTINCT FROM ${current})`;
    })
    .concat(
      `(r.custom IS NOT NULL AND ${merged} <> u.custom)`,
      '(r.status IS NOT NULL AND r.status <> u.status)',
      'r.moves = 1',
      'r.clears IS NOT NULL',
      "u.in_files IS DISTINCT FROM 'row'",
      "u.deactivated_by IN ('undo', 'absence')",
    )
    .join(' OR ');
  // What a query reads from the table that it fills, SQLite copies first.
  const isSqlite = stage.dialect === 'sqlite';
  const isUnplanned = isSqlite ? '' : `AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = r.key)`;
  const unlessPlanned = isSqlite ? 'ON CONFLICT (key) DO NOTHING' : '';
  const known = `FROM ${s}.user_rows r CROSS JOIN users u LEFT JOIN users m ON m.id = u.manager_id
    WHERE u.org_id = :org AND u.email_key = r.key AND r.state = 0`;
  await run(
    stage,
    `INSERT INTO ${s}.people (key, id, email, user_name, first_name, last_name, manager_key, manager_id, account_type, is_admin,
       status, deactivation_date, deactivate_at, deactivated_at, deactivated_by, custom, in_files, is_new, is_stub, file, line)
     SELECT r.key, u.id, u.email, u.user_name, u.first_name, u.last_name, m.email_key, u.manager_id, u.account_type, u.is_admin,
       u.status, u.deactivation_date, u.deactivate_at, u.deactivated_at, u.deactivated_by, u.custom, 'row', 0, 0, :file, r.line
     ${known} AND (${differs}) ${isUnplanned} ${unlessPlanned}`,
    bindingsOf(context),
  );
  // A user whom an earlier file of the run only named is created by the row that describes them, and keeps that name.
  await run(
    stage,
    `UPDATE ${s}.user_rows AS r SET user_name = p.user_name FROM ${s}.people p
     WHERE p.key = r.key AND p.is_new = 1 AND p.is_stub = 1 AND r.state = 0 AND r.user_name IS NULL`,
  );
  await run(
    stage,
    `DELETE FROM ${s}.people WHERE is_new = 1 AND is_stub = 1 AND key IN (SELECT r.key FROM ${s}.user_rows r WHERE r.state = 0)`,
  );
  // A user created by this file whose date has come, or whose status says so, is created deactivated (rules U12, U12b).
  const hasLeft = `(r.deactivation_date <= :today OR r.status = 'deactivated')`;
  await run(
    stage,
    `INSERT INTO ${s}.people (key, email, address, user_name, first_name, last_name, manager_key, account_type, is_admin, status,
       deactivation_date, deactivate_at, deactivated_at, deactivated_by, custom, in_files, is_new, is_stub, file, line)
     SELECT r.key, r.email, r.address, r.user_name, r.first_name, r.last_name, r.manager_key, COALESCE(r.account_type, 'Regular'),
       COALESCE(r.is_admin, 0), CASE WHEN ${hasLeft} THEN 'deactivated' ELSE 'active' END, r.deactivation_date,
       CASE WHEN r.deactivation_date > :today THEN r.deactivation_at END,
       CASE WHEN ${hasLeft} THEN CAST(:now AS BIGINT) END,
       CASE WHEN ${hasLeft} THEN 'import' END,
       COALESCE(r.custom, '{}'), 'row', 1, 0, :file, r.line
     FROM ${s}.user_rows r WHERE r.state = 0
       AND NOT EXISTS (SELECT 1 FROM users u WHERE u.org_id = :org AND u.email_key = r.key)
       ${isUnplanned} ORDER BY r.line ${unlessPlanned}`,
    bindingsOf(context),
  );
  await addStubs(stage, context, {
    table: 'user_rows',
    key: 'manager_key',
    email: 'manager_email',
    name: 'manager_name',
  });
  await analyze(stage, 'people');
  // Before rings are searched: an edge that a token removes is in none.
  await clearUsers(stage, context, fields);
}

/** Changes the known users (rules U3–U5, U8–U12, C3), and warns of dates that are blank and should not be (U12a). */
export async function changeUsers(
  stage: Stage,
  context: PlanContext,
  columns: ColumnPlan,
  issues: IssueLog,
): Promise<void> {
  await changeKnown(stage, context);
  await warnOfBlankDates(stage, context, columns, issues);
}

/** Records the changes, then makes them in `people`. */
async function changeKnown(stage: Stage, context: PlanContext): Promise<void> {
  const s = stage.prefix;
  const isSqlite = stage.dialect === 'sqlite';
  const bindings = bindingsOf(context);
  // SQLite reads the first one row by row: the smaller one. Of many files each is small, and the plan grows.
  const [first, second] = [`${s}.people p`, `${s}.user_rows r`];
  const both = context.hasManyFiles ? `${second} CROSS JOIN ${first}` : `${first} CROSS JOIN ${second}`;
  const from = (more = '') => `FROM ${both} ${more} WHERE r.key = p.key AND r.state = 0 AND NOT (${isOwn})`;
  if ((await count(stage, `SELECT COUNT(*) AS n ${from()}`, bindings)) === 0) return;
  const record = (label: string, before: string, after: string, when: string) =>
    run(
      stage,
      `INSERT INTO ${s}.changes (file, line, entity, key, field, before, after)
       SELECT :file, r.line, 'user', p.key, :label, ${before}, ${after} ${from()} AND ${when}`,
      { ...bindings, label },
    );
  await record('User Email', 'p.email', 'r.email', 'r.moves = 1');
  for (const { label, column, shown = (name: string) => name } of plainColumns) {
    await record(
      label,
      shown(`p.${column}`),
      shown(`r.${column}`),
      `r.${column} IS NOT NULL AND r.${column} IS DISTINCT FROM p.${column}`,
    );
  }
  const eachValue = isSqlite ? 'json_each(r.custom) t' : 'LATERAL jsonb_each_text(r.custom) AS t(key, value)';
  await run(
    stage,
    `INSERT INTO ${s}.changes (file, line, entity, key, field, before, after)
     SELECT :file, r.line, 'user', p.key, COALESCE((SELECT f.label FROM fields f WHERE f.id = t.key),
       (SELECT f.label FROM ${s}.fields f WHERE f.id = t.key)), p.custom->>t.key, t.value
     ${from(`CROSS JOIN ${eachValue}`)} AND t.value IS DISTINCT FROM p.custom->>t.key`,
    bindings,
  );
  const datePlan = planDeactivation();
  await record('Status', 'p.status', datePlan.status, `${datePlan.status} <> p.status`);
  const merged = isSqlite ? 'json_patch(p.custom, r.custom)' : 'p.custom || r.custom';
  await run(
    stage,
    `UPDATE ${s}.people AS p SET ${plainColumns.map(({ column }) => `${column} = COALESCE(r.${column}, p.${column})`).join(', ')},
       email = CASE WHEN r.moves = 1 THEN r.email ELSE p.email END,
       address = CASE WHEN r.moves = 0 THEN p.address WHEN r.address <> p.key THEN r.address END,
       status = ${datePlan.status}, deactivate_at = ${datePlan.deactivateAt}, deactivated_at = ${datePlan.deactivatedAt},
       deactivated_by = ${datePlan.deactivatedBy}, custom = CASE WHEN r.custom IS NULL THEN p.custom ELSE ${merged} END
     FROM ${s}.user_rows r WHERE r.key = p.key AND r.state = 0 AND NOT (${isOwn})`,
    bindings,
  );
}

/** Counts the users whom the file creates and changes. */
export async function countUsers(stage: Stage, context: PlanContext): Promise<RowCounts> {
  const s = stage.prefix;
  const bindings = bindingsOf(context);
  const n = (sql: string) => `(SELECT COUNT(*) FROM ${sql})`;
  const countAll = async <Name extends string>(
    counts: Record<Name, string>,
    from = '',
  ): Promise<Record<Name, number>> => {
    const columns = Object.entries(counts).map(([name, sql]) => `${sql} AS ${name}`);
    const [found] = await rows<Record<Name, number | string>>(stage, `SELECT ${columns.join(', ')} ${from}`, bindings);
    return Object.fromEntries(Object.entries(found!).map(([name, value]) => [name, Number(value)])) as never;
  };
  // One look at each of them: they are most of a first import.
  const { created, effective, deactivated, scheduled } = await countAll(
    {
      created: 'COUNT(*)',
      effective: n(`${s}.user_rows WHERE state = 0`),
      deactivated: `COUNT(CASE WHEN p.status = 'deactivated' THEN 1 END)`,
      scheduled: 'COUNT(p.deactivate_at)',
    },
    `FROM ${s}.people p WHERE ${isOwn}`,
  );
  // Each row creates a user: it changes no one.
  if (created === effective) return { created, updated: 0, unchanged: 0, deactivated, scheduled };
  const known = await countAll({
    updated: n(
      `(SELECT c.key FROM ${s}.changes c WHERE c.file = :file AND c.entity = 'user'
         AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = c.key AND ${isOwn}) GROUP BY c.key) changed`,
    ),
    deactivated: n(`${s}.changes WHERE file = :file AND field = 'Status' AND after = 'deactivated'`),
    scheduled: n(
      `${s}.changes c CROSS JOIN ${s}.people p WHERE p.key = c.key AND c.file = :file AND c.field = 'Deactivation Date'
         AND c.entity = 'user' AND p.deactivate_at IS NOT NULL`,
    ),
  });
  return {
    created,
    updated: known.updated,
    unchanged: effective - created - known.updated,
    deactivated: deactivated + known.deactivated,
    scheduled: scheduled + known.scheduled,
  };
}

/**
 * The lines whose status is active, and whose user has a planned deactivation: once it has taken place, the same row activates
 * the user again.
 */
export async function listWaiting(stage: Stage, { org }: PlanContext): Promise<LineSet> {
  const s = stage.prefix;
  const lines = new LineSet();
  const query = `SELECT r.line FROM ${s}.user_rows r WHERE r.status = 'active' AND r.state = 0 AND r.line > :after
    AND (EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = r.key AND p.deactivate_at IS NOT NULL)
      OR EXISTS (SELECT 1 FROM users u WHERE u.org_id = :org AND u.email_key = r.key AND u.deactivate_at IS NOT NULL))
    ORDER BY r.line LIMIT :limit`;
  for await (const page of pagesByLine<{ line: number }>(stage, query, { org }))
    for (const { line } of page) lines.add(line);
  return lines;
}

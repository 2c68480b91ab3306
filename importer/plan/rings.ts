/** Breaks rings of managers and of parent teams: the edge that closes a ring is dropped and reported (rules U9, T3). */
import type { Stage } from '../../db/stage.js';
import { rows } from '../../db/stagesql.js';
import { type CodeName, makeIssue, shorten } from '../codes.js';
import { type ColumnPlan, labelOf } from '../read/columns.js';
import { isOwnIn, namedLines, nameLines, type PlanContext } from './context.js';
import type { IssueLog } from './issuelog.js';
import { dropRings, type RingRelation } from './ringedges.js';

/** Reads `people` and `user_rows`, and clears their `manager_key` where it closes a ring. */
export function breakManagerRings(
  stage: Stage,
  context: PlanContext,
  columns: ColumnPlan,
  issues: IssueLog,
): Promise<void> {
  const relation = ringRelation(stage, {
    planned: 'people',
    rows: 'user_rows',
    above: 'manager_key',
    name: 'email',
    table: 'users',
    key: 'email_key',
    reference: 'manager_id',
  });
  return breakRings(stage, relation, context, 'manager_ring', labelOf(columns, 'managerEmail'), issues);
}

/**
 * Whether a user gets another manager than before: a ring may need the edge that a later file replaces. Where files only add edges,
 * they make a ring together if one of them does.
 */
export async function replacesManagers(stage: Stage, { file }: PlanContext): Promise<boolean> {
  const sql = `SELECT 1 AS one FROM ${stage.prefix}.changes WHERE file = :file AND field = 'Manager Email' AND before IS NOT NULL LIMIT 1`;
  return (await rows(stage, sql, { file })).length > 0;
}

/** As breakManagerRings, of `groups` and `team_rows`. */
export function breakParentRings(
  stage: Stage,
  context: PlanContext,
  columns: ColumnPlan,
  issues: IssueLog,
): Promise<void> {
  const relation = ringRelation(stage, {
    planned: 'groups',
    rows: 'team_rows',
    above: 'parent_key',
    name: 'name',
    table: 'teams',
    key: 'name_key',
    reference: 'parent_id',
  });
  return breakRings(stage, relation, context, 'parent_ring', labelOf(columns, 'parent'), issues);
}

async function breakRings(
  stage: Stage,
  relation: RingRelation,
  context: PlanContext,
  code: CodeName,
  column: string,
  issues: IssueLog,
): Promise<void> {
  for await (const page of dropRings(stage, relation, context))
    await issues.addPage(page, ({ line, value, others, isWhole, kept }) => {
      const lines = others.length === 0 ? '' : ` with ${nameLines(others, isWhole)}`;
      return makeIssue(code, { line, column, value }, { lines, kept: describeKept(kept) });
    });
}

/** The file is not to blame for an edge that a blank cell, or no row, leaves in place. */
function describeKept(names: readonly string[]): string {
  if (names.length === 0) return '';
  const shown = names.slice(0, namedLines).map(shorten);
  if (names.length > shown.length) shown.push(`${names.length - shown.length} more`);
  const list = shown.length === 1 ? shown[0] : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
  return `. In that ring the file names no other one for ${list}, so that the earlier one is kept`;
}

/** The tables and columns of a relation. */
interface RingTables {
  /** Tables of the stage: the plan, and the rows of the file. Both have the columns `key` and `above`. */
  planned: string;
  rows: string;
  /** The column of both with the compared form of the manager or parent. */
  above: string;
  /** The column of all three tables with the name as written. */
  name: string;
  /** The table of the directory, its compared form, and its reference to the manager or parent. */
  table: string;
  key: string;
  reference: string;
}

const isOwn = isOwnIn('p');

function ringRelation(
  { prefix: s }: Stage,
  { planned, rows, above, name, table, key, reference }: RingTables,
): RingRelation {
  // A row that repeats the value of the directory changes no edge: its user or team is not in the plan.
  const isChanged = `r.${above} IS NOT NULL AND p.key IS NOT NULL AND (${isOwn} OR r.${above} IS DISTINCT FROM p.${above})`;
  const old = `CASE WHEN p.key IS NULL THEN m.${key} WHEN ${isOwn} THEN NULL ELSE p.${above} END`;
  return {
    planned,
    above,
    changed: `SELECT r.key, r.${above}, CASE WHEN ${isOwn} THEN NULL ELSE p.${above} END, r.line
      FROM ${s}.${planned} p CROSS JOIN ${s}.${rows} r WHERE r.key = p.key AND r.state = 0 AND ${isChanged}`,
    follow: (
      next,
    ) => `COALESCE(r.${above}, ${old}), CASE WHEN ${isChanged} THEN ${old} END, CASE WHEN ${isChanged} THEN r.line END
      FROM up JOIN (SELECT 0 AS old UNION ALL SELECT 1) side ON side.old = 0 OR up.old IS NOT NULL
      LEFT JOIN ${s}.${rows} r ON r.key = ${next} AND r.state = 0
      LEFT JOIN ${s}.${planned} p ON p.key = ${next}
      LEFT JOIN ${table} u ON u.org_id = :org AND u.${key} = ${next}
      LEFT JOIN ${table} m ON m.id = u.${reference}`,
    shown: `COALESCE((SELECT r.${name} FROM ${s}.${rows} r WHERE r.key = c.key AND r.state = 0),
      (SELECT p.${name} FROM ${s}.${planned} p WHERE p.key = c.key),
      (SELECT u.${name} FROM ${table} u WHERE u.org_id = :org AND u.${key} = c.key), c.key)`,
    drop: [
      `UPDATE ${s}.${planned} AS p SET ${above} = NULL WHERE ${isOwn}
       AND p.key IN (SELECT r.key FROM ${s}.${rows} r CROSS JOIN ${s}.dropped d WHERE r.line = d.line)`,
      `UPDATE ${s}.${rows} SET ${above} = NULL WHERE line IN (SELECT line FROM ${s}.dropped)`,
    ],
  };
}

/** Lists the changes that a plan would make, a page at a time, so that a million changes need little memory. */

import type { Stage } from '../../db/stage.js';
import { count, createAs, createIndex, rows } from '../../db/stagesql.js';
import { plannedChanges } from '../plan/memberships.js';
import { rankOfChange, type ShownChange, valuesByLabel } from './changeorder.js';

const pageRows = 5000;

/**
 * Call when every file of the run is planned; how many changes there are.
 * @param file only the changes of this one. @param most how many will be listed at most.
 */
export async function rankPlanned(
  stage: Stage,
  org: string,
  { file, most }: { file?: number | undefined; most?: number } = {},
): Promise<number> {
  const s = stage.prefix;
  const created = (entity: string, table: string, key: string, admin: string, line: string) =>
    `SELECT file, ${line}, '${entity}', ${key}, '', NULL, NULL, ${admin} FROM ${s}.${table}`;
  const all = `(SELECT x.*, 0 AS is_admin FROM (${plannedChanges(s)}) x
       UNION ALL ${created('user', 'people', 'key', 'is_admin', 'line')} WHERE is_new = 1
       UNION ALL ${created('team', 'groups', 'key', '0', 'line')} WHERE is_new = 1
       UNION ALL ${created('field', 'fields', 'id', '0', '1')}) c ${file === undefined ? '' : 'WHERE c.file = :file'}`;
  const bindings = { org, ...(file !== undefined && { file }), ...(most !== undefined && { most }) };
  const order = `${rankOfChange('c.is_admin = 1')}, c.file, c.line, c.entity, c.key, c.field, c.before, c.after`;
  await createAs(
    stage,
    'listed',
    `SELECT ROW_NUMBER() OVER (ORDER BY ${order}) AS place, c.file, c.line, c.entity, c.key, c.field, c.before, c.after
     FROM ${all} ${most === undefined ? '' : `ORDER BY ${order} LIMIT :most`}`,
    bindings,
  );
  await createIndex(stage, 'listed', 'place');
  if (most === undefined) return count(stage, `SELECT COUNT(*) AS n FROM ${s}.listed`);
  return count(stage, `SELECT COUNT(*) AS n FROM ${all}`, { org, ...(file !== undefined && { file }) });
}

interface PlannedRow {
  place: number;
  file: number;
  line: number | null;
  entity: ShownChange['entity'];
  name: string;
  field: string;
  before: string | null;
  after: string | null;
  /** Of a creation: the email of the manager or the owner as it will be, in its compared form. */
  above: string | null;
  user_name: string | null;
  first_name: string | null;
  last_name: string | null;
  account_type: string | null;
  is_admin: number | null;
  deactivation_date: string | null;
  status: string | null;
  /** Text on SQLite; PostgreSQL's driver has parsed it. */
  custom: string | Record<string, string> | null;
  parent_key: string | null;
  team_type: string | null;
  field_type: string | null;
}

/** In the order of their ranks. Call rankPlanned before. */
export async function* listPlanned(stage: Stage, org: string, most: number): AsyncGenerator<ShownChange[]> {
  const s = stage.prefix;
  const labels = new Map(
    (
      await rows<{ id: string; label: string }>(
        stage,
        `SELECT id, label FROM fields WHERE org_id = :org UNION ALL SELECT id, label FROM ${s}.fields`,
        { org },
      )
    ).map(({ id, label }) => [id, label]),
  );
  for (let from = 0; from < most; from += pageRows) {
    const page = await rows<PlannedRow>(
      stage,
      `SELECT l.place, l.file, l.line, l.entity, l.field, l.before,
         CASE l.entity WHEN 'user' THEN CASE WHEN p.is_new = 1 THEN p.email ELSE COALESCE(u.email, p.email, l.key) END
           WHEN 'team' THEN COALESCE(g.name, k.name, l.key) ELSE f.label END AS name,
         CASE WHEN l.field = '' THEN NULL ELSE COALESCE(m.address, l.after) END AS after,
         COALESCE(m.address, p.manager_key, g.owner_key) AS above,
         p.user_name, p.first_name, p.last_name, p.account_type, p.is_admin, p.deactivation_date, p.status, p.custom,
         g.parent_key, g.type AS team_type, f.type AS field_type
       FROM ${s}.listed l
       LEFT JOIN ${s}.people p ON l.entity = 'user' AND p.key = l.key
       LEFT JOIN users u ON l.entity = 'user' AND u.org_id = :org AND u.email_key = l.key
       LEFT JOIN ${s}.groups g ON l.entity = 'team' AND g.key = l.key
       LEFT JOIN teams k ON l.entity = 'team' AND k.org_id = :org AND k.name_key = l.key
       LEFT JOIN ${s}.fields f ON l.entity = 'field' AND f.id = l.key
       LEFT JOIN ${s}.people m ON m.address IS NOT NULL AND m.key = CASE WHEN l.field = '' THEN COALESCE(p.manager_key, g.owner_key)
         WHEN l.field IN ('Manager Email', 'Owner Email') THEN l.after END
       WHERE l.place > :from AND l.place <= :to ORDER BY l.place`,
      { org, from, to: Math.min(from + pageRows, most) },
    );
    if (page.length === 0) return;
    yield page.map((row) => toChange(row, labels));
  }
}

function toChange(row: PlannedRow, labels: ReadonlyMap<string, string>): ShownChange {
  const { file: source, line, entity, name, field, before, after } = row;
  const values = field === '' ? valuesOf(row, labels) : null;
  return { source, line, entity, name, field, before, after, values };
}

function valuesOf(row: PlannedRow, labels: ReadonlyMap<string, string>): Record<string, string> {
  if (row.entity === 'field') return valuesByLabel({ label: row.name, type: row.field_type }, {}, labels);
  if (row.entity === 'team') {
    const { name, above, parent_key, team_type } = row;
    const values = { 'Team Name': name, 'Owner Email': above, 'Parent Team': parent_key, 'Team Type': team_type };
    return valuesByLabel(values, {}, labels);
  }
  const values = {
    'User Email': row.name,
    'User Name': row.user_name,
    'First Name': row.first_name,
    'Last Name': row.last_name,
    'Manager Email': row.above,
    'User Account Type': row.account_type,
    'Is Org Admin': row.is_admin === 1 ? 'Yes' : 'No',
    'Deactivation Date': row.deactivation_date,
    Status: row.status,
  };
  return valuesByLabel(values, typeof row.custom === 'string' ? JSON.parse(row.custom) : (row.custom ?? {}), labels);
}

/** Stubs: users whom rows only name as a manager or an owner, created with default values (rules U8, T2); and their counts. */
import type { Stage } from '../../db/stage.js';
import { rows, run } from '../../db/stagesql.js';
import { bindingsOf, type PlanContext, type RowTable } from './context.js';

/** The columns of a row that name a user. */
export interface Naming {
  table: RowTable;
  key: string;
  email: string;
  /** null: there is none. */
  name: string | null;
}

/** Adds to `people` the users whom rows name and who are neither in the directory nor in the plan. */
export async function addStubs(stage: Stage, context: PlanContext, { table, key, email, name }: Naming): Promise<void> {
  const s = stage.prefix;
  await run(
    stage,
    `INSERT INTO ${s}.people (key, email, user_name, account_type, is_admin, status, custom, in_files, is_new, is_stub, file, line)
     SELECT r.${key}, r.${email}, ${name === null ? 'NULL' : `r.${name}`}, 'Regular', 0, 'active', '{}', 'named', 1, 1, :file, r.line
     FROM (SELECT ${key} AS key, MIN(line) AS line FROM ${s}.${table} WHERE state = 0 AND ${key} IS NOT NULL GROUP BY ${key}) named
     CROSS JOIN ${s}.${table} r WHERE r.line = named.line
       AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = named.key)
       AND NOT EXISTS (SELECT 1 FROM users u WHERE u.org_id = :org AND u.email_key = named.key)
     ORDER BY r.line`,
    bindingsOf(context),
  );
}

/** Counts the stubs of each file that has any, teams included. Call once all files of the run are planned: a later file may describe them. */
export async function countStubs(stage: Stage): Promise<Map<number, { users: number; teams: number }>> {
  const stubs = (kind: string, table: string) =>
    `SELECT file, '${kind}' AS kind, COUNT(*) AS n FROM ${stage.prefix}.${table} WHERE is_new = 1 AND is_stub = 1 GROUP BY file`;
  const sql = `${stubs('users', 'people')} UNION ALL ${stubs('teams', 'groups')}`;
  const counts = new Map<number, { users: number; teams: number }>();
  for (const { file, kind, n } of await rows<{ file: number; kind: 'users' | 'teams'; n: number }>(stage, sql)) {
    const of = counts.get(Number(file)) ?? { users: 0, teams: 0 };
    counts.set(Number(file), { ...of, [kind]: Number(n) });
  }
  return counts;
}

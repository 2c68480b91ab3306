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

/** Counts the stubs of a file, teams included. Call once all files of the run are planned: a later file may describe them. */
export async function countStubs(stage: Stage, file: number): Promise<{ users: number; teams: number }> {
  const stubs = (table: string) =>
    `(SELECT COUNT(*) FROM ${stage.prefix}.${table} WHERE file = :file AND is_new = 1 AND is_stub = 1)`;
  const sql = `SELECT ${stubs('people')} AS users, ${stubs('groups')} AS teams`;
  const [found] = await rows<{ users: number; teams: number }>(stage, sql, { file });
  return { users: Number(found!.users), teams: Number(found!.teams) };
}

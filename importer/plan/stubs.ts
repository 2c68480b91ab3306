/** Users who exist only because a row names them as a manager or an owner (rules U8, T2); teams are counted likewise. */
import { bindingsOf, count, type PlanContext, type RowTable, run } from './context.js';
import type { Stage } from './stage.js';

/** The columns of a row that name a user. */
export interface Naming {
  table: RowTable;
  key: string;
  email: string;
  /** null: there is none. */
  name: string | null;
}

/** Creates, with default values, whoever rows name and nobody knows. */
export async function addStubs(stage: Stage, context: PlanContext, { table, key, email, name }: Naming): Promise<void> {
  const s = stage.prefix;
  await run(
    stage,
    `INSERT INTO ${s}.people (key, email, user_name, account_type, is_admin, status, custom, is_new, is_stub, file, line)
     SELECT r.${key}, r.${email}, ${name === null ? 'NULL' : `r.${name}`}, 'Regular', 0, 'active', '{}', 1, 1, :file, r.line
     FROM (SELECT ${key} AS key, MIN(line) AS line FROM ${s}.${table} WHERE state = 0 AND ${key} IS NOT NULL GROUP BY ${key}) named
     CROSS JOIN ${s}.${table} r WHERE r.line = named.line
       AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = named.key)
       AND NOT EXISTS (SELECT 1 FROM users u WHERE u.org_id = :org AND u.email_key = named.key)
     ORDER BY r.line`,
    bindingsOf(context),
  );
}

/** Users and teams whom only rows of others name. Holds once every file of the run is planned: a later one may describe them. */
export async function countStubs(stage: Stage, file: number): Promise<{ users: number; teams: number }> {
  const stubs = (table: string) =>
    count(
      stage,
      `SELECT COUNT(*) AS n FROM ${stage.prefix}.${table} WHERE file = :file AND is_new = 1 AND is_stub = 1`,
      { file },
    );
  return { users: await stubs('people'), teams: await stubs('groups') };
}

/** Counts what a plan would do to those who are there, before anything is applied (rule G1). */
import { count } from './context.js';
import type { Stage } from './stage.js';

export interface Weight {
  /** Active users who would be deactivated, or sooner than was planned. */
  deactivations: number;
  /** Users who would become admins, or be admins no longer. */
  adminChanges: number;
  /** Users whose value of a field would be replaced, by the field's label. */
  updates: ReadonlyMap<string, number>;
  /** Active users before the run. */
  active: number;
}

/** null: the directory is empty but for its owner, and nothing in it can be harmed. */
export async function weighPlan(stage: Stage, org: string): Promise<Weight | null> {
  const s = stage.prefix;
  const n = (sql: string) => count(stage, `SELECT COUNT(*) AS n FROM ${sql}`, { org });
  if ((await n('(SELECT 1 AS one FROM users WHERE org_id = :org LIMIT 2) few')) < 2) return null;
  const known = `${s}.people p JOIN users u ON u.id = p.id WHERE p.is_new = 0`;
  const deactivations = await n(
    `${known} AND u.status = 'active' AND (p.status = 'deactivated'
       OR (p.deactivate_at IS NOT NULL AND (u.deactivate_at IS NULL OR p.deactivate_at < u.deactivate_at)))`,
  );
  const adminChanges =
    (await n(`${known} AND p.is_admin <> u.is_admin`)) +
    (await n(`${s}.people p WHERE p.is_new = 1 AND p.is_admin = 1`));
  const managers = await n(
    `${s}.people p JOIN users u ON u.id = p.id JOIN users m ON m.id = u.manager_id
     WHERE p.is_new = 0 AND p.manager_key <> m.email_key`,
  );
  const teams = await n(`(SELECT person_key FROM ${s}.leaves GROUP BY person_key) left_behind`);
  const emails = await n(`${s}.people p WHERE p.is_new = 0 AND p.address IS NOT NULL`);
  return {
    deactivations,
    adminChanges,
    updates: new Map([
      ['User Email', emails],
      ['Manager Email', managers],
      ['Teams', teams],
    ]),
    active: await n(`users WHERE org_id = :org AND status = 'active'`),
  };
}

/** Weighs a plan for the guard (rule G1): how many users it deactivates, creates, re-activates, or makes admins. */
import type { Org } from '../../db/control/orgs.js';
import { type Counted, readCounted } from '../../db/directory/guardcounts.js';
import type { Stage } from '../../db/stage.js';
import { count } from '../../db/stagesql.js';
import { emailKey } from '../read/normalize.js';

/** How many users a plan changes. */
export interface Weight extends Counted {
  /** Users among `adminChanges` who would become admins. */
  newAdmins: number;
  /** The organization's owner, 0 or 1, and users of its list `protected`, among the deactivations. */
  owners: number;
  protected: number;
  /** Active users before the run. */
  active: number;
  /** The same numbers of imports that were applied without an approval in the last 20 hours. */
  earlier: Counted;
}

/** null: the directory has no user but the owner, so that the plan can harm nothing. @param now ms */
export async function weighPlan(stage: Stage, org: Org, now: number): Promise<Weight | null> {
  const s = stage.prefix;
  const n = (sql: string) => count(stage, `SELECT COUNT(*) AS n FROM ${sql}`, { org: org.id });
  if ((await n('(SELECT 1 AS one FROM users WHERE org_id = :org LIMIT 2) few')) < 2) return null;
  const known = `${s}.people p JOIN users u ON u.id = p.id WHERE p.is_new = 0`;
  const created = `${s}.people p WHERE p.is_new = 1`;
  const deactivates = `u.status = 'active' AND (p.status = 'deactivated'
    OR (p.deactivate_at IS NOT NULL AND (u.deactivate_at IS NULL OR p.deactivate_at < u.deactivate_at)))`;
  const reactivates = `u.status = 'deactivated' AND p.status = 'active'`;
  const promotes = `p.is_admin = 1 AND (u.is_admin = 0 OR (${reactivates}))`;
  const newAdmins = (await n(`${known} AND ${promotes}`)) + (await n(`${created} AND p.is_admin = 1`));
  const lostAdmins = await n(
    `${known} AND u.is_admin = 1 AND NOT (${promotes}) AND (p.is_admin = 0 OR (${deactivates}))`,
  );
  return {
    deactivations: await n(`${known} AND ${deactivates}`),
    adminChanges: newAdmins + lostAdmins,
    newAdmins,
    creations: await n(`${created} AND p.status = 'active'`),
    reactivations: await n(`${known} AND ${reactivates}`),
    updates: await countUpdates(s, n),
    owners: await countNamed(stage, org, `${known} AND ${deactivates}`, [org.ownerEmail]),
    protected: await countNamed(stage, org, `${known} AND ${deactivates}`, org.options.protected ?? []),
    active: await n(`users WHERE org_id = :org AND status = 'active'`),
    earlier: await readCounted(stage.db, org.id, now),
  };
}

/** Users whose value of a field would be replaced, by the field's label. */
async function countUpdates(s: string, n: (sql: string) => Promise<number>): Promise<Counted['updates']> {
  return {
    'User Email': await n(`${s}.people p WHERE p.is_new = 0 AND p.address IS NOT NULL`),
    'Manager Email': await n(
      `${s}.people p JOIN users u ON u.id = p.id JOIN users m ON m.id = u.manager_id
       WHERE p.is_new = 0 AND p.manager_key <> m.email_key`,
    ),
    Teams: await n(`(SELECT person_key FROM ${s}.leaves GROUP BY person_key) left_behind`),
  };
}

/** Those of the changes whose user has, or had, one of the addresses. */
async function countNamed(stage: Stage, org: Org, changes: string, addresses: readonly string[]): Promise<number> {
  if (addresses.length === 0) return 0;
  const bindings = Object.fromEntries(addresses.map((address, place) => [`key${place}`, emailKey(address)]));
  const keys = `(${Object.keys(bindings)
    .map((name) => `:${name}`)
    .join(', ')})`;
  const sql = `SELECT COUNT(*) AS n FROM ${changes} AND (u.email_key IN ${keys} OR u.id IN
    (SELECT f.user_id FROM former_emails f WHERE f.org_id = :org AND f.email_key IN ${keys}))`;
  return count(stage, sql, { org: org.id, ...bindings });
}

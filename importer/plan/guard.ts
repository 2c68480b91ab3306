/** Holds a plan that changes too much until an operator approves it (rule G1), and refuses files with too many faults (G2). */
import type { Settings } from '../../config/settings.js';
import type { Org } from '../../db/control/orgs.js';
import type { Stage } from '../../db/stage.js';
import { count } from '../../db/stagesql.js';
import { type CodeName, type Details, describe, RefusalError, refuse } from '../codes.js';
import type { HoldReason } from '../types.js';

export type GuardLimits = Pick<Settings, 'maxDeactivations' | 'maxAdminChanges' | 'maxUpdatedShare'>;

/** How many users a plan changes. */
export interface Weight {
  /** Active users who would be deactivated, or sooner than they are scheduled to be. */
  deactivations: number;
  /** Users who would become admins, or lose that role. */
  adminChanges: number;
  /** Users whose value of a field would be replaced, by the field's label. */
  updates: ReadonlyMap<string, number>;
  /** Active users before the run. */
  active: number;
}

/** Smaller numbers are never held, or refused, for their share. */
const fewestDeactivations = 5;
const fewestUpdates = 20;
const fewestFaults = 20;

/** The reasons to hold the plan; empty: it may be applied. */
export async function guardPlan(stage: Stage, org: Org, settings: GuardLimits): Promise<HoldReason[]> {
  const weight = await weighPlan(stage, org.id);
  return weight === null ? [] : judge(weight, { ...limitsOf(settings), ...limitsOf(org.options) });
}

/** As guardPlan, from the numbers of the plan. */
export function judge(weight: Weight, limits: GuardLimits): HoldReason[] {
  const { deactivations, adminChanges, updates, active } = weight;
  const reasons: HoldReason[] = [];
  const hold = (code: CodeName, field: string | null, count: number, limit: string, details: Details) =>
    reasons.push({ code, field, count, of: active, limit, message: describe(code, { count, limit, ...details }) });
  const isShare = limits.maxDeactivations.endsWith('%');
  const allowed = Number.parseFloat(limits.maxDeactivations);
  const isTooMany = isShare
    ? deactivations >= fewestDeactivations && deactivations * 100 > allowed * active
    : deactivations > allowed;
  if (isTooMany) {
    const limit = isShare ? limits.maxDeactivations : String(allowed);
    hold('too_many_deactivations', null, deactivations, limit, { active });
  }
  if (adminChanges > limits.maxAdminChanges)
    hold('too_many_admin_changes', 'Is Org Admin', adminChanges, String(limits.maxAdminChanges), {});
  for (const [field, count] of updates) {
    if (count < fewestUpdates || count <= limits.maxUpdatedShare * active) continue;
    hold('too_many_updates', field, count, `${Math.round(limits.maxUpdatedShare * 100)}%`, { field, active });
  }
  return reasons;
}

/** @throws RefusalError when more than `maxFaultShare` of the rows are faulty (rule G2). */
export function refuseFaulty(faults: number, rows: number, { maxFaultShare }: Pick<Settings, 'maxFaultShare'>): void {
  if (faults >= fewestFaults && faults > rows * maxFaultShare)
    throw new RefusalError(refuse('too_many_faults', { faults, rows }));
}

function limitsOf(from: Partial<GuardLimits>): GuardLimits {
  const { maxDeactivations, maxAdminChanges, maxUpdatedShare } = from;
  return Object.fromEntries(
    Object.entries({ maxDeactivations, maxAdminChanges, maxUpdatedShare }).filter(([, limit]) => limit !== undefined),
  ) as GuardLimits;
}

/** null: the directory has no user but the owner, so that the plan can harm nothing. */
async function weighPlan(stage: Stage, org: string): Promise<Weight | null> {
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

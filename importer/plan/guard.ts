/** Says whether a plan is too much to be applied without an operator's word, and why (rule G1). */
import type { Settings } from '../../config/settings.js';
import type { Org } from '../../db/control/orgs.js';
import { type CodeName, type Details, describe } from '../codes.js';
import type { HoldReason } from '../types.js';
import { type Weight, weighPlan } from './guardcounts.js';
import type { Stage } from './stage.js';

export type GuardLimits = Pick<Settings, 'maxDeactivations' | 'maxAdminChanges' | 'maxUpdatedShare'>;

/** Fewer than these are never held for their share alone. */
const fewestDeactivations = 5;
const fewestUpdates = 20;

/** Nothing: the plan may be applied. */
export async function guardPlan(stage: Stage, org: Org, settings: GuardLimits): Promise<HoldReason[]> {
  const weight = await weighPlan(stage, org.id);
  return weight === null ? [] : judge(weight, { ...limitsOf(settings), ...limitsOf(org.options) });
}

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

function limitsOf(from: Partial<GuardLimits>): GuardLimits {
  const { maxDeactivations, maxAdminChanges, maxUpdatedShare } = from;
  return Object.fromEntries(
    Object.entries({ maxDeactivations, maxAdminChanges, maxUpdatedShare }).filter(([, limit]) => limit !== undefined),
  ) as GuardLimits;
}

/** Holds a plan that changes too much until an operator approves it (rule G1), and refuses files with too many faults (G2). */
import type { Settings } from '../../config/settings.js';
import type { OrgOptions } from '../../db/control/importoptions.js';
import type { Org } from '../../db/control/orgs.js';
import { memoryHours } from '../../db/directory/guardcounts.js';
import type { Stage } from '../../db/stage.js';
import { type CodeName, describe, RefusalError, refuse } from '../codes.js';
import type { HoldReason } from '../types.js';
import { type Weight, weighPlan } from './weight.js';

export type GuardLimits = Pick<
  Settings,
  'maxDeactivations' | 'maxAdminChanges' | 'maxUpdatedShare' | 'maxCreations' | 'maxReactivations'
>;

/** The limits that hold for an organization. */
export type Limits = GuardLimits & Pick<OrgOptions, 'holdAdmins' | 'protected'>;

/** Smaller numbers are never held, or refused, for their share. */
const fewestDeactivations = 5;
const fewestReactivations = 20;
const fewestUpdates = 20;
const fewestFaults = 20;
/** An organization with fewer active users may still be a pilot that is followed by a roll-out. */
const fewestActive = 500;

/** `reasons` to hold the plan; empty: it may be applied. `weight`: as weighPlan. @param now ms */
export async function guardPlan(
  stage: Stage,
  org: Org,
  settings: GuardLimits,
  now: number,
): Promise<{ reasons: HoldReason[]; weight: Weight | null }> {
  const weight = await weighPlan(stage, org, now);
  return { reasons: weight === null ? [] : judge(weight, limitsOf(org, settings)), weight };
}

/** As guardPlan, from the numbers of the plan. What earlier imports changed counts with it; a plan that adds nothing is not held. */
export function judge(weight: Weight, limits: Limits): HoldReason[] {
  const { active, earlier } = weight;
  const reasons: HoldReason[] = [];
  const hold = (code: CodeName, field: string | null, count: number, before: number, limit: string) => {
    const past = before === 0 ? '' : `, after ${before} in the last ${memoryHours} hours`;
    const message = describe(code, { count, limit, active, field: field ?? '', earlier: past });
    reasons.push({ code, field, count, of: active, limit, message });
  };
  const holdOver = (code: CodeName, count: number, before: number, limit: string, of: number | null) => {
    if (count === 0) return;
    const allowed = Number.parseFloat(limit);
    const isShare = limit.endsWith('%');
    const isTooMany = isShare ? of !== null && (count + before) * 100 > allowed * of : count + before > allowed;
    if (isTooMany) hold(code, null, count, before, isShare ? limit : String(allowed));
  };
  const { deactivations, adminChanges, creations, reactivations } = weight;
  if (weight.owners > 0) hold('owner_deactivated', null, weight.owners, 0, '0');
  if (weight.protected > 0) hold('protected_deactivated', null, weight.protected, 0, '0');
  const leavers = deactivations + earlier.deactivations;
  const { maxDeactivations, maxAdminChanges, maxCreations, maxReactivations } = limits;
  holdOver(
    'too_many_deactivations',
    deactivations,
    earlier.deactivations,
    maxDeactivations,
    // A share of those who were active before all of them, so that 100% never holds a run.
    leavers >= fewestDeactivations ? active + earlier.deactivations : null,
  );
  const admins = adminChanges + earlier.adminChanges;
  if (adminChanges > 0 && admins > maxAdminChanges)
    hold('too_many_admin_changes', 'Is Org Admin', adminChanges, earlier.adminChanges, String(maxAdminChanges));
  if (limits.holdAdmins === 'always' && weight.newAdmins > 0)
    hold('new_admins', 'Is Org Admin', weight.newAdmins, 0, '0');
  holdOver('too_many_creations', creations, earlier.creations, maxCreations, active >= fewestActive ? active : null);
  const returned = reactivations + earlier.reactivations;
  holdOver(
    'too_many_reactivations',
    reactivations,
    earlier.reactivations,
    maxReactivations,
    returned >= fewestReactivations ? active : null,
  );
  for (const [field, count] of Object.entries(weight.updates)) {
    const before = earlier.updates[field] ?? 0;
    const isShare = count + before >= fewestUpdates && limits.maxUpdatedShare < 1;
    if (count > 0 && isShare && count + before > limits.maxUpdatedShare * active)
      hold('too_many_updates', field, count, before, `${Math.round(limits.maxUpdatedShare * 100)}%`);
  }
  return reasons;
}

/** The organization's own limits, and the server's where it has none. */
export function limitsOf({ options }: Org, settings: GuardLimits): Limits {
  return {
    maxDeactivations: options.maxDeactivations ?? settings.maxDeactivations,
    maxAdminChanges: options.maxAdminChanges ?? settings.maxAdminChanges,
    maxUpdatedShare: options.maxUpdatedShare ?? settings.maxUpdatedShare,
    maxCreations: options.maxCreations ?? settings.maxCreations,
    maxReactivations: options.maxReactivations ?? settings.maxReactivations,
    holdAdmins: options.holdAdmins ?? 'limit',
    protected: options.protected ?? [],
  };
}

/** @throws RefusalError when more than `maxFaultShare` of the rows are faulty (rule G2). */
export function refuseFaulty(faults: number, rows: number, { maxFaultShare }: Pick<Settings, 'maxFaultShare'>): void {
  if (faults >= fewestFaults && faults > rows * maxFaultShare)
    throw new RefusalError(refuse('too_many_faults', { faults, rows }));
}

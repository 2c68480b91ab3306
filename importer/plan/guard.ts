/** Holds a plan that changes too much until an operator approves it (rule G1). */
import type { Settings } from '../../config/settings.js';
import type { OrgOptions } from '../../db/control/orgoptions.js';
import type { Org } from '../../db/control/orgs.js';
import { memoryHours } from '../../db/directory/guardcounts.js';
import type { Stage } from '../../db/stage.js';
import { count } from '../../db/stagesql.js';
import { type CodeName, describe } from '../codes.js';
import type { HoldReason } from '../types.js';
import { countMadeUp } from './madeup.js';
import { countOmitted, filesBeforeOmission } from './omission.js';
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
const fewestOmitted = 2;
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
  const reasons = weight === null ? [] : judge(weight, limitsOf(org, settings));
  reasons.push(...(await judgeOmitted(stage, org)));
  if (org.options.createMissing === 'hold') reasons.push(...(await judgeMadeUp(stage, org)));
  return { reasons, weight };
}

/** Full files that lack most of the users are more likely cut off than right, however small the organization is. */
async function judgeOmitted(stage: Stage, org: Org): Promise<HoldReason[]> {
  if (filesBeforeOmission(org) === null) return [];
  const { omitted, described } = await countOmitted(stage, org.id);
  if (omitted < fewestOmitted || omitted * 2 <= described) return [];
  const message = describe('too_many_omitted', { count: omitted, active: described });
  return [{ code: 'too_many_omitted', field: null, count: omitted, of: described, limit: '50%', message }];
}

/** Also at an organization's first import: a mistyped address is one at any time (rule U8a). */
async function judgeMadeUp(stage: Stage, org: Org): Promise<HoldReason[]> {
  const { users, teams } = await countMadeUp(stage);
  if (users + teams === 0) return [];
  const active = await count(stage, "SELECT COUNT(*) AS n FROM users WHERE org_id = :org AND status = 'active'", {
    org: org.id,
  });
  const message = describe('made_up', { users, teams });
  return [{ code: 'made_up', field: null, count: users + teams, of: active, limit: '0', message }];
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

/** Records an event when something needs attention soon: keys that expire, a quota or a disk that is nearly full, a backup that is overdue. */
import { statfsSync } from 'node:fs';
import type { Logger } from '../../config/logger.js';
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import { type Condition, followConditions, lastBackup } from '../../db/control/eventmarks.js';
import { listLoginKeys } from '../../db/control/keys.js';
import { listOrgs, type Org } from '../../db/control/orgs.js';
import { measureUsage } from '../../db/control/usage.js';
import { limitsOf } from '../../storage/storagelimits.js';
import type { Clock } from './clock.js';
import { type Rounds, startRounds } from './periodic.js';

export interface ConditionDeps {
  control: Db;
  settings: Settings;
  logger: Logger;
  now: () => number;
  /** Without it the clock is trusted always. */
  clock?: Pick<Clock, 'mayDecide'>;
}

const everyMs = 600_000;
const dayMs = 86_400_000;
/** A key has an event as it passes each of these. */
const warningDays = [30, 7, 1];
const nearShare = 0.9;
/** The disk is low while it has less than so many times the free space at which uploads are refused. */
const lowFactor = 2;

export function startConditions(deps: ConditionDeps): Rounds {
  return startRounds(async () => {
    if (deps.clock?.mayDecide() === false) return everyMs;
    await lookAtConditions(deps).catch((error: Error) =>
      deps.logger.error(`could not look for expiring keys and full disks; will retry in ${everyMs / 1000} s`, {
        reason: error.message,
      }),
    );
    return everyMs;
  });
}

/** One round. */
export async function lookAtConditions({ control, settings, now }: ConditionDeps): Promise<void> {
  const at = now();
  const orgs = await listOrgs(control.read);
  const follow = (type: string, conditions: readonly (Condition & { org?: string; subject?: string })[]) => {
    const known = new Map(conditions.map((one) => [one.data, one]));
    return followConditions(control, `${type}:`, conditions, (data) => {
      const { org = null, subject = type } = known.get(data)!;
      return { at, org, type, subject, data };
    });
  };
  const keys = await Promise.all(orgs.map((org) => findExpiring(control, org, at)));
  await follow('key.expiring', keys.flat());
  const quotas = await Promise.all(orgs.map((org) => findNear(control, org, settings)));
  await follow('quota.near', quotas.flat());
  await follow('disk.low', findLow(settings));
  await follow('backup.overdue', await findOverdue(control, settings, at));
}

async function findExpiring(control: Db, org: Org, at: number) {
  const usable = (await listLoginKeys(control.read, org.id)).filter(
    ({ revokedAt, expiresAt }) => revokedAt === null && expiresAt !== null && expiresAt > at,
  );
  return usable.flatMap(({ fingerprint, expiresAt, label }) => {
    const days = warningDays.filter((one) => expiresAt! - at <= one * dayMs).at(-1);
    if (days === undefined) return [];
    return [
      {
        ...{ name: `key.expiring:${org.id}:${fingerprint}:${expiresAt}:${days}`, org: org.id, subject: fingerprint },
        data: { key: fingerprint, label, expiresAt, days },
      },
    ];
  });
}

async function findNear(control: Db, org: Org, settings: Settings) {
  const { maxStoredBytes, maxFiles } = limitsOf(org, settings);
  const { bytes, entries } = await measureUsage(control.read, org.id);
  const isNear = bytes >= nearShare * maxStoredBytes || entries >= nearShare * maxFiles;
  const data = { bytes, maxBytes: maxStoredBytes, files: entries, maxFiles };
  return isNear ? [{ name: `quota.near:${org.id}`, org: org.id, subject: org.id, data }] : [];
}

function findLow({ data: folder, minFreeBytes }: Settings) {
  if (minFreeBytes === 0) return [];
  const { bavail, bsize } = statfsSync(folder);
  const freeBytes = bavail * bsize;
  return freeBytes < lowFactor * minFreeBytes ? [{ name: 'disk.low:', data: { freeBytes, minFreeBytes } }] : [];
}

async function findOverdue(control: Db, { backupOverdueDays }: Settings, at: number) {
  if (backupOverdueDays === 0) return [];
  const since = await lastBackup(control.write, at);
  if (at - since < backupOverdueDays * dayMs) return [];
  return [{ name: `backup.overdue:${since}`, data: { since, days: Math.floor((at - since) / dayMs) } }];
}

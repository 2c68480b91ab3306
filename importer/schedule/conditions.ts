/** Records an event when something needs attention soon: keys that expire, a quota or a disk that is nearly full, a backup that is overdue. */
import { hostname } from 'node:os';
import type { Logger } from '../../config/logger.js';
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import { overdueMs } from '../../db/control/backupschedule.js';
import {
  backupsExpectedFrom,
  type Condition,
  followConditions,
  followConditionsOfNode,
} from '../../db/control/eventmarks.js';
import { listOrgs } from '../../db/control/orgs.js';
import { findLastBackup, listExpiringKeys } from '../../db/control/overview.js';
import { measureAllUsage } from '../../db/control/usage.js';
import { findShortage } from '../../storage/freespace.js';
import { isNearLimits, limitsOf } from '../../storage/storagelimits.js';
import type { Clock } from './clock.js';
import { type Rounds, startRounds } from './periodic.js';

export interface ConditionDeps {
  control: Db;
  settings: Settings;
  logger: Logger;
  now: () => number;
  /** The name of this node; by default that of the machine. */
  host?: string;
  /** Without it the clock is trusted always. */
  clock?: Pick<Clock, 'mayDecide'>;
}

const everyMs = 600_000;
const dayMs = 86_400_000;
/** A key has an event as it passes each of these. */
const warningDays = [30, 7, 1];
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
export async function lookAtConditions({ control, settings, now, host = hostname() }: ConditionDeps): Promise<void> {
  const at = now();
  const follow = (type: string, conditions: readonly (Condition & { org?: string; subject?: string })[]) => {
    const known = new Map(conditions.map((one) => [one.data, one]));
    return followConditions(control, `${type}:`, conditions, (data) => {
      const { org = null, subject = type } = known.get(data)!;
      return { at, org, type, subject, data };
    });
  };
  await follow('key.expiring', await findExpiring(control, at));
  await follow('quota.near', await findNear(control, settings));
  await followConditionsOfNode(control, { kind: 'disk.low', host, at }, findLow(settings, host), (data) => ({
    ...{ at, org: null, type: 'disk.low', subject: 'disk.low', data },
  }));
  await follow('backup.overdue', await findOverdue(control, settings, at));
}

async function findExpiring(control: Db, at: number) {
  const keys = await listExpiringKeys(control.read, { now: at, before: at + Math.max(...warningDays) * dayMs + 1 });
  return keys.map(({ org, fingerprint, label, expiresAt }) => {
    const days = warningDays.filter((one) => expiresAt - at <= one * dayMs).at(-1)!;
    return {
      ...{ name: `key.expiring:${org}:${fingerprint}:${expiresAt}:${days}`, org, subject: fingerprint },
      data: { key: fingerprint, label, expiresAt, days },
    };
  });
}

async function findNear(control: Db, settings: Settings) {
  const usage = await measureAllUsage(control.read);
  return (await listOrgs(control.read)).flatMap((org) => {
    const limits = limitsOf(org, settings);
    const { bytes, entries } = usage.get(org.id) ?? { bytes: 0, entries: 0 };
    if (!isNearLimits({ bytes, entries }, limits)) return [];
    const data = { bytes, maxBytes: limits.maxStoredBytes, files: entries, maxFiles: limits.maxFiles };
    return [{ name: `quota.near:${org.id}`, org: org.id, subject: org.id, data }];
  });
}

function findLow({ data, minFreeBytes }: Settings, host: string) {
  const shortage = findShortage({ data, minFreeBytes: lowFactor * minFreeBytes });
  return shortage === null ? [] : [{ name: '', data: { freeBytes: shortage.freeBytes, minFreeBytes, host } }];
}

async function findOverdue(control: Db, settings: Settings, at: number) {
  const mostMs = overdueMs(settings);
  if (mostMs === null) return [];
  const expectedFrom = await backupsExpectedFrom(control.write, at);
  const since = Math.max((await findLastBackup(control.read)) ?? 0, expectedFrom);
  if (at - since < mostMs) return [];
  return [{ name: `backup.overdue:${since}`, data: { since, days: Math.floor((at - since) / dayMs) } }];
}

/** All organizations at a glance, for the operator: a light for each, those that need attention first. */
import { listAlarms } from '../db/control/alarms.js';
import { listKeyRequests } from '../db/control/keyrequests.js';
import { listOrgs, type Org } from '../db/control/orgs.js';
import { listHeldRuns } from '../db/control/orgstates.js';
import { countQueuedOf, findLastUploadTimes, listExpiringKeys, listFailedOrgs } from '../db/control/overview.js';
import { findLastImportRuns, type Run } from '../db/control/runs.js';
import { findNextSlot } from './orgdetails.js';
import { findNextSlots, type Status } from './status.js';
import type { Workplace } from './workplace.js';

const dayMs = 86_400_000;
const keyDays = 30;
const mostLooked = 2_000;

/** `bad`: an alarm is open or an import failed; `wait`: a decision or a key needs a person; `off`: SFTP access is disabled. */
export type Light = 'bad' | 'wait' | 'good' | 'off';

export interface OrgGlance {
  org: Org;
  light: Light;
  alarms: number;
  /** The number of the run that waits for a decision; null: none does. */
  heldRun: number | null;
  hasFailed: boolean;
  expiringKeys: number;
  /** Changes of its keys that wait for an operator. */
  keyRequests: number;
  queued: number;
  lastRun: Run | null;
  /** When its last file was complete, in ms; null: none is known. */
  lastFileAt: number | null;
  nextSlotAt: number;
}

export interface Overview {
  orgs: OrgGlance[];
  /** Of those that fit the search. */
  total: number;
  /** Of all organizations. */
  nextSlots: Status['nextSlots'];
}

/** @param filter `search`: part of an id or a name, in any case */
export async function readOverview(
  workplace: Workplace,
  filter: { search: string; from: number; most: number },
): Promise<Overview> {
  const db = workplace.control.read;
  const at = workplace.now();
  const needle = filter.search.trim().toLowerCase();
  const all = await listOrgs(db);
  const orgs = all.filter(
    ({ id, name }) => needle === '' || id.includes(needle) || name.toLowerCase().includes(needle),
  );
  const heldOf = await listHeldRuns(db);
  const alarms = await listAlarms(db, { resolved: false, limit: mostLooked });
  const keys = await listExpiringKeys(db, { now: at, before: at + keyDays * dayMs, limit: mostLooked });
  const requestsOf = tally(await listKeyRequests(db));
  const failedOrgs = new Set(await listFailedOrgs(db, at - dayMs));
  const alarmsOf = tally(alarms);
  const keysOf = tally(keys);
  const lit = orgs.map((org) => {
    const state = {
      alarms: alarmsOf.get(org.id) ?? 0,
      heldRun: heldOf.get(org.id) ?? null,
      hasFailed: failedOrgs.has(org.id),
      expiringKeys: keysOf.get(org.id) ?? 0,
      keyRequests: requestsOf.get(org.id) ?? 0,
    };
    return { org, ...state, light: lightOf(org, state) };
  });
  const order: readonly Light[] = ['bad', 'wait', 'good', 'off'];
  const page = lit
    .sort((a, b) => order.indexOf(a.light) - order.indexOf(b.light) || (a.org.id < b.org.id ? -1 : 1))
    .slice(filter.from, filter.from + filter.most);
  const ids = page.map(({ org }) => org.id);
  const queued = await countQueuedOf(db, ids);
  const lastRuns = await findLastImportRuns(db, ids);
  const lastFiles = await findLastUploadTimes(db, ids);
  const glances: OrgGlance[] = page.map((one) => {
    const { id } = one.org;
    const [lastRun, lastFileAt] = [lastRuns.get(id) ?? null, lastFiles.get(id) ?? null];
    const nextSlotAt = findNextSlot(workplace, one.org);
    return { ...one, lastRun, lastFileAt, queued: queued.get(id) ?? 0, nextSlotAt };
  });
  return { orgs: glances, total: orgs.length, nextSlots: findNextSlots(all, at, workplace.settings.slotJitterMinutes) };
}

function lightOf(
  { enabled }: Org,
  {
    alarms,
    heldRun,
    hasFailed,
    expiringKeys,
    keyRequests,
  }: Pick<OrgGlance, 'alarms' | 'heldRun' | 'hasFailed' | 'expiringKeys' | 'keyRequests'>,
): Light {
  if (alarms > 0 || hasFailed) return 'bad';
  if (heldRun !== null || expiringKeys > 0 || keyRequests > 0) return 'wait';
  return enabled ? 'good' : 'off';
}

function tally(rows: readonly { org: string }[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { org } of rows) counts.set(org, (counts.get(org) ?? 0) + 1);
  return counts;
}

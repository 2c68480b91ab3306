/** All organizations at a glance, for the operator: a light for each, those that need attention first. */
import { countOpenAlarms } from '../db/control/alarms.js';
import { listOrgHeads, type OrgHead } from '../db/control/orgs.js';
import { listHeldRuns } from '../db/control/orgstates.js';
import {
  countExpiringKeys,
  countKeyRequests,
  countQueuedOf,
  findLastUploadTimes,
  listFailedOrgs,
} from '../db/control/overview.js';
import { findLastImportRuns, type Run } from '../db/control/runs.js';
import { nextSlotOf } from '../importer/schedule/jitter.js';
import { shareSlots } from '../importer/schedule/slots.js';
import { sortSlots } from './status.js';
import type { Workplace } from './workplace.js';

const dayMs = 86_400_000;
const keyDays = 30;
const hourMs = 3_600_000;
/** Of the timeline. */
const shownHours = 24;
const namedOrgs = 3;

/** `bad`: an alarm is open or an import failed; `wait`: a decision or a key needs a person; `off`: SFTP access is disabled. */
export type Light = 'bad' | 'wait' | 'good' | 'off';

export interface OrgGlance {
  org: OrgHead;
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
  /** Of all enabled organizations: the hours of the next day in which an import begins. */
  timeline: SlotHour[];
}

/** The slots that begin within an hour of the clock. */
export interface SlotHour {
  /** When the hour begins, in ms. */
  at: number;
  count: number;
  /** The first of them. */
  slots: { org: string; name: string; at: number }[];
}

/** @param filter `search`: part of an id or a name, in any case */
export async function readOverview(
  workplace: Workplace,
  filter: { search: string; from: number; most: number },
): Promise<Overview> {
  const db = workplace.control.read;
  const at = workplace.now();
  const needle = filter.search.trim().toLowerCase();
  const all = await listOrgHeads(db);
  const orgs = all.filter(
    ({ id, name }) => needle === '' || id.includes(needle) || name.toLowerCase().includes(needle),
  );
  const heldOf = await listHeldRuns(db);
  const alarmsOf = await countOpenAlarms(db);
  const keysOf = await countExpiringKeys(db, { now: at, before: at + keyDays * dayMs });
  const requestsOf = await countKeyRequests(db);
  const failedOrgs = new Set(await listFailedOrgs(db, at - dayMs));
  const { slotJitterMinutes } = workplace.settings;
  const beginOf = shareSlots((org, jitterMs) => nextSlotOf(org, at, jitterMs), slotJitterMinutes);
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
    return { ...one, lastRun, lastFileAt, queued: queued.get(id) ?? 0, nextSlotAt: beginOf(one.org) };
  });
  const slots = all
    .filter(({ enabled }) => enabled)
    .map((org) => ({ org: org.id, name: org.name, at: beginOf(org) }))
    .filter((slot) => slot.at < at + shownHours * hourMs);
  return { orgs: glances, total: orgs.length, timeline: groupByHour(slots) };
}

function groupByHour(slots: readonly SlotHour['slots'][number][]): SlotHour[] {
  const hours = new Map<number, SlotHour>();
  for (const slot of sortSlots(slots)) {
    const at = slot.at - (slot.at % hourMs);
    const hour = hours.get(at) ?? { at, count: 0, slots: [] };
    hour.count++;
    if (hour.slots.length < namedOrgs) hour.slots.push(slot);
    hours.set(at, hour);
  }
  return [...hours.values()];
}

function lightOf(
  { enabled }: OrgHead,
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

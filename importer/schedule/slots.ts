/**
 * Opens runs: one for each organization's slot when it begins, exactly once however many importers run, also for a slot
 * that began while none ran; and one for new uploads of an organization that imports on upload. A slot without files opens none.
 */
import type { Logger } from '../../config/logger.js';
import type { Db } from '../../db/connection.js';
import { listOrgs, type Org } from '../../db/control/orgs.js';
import {
  listSlotStates,
  listUploadDue,
  openSlotRuns,
  openUploadRun,
  passSlot,
  type SlotState,
  sortDue,
} from '../../db/control/slots.js';
import { createOutage } from '../outage.js';
import { isSettled } from './cadence.js';
import { dateIn, type Slot, timeIn } from './calendar.js';
import type { Clock } from './clock.js';
import { jitterOf, lastSlotOf, nextSlotOf, type SlotsOfOrg } from './jitter.js';
import { startRounds } from './periodic.js';
import { createWakeUp } from './wakeup.js';

export interface SlotDeps {
  control: Db;
  logger: Logger;
  now: () => number;
  /** Called when a run was opened. */
  onOpen: () => void;
  /** Over how many minutes the slots of organizations with the same time are spread; 0 without it. */
  jitterMinutes?: number;
  /** Without it the clock is trusted always. */
  clock?: Clock;
}

/** How often slots are looked for that the job did not open: the clock jumped, or an organization is new. */
const checkEveryMs = 60_000;

/** Opens the last slot of every enabled organization that has files, unless it was opened before. Returns how many it opened. */
export async function openDueSlots(deps: SlotDeps): Promise<number> {
  return openSlots(deps, await listEnabled(deps.control));
}

/** Opens runs for new uploads of organizations that import on upload. Returns how many it opened. */
export async function openUploadRuns({ control, logger, now, onOpen }: SlotDeps): Promise<number> {
  let opened = 0;
  for (const due of await listUploadDue(control.read)) {
    const run = isSettled(due, now()) ? await openUploadRun(control.write, due.org, now()) : null;
    if (run === null) continue;
    opened++;
    logger.info('opened a run for new uploads', { org: due.org, run });
  }
  if (opened > 0) onOpen();
  return opened;
}

/**
 * Opens the slots that were missed, then each slot when it begins, until it is stopped. One job wakes at the next slot of
 * any organization; once a minute it follows changes of organizations and of the clock.
 * @throws when the missed slots can't be opened; later failures are logged, and retried after a second, then with longer pauses up to a minute.
 */
export async function startSlots(deps: SlotDeps): Promise<{ stop(): Promise<void> }> {
  let isStopping = false;
  let working: Promise<void> = Promise.resolve();
  const open = async () => {
    const orgs = await listEnabled(deps.control);
    if ((await deps.clock?.look()) !== false) await openSlots(deps, orgs);
    if (!isStopping) wakeUp.set(findNextSlot(orgs, deps.now(), deps.jitterMinutes));
  };
  const outage = createOutage('open the slots that are due', deps.logger);
  const attempt = () => {
    working = working.then(open).then(outage.end, (error: Error) => {
      // A slot that could not be opened is late with each second.
      if (!isStopping) wakeUp.set(deps.now() + outage.begin(error));
    });
    return working;
  };
  const wakeUp = createWakeUp(deps.now, attempt);
  await open();
  const rounds = startRounds(async () => {
    await attempt();
    return checkEveryMs;
  }, checkEveryMs);
  return {
    stop: async () => {
      isStopping = true;
      wakeUp.cancel();
      await rounds.stop();
      await working;
    },
  };
}

async function listEnabled(control: Db): Promise<Org[]> {
  return (await listOrgs(control.read)).filter(({ enabled }) => enabled);
}

interface Due {
  org: string;
  slot: Slot;
  beginsAt: number;
}

async function openSlots(
  { control, logger, now, onOpen, jitterMinutes }: SlotDeps,
  orgs: readonly Org[],
): Promise<number> {
  const due = findDue(orgs, await listSlotStates(control.read), now(), jitterMinutes);
  if (due.length === 0) return 0;
  const { waiting, busy } = await sortDue(
    control.read,
    due.map(({ org }) => org),
  );
  await passEmpty(
    control,
    due.filter(({ org }) => !waiting.has(org) && !busy.has(org)),
  );
  let opened = 0;
  const ready = due.filter(({ org }) => waiting.has(org) && !busy.has(org));
  const begins = new Map(ready.map(({ org, beginsAt }) => [org, beginsAt]));
  for (const { slot, orgs: ids } of bySlot(ready)) {
    const runs = await openSlotRuns(control.write, ids, slot, now());
    for (const [org, run] of runs)
      logger.info('slot opened', { org, run, date: slot.date, time: slot.time, lateMs: now() - begins.get(org)! });
    opened += runs.size;
  }
  if (opened > 0) onOpen();
  return opened;
}

/** The last slot of each organization that has begun and is not over. */
function findDue(orgs: readonly Org[], states: ReadonlyMap<string, SlotState>, now: number, jitterMinutes = 0): Due[] {
  const slotOf = shareSlots((org, jitterMs) => lastSlotOf(org, now, jitterMs), jitterMinutes);
  const due: Due[] = [];
  for (const org of orgs) {
    const { mark, owed } = states.get(org.id) ?? { mark: now, owed: null };
    const slot = slotOf(org);
    const beginsAt = slot.at + jitterOf(org, jitterMinutes);
    // An organization has no slots from before it was enabled, or had this slot.
    if (slot.at > mark && beginsAt >= org.slotsFrom) due.push({ org: org.id, slot, beginsAt });
    else if (owed !== null && owed > mark && owed <= now)
      due.push({ org: org.id, slot: slotAt(org, owed), beginsAt: owed });
  }
  return due;
}

/** A slot of former settings, as the present time zone shows it. */
function slotAt({ timeZone }: Org, at: number): Slot {
  return { date: dateIn(timeZone, at), time: timeIn(timeZone, at), at };
}

/** Those that have the same slot together: there may be thousands. */
function bySlot(due: readonly Due[]): { slot: Slot; orgs: string[] }[] {
  const groups = new Map<string, { slot: Slot; orgs: string[] }>();
  for (const { org, slot } of due) {
    const key = `${slot.at} ${slot.date} ${slot.time}`;
    const group = groups.get(key) ?? { slot, orgs: [] };
    groups.set(key, group);
    group.orgs.push(org);
  }
  return [...groups.values()];
}

/** One statement for all organizations whose slot began at the same moment: there may be thousands. */
async function passEmpty(control: Db, empty: readonly Due[]): Promise<void> {
  const byMoment = new Map<number, string[]>();
  for (const { org, slot } of empty) {
    const ids = byMoment.get(slot.at) ?? [];
    ids.push(org);
    byMoment.set(slot.at, ids);
  }
  for (const [at, ids] of byMoment) await passSlot(control.write, ids, at);
}

/** When the next slot of any of these organizations begins, in ms; null: there are none. */
function findNextSlot(orgs: readonly Org[], now: number, jitterMinutes = 0): number | null {
  const beginOf = shareSlots((org, jitterMs) => nextSlotOf(org, now, jitterMs), jitterMinutes);
  let next: number | null = null;
  for (const org of orgs) next = Math.min(next ?? Number.POSITIVE_INFINITY, beginOf(org));
  return next;
}

/** Computes once for all organizations that have the same slots: a slot costs a tenth of a millisecond, and thousands share it. */
export function shareSlots<T>(
  compute: (org: SlotsOfOrg, jitterMs: number) => T,
  jitterMinutes: number,
): (org: SlotsOfOrg) => T {
  const known = new Map<string, T>();
  return (org) => {
    const jitterMs = jitterOf(org, jitterMinutes);
    const key = `${org.timeZone} ${org.slot} ${org.options.cadence ?? ''} ${jitterMs}`;
    const found = known.get(key) ?? compute(org, jitterMs);
    known.set(key, found);
    return found;
  };
}

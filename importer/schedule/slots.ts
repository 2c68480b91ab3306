/**
 * Opens runs: one for each organization's slot when it begins, exactly once however many importers run, also for a slot
 * that began while none ran; and one for new uploads of an organization that imports on upload.
 */
import type { Logger } from '../../config/logger.js';
import type { Db } from '../../db/connection.js';
import { listOrgs, type Org } from '../../db/control/orgs.js';
import { listUploadDue, openSlotRun, openUploadRun } from '../../db/control/runs.js';
import { isSettled, slotDays } from './cadence.js';
import { lastSlot, nextSlot } from './calendar.js';
import { startRounds } from './periodic.js';
import { createWakeUp } from './wakeup.js';

export interface SlotDeps {
  control: Db;
  logger: Logger;
  now: () => number;
  /** Called when a run was opened. */
  onOpen: () => void;
}

/** How often slots are looked for that the job did not open: the clock jumped, or an organization is new. */
const checkEveryMs = 60_000;

/** Opens the last slot of every enabled organization, unless it was opened before. Returns how many it opened. */
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
 * @throws when the missed slots can't be opened; later failures are logged, and retried within a minute.
 */
export async function startSlots(deps: SlotDeps): Promise<{ stop(): Promise<void> }> {
  let isStopping = false;
  let working: Promise<void> = Promise.resolve();
  const open = async (since: number) => {
    const orgs = await listEnabled(deps.control);
    await openSlots(deps, orgs, since);
    if (!isStopping) wakeUp.set(findNextSlot(orgs, deps.now()));
  };
  const attempt = (since: number) => {
    working = working
      .then(() => open(since))
      .catch((error: Error) => {
        const { message: reason } = error;
        deps.logger.error(`could not open the slots that are due; will retry in ${checkEveryMs / 1000} s`, { reason });
      });
    return working;
  };
  const wakeUp = createWakeUp(deps.now, attempt);
  await open(0);
  const rounds = startRounds(async () => {
    await attempt(0);
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

/** @param since only slots that began then or later, in ms: the others were opened before. */
async function openSlots({ control, logger, now, onOpen }: SlotDeps, orgs: Org[], since = 0): Promise<number> {
  const slotOf = shareSlots(({ timeZone, slot, options }) => lastSlot(timeZone, slot, now(), slotDays(options)));
  let opened = 0;
  for (const org of orgs) {
    const slot = slotOf(org);
    // An organization has no slots from before it was enabled.
    if (slot.at < Math.max(since, org.slotsFrom)) continue;
    const run = await openSlotRun(control.write, org.id, slot, now());
    if (run === null) continue;
    opened++;
    logger.info('slot opened', { org: org.id, run, date: slot.date, time: slot.time, lateMs: now() - slot.at });
  }
  if (opened > 0) onOpen();
  return opened;
}

/** When the next slot of any of these organizations begins, in ms; null: there are none. */
function findNextSlot(orgs: readonly Org[], now: number): number | null {
  const slotOf = shareSlots(({ timeZone, slot, options }) => nextSlot(timeZone, slot, now, slotDays(options)));
  let next: number | null = null;
  for (const org of orgs) next = Math.min(next ?? Number.POSITIVE_INFINITY, slotOf(org).at);
  return next;
}

/** Computes once for all organizations that have the same slots: a slot costs a tenth of a millisecond, and thousands share it. */
export function shareSlots<T>(compute: (org: Org) => T): (org: Org) => T {
  const known = new Map<string, T>();
  return (org) => {
    const key = `${org.timeZone} ${org.slot} ${org.options.cadence ?? ''}`;
    const found = known.get(key) ?? compute(org);
    known.set(key, found);
    return found;
  };
}

/** Opens each organization's slots: node-schedule wakes it, a guarded insert opens it once, missed ones are caught up. */
import schedule from 'node-schedule';
import type { Logger } from '../../config/logger.js';
import type { Db } from '../../db/connection.js';
import { listOrgs, type Org } from '../../db/control/orgs.js';
import { listUploadDue, openSlotRun, openUploadRun } from '../../db/control/runs.js';
import { slotDays } from './cadence.js';
import { lastSlot } from './calendar.js';
import { isSettled } from './quiet.js';

export interface SlotDeps {
  control: Db;
  logger: Logger;
  now: () => number;
  /** Called when a slot was opened. */
  onOpen: () => void;
}

/** Opens the last slot of every enabled organization, where nobody has opened it yet. Returns how many it opened. */
export async function openDueSlots({ control, logger, now, onOpen }: SlotDeps, only?: string): Promise<number> {
  let opened = 0;
  for (const org of await listOrgs(control.read)) {
    if (!org.enabled || (only !== undefined && only !== org.id)) continue;
    const slot = lastSlot(org.timeZone, org.slot, now(), slotDays(org.options));
    // A slot before the organization had it is nobody's loss.
    if (slot.at < org.slotsFrom) continue;
    const run = await openSlotRun(control.write, org.id, slot, now());
    if (run === null) continue;
    opened++;
    logger.info('slot opened', { org: org.id, run, date: slot.date, time: slot.time, lateMs: now() - slot.at });
  }
  if (opened > 0) onOpen();
  return opened;
}

/** Opens runs of organizations that want their files imported as they come. Returns how many it opened. */
export async function openUploadRuns({ control, logger, now, onOpen }: SlotDeps): Promise<number> {
  let opened = 0;
  for (const due of await listUploadDue(control.read)) {
    const run = isSettled(due, now()) ? await openUploadRun(control.write, due.org, now()) : null;
    if (run === null) continue;
    opened++;
    logger.info('opened for what came', { org: due.org, run });
  }
  if (opened > 0) onOpen();
  return opened;
}

/**
 * Schedules the slots. Once a minute the schedule follows the organizations, and slots that no timer opened (the clock
 * jumped, the machine slept, an organization is new) are opened too.
 */
export async function startSlots(deps: SlotDeps): Promise<{ stop(): Promise<void> }> {
  const jobs = new Map<string, { key: string; jobs: schedule.Job[] }>();
  let working: Promise<unknown> = Promise.resolve();
  const attempt = (work: () => Promise<unknown>) => {
    working = working
      .then(work)
      .catch((error: Error) => deps.logger.error('slots were not opened', { reason: error.message }));
  };
  const follow = async () => {
    const orgs = new Map((await listOrgs(deps.control.read)).filter((org) => org.enabled).map((org) => [org.id, org]));
    for (const [id, { key, jobs: own }] of jobs) {
      const org = orgs.get(id);
      if (org !== undefined && keyOf(org) === key) continue;
      for (const job of own) job.cancel();
      jobs.delete(id);
    }
    for (const org of orgs.values()) {
      if (!jobs.has(org.id))
        jobs.set(org.id, { key: keyOf(org), jobs: wake(org, () => attempt(() => openDueSlots(deps, org.id))) });
    }
  };
  const catchUp = async () => {
    await follow();
    await openDueSlots(deps);
  };
  await catchUp();
  const minutely = schedule.scheduleJob('* * * * *', () => attempt(catchUp));
  return {
    stop: async () => {
      minutely.cancel();
      for (const { jobs: own } of jobs.values()) for (const job of own) job.cancel();
      await working;
    },
  };
}

/** Each day: on one that has no slot the last one has been opened before. */
function wake(org: Org, open: () => void): schedule.Job[] {
  return org.slot.split(',').map((time) => {
    const [hour, minute] = time.split(':').map(Number);
    const rule = new schedule.RecurrenceRule();
    Object.assign(rule, { hour, minute, second: 0, tz: org.timeZone });
    return schedule.scheduleJob(rule, open);
  });
}

function keyOf({ slot, timeZone }: Org): string {
  return `${slot} ${timeZone}`;
}

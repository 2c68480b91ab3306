/** Records the event `export.due` of each daily export when its time has come, once for each day. */
import type { Logger } from '../../config/logger.js';
import type { Db } from '../../db/connection.js';
import { isNoted, listOver, nameMark } from '../../db/control/calendarmarks.js';
import { forgetMarks, listMarks, mark } from '../../db/control/eventmarks.js';
import { recordEvent } from '../../db/control/events.js';
import { listSubscribers, type Subscriber } from '../../db/control/eventsubscribers.js';
import { findOrg } from '../../db/control/orgs.js';
import { lastSlot, type Slot } from '../../importer/schedule/calendar.js';
import { type Rounds, startRounds } from '../../importer/schedule/periodic.js';
import { dailyTime, type ExportOptions } from './options.js';

export interface DailyDeps {
  control: Db;
  logger: Logger;
  now: () => number;
}

const lookEveryMs = 15_000;
const prefix = 'export:';

export function startDailyExports(deps: DailyDeps): Rounds {
  return startRounds(async () => {
    await openDue(deps).catch((error: Error) =>
      deps.logger.error(`could not look for exports that are due; will retry in ${lookEveryMs / 1000} s`, {
        reason: error.message,
      }),
    );
    return lookEveryMs;
  });
}

/** After days without a server one export is due, not one for each day. */
export async function openDue({ control, now }: Pick<DailyDeps, 'control' | 'now'>): Promise<void> {
  // Before the exports: one that another node adds meanwhile has no mark here.
  const marks = new Set(await listMarks(control.read, prefix));
  const dates = new Map<string, string>();
  for (const each of await listSubscribers(control.read, 'export')) {
    const slot = await lastTime(control, each, now());
    if (slot === null) continue;
    const due = { of: `${prefix}${each.id}`, date: slot.date, everyDays: 1 };
    dates.set(due.of, due.date);
    if (each.state === 'disabled' || slot.at < each.createdAt || isNoted(marks, due)) continue;
    const event = { at: now(), org: each.org, type: 'export.due', subject: each.id, data: { export: each.id } };
    await control.transact(async (tx) => {
      if (await mark(tx, nameMark(due), event.at)) await recordEvent(tx, event);
    });
  }
  const over = listOver(marks, (of) => dates.get(of), 1);
  if (over.length > 0) await forgetMarks(control.write, over);
}

/** The last time of a daily export; null: it is made after runs. */
async function lastTime(control: Db, { org, options }: Subscriber, now: number): Promise<Slot | null> {
  const time = dailyTime((options as unknown as ExportOptions).when);
  const owner = time === null ? null : await findOrg(control.read, org!);
  return time === null || owner === null ? null : lastSlot(owner.timeZone, time, now);
}

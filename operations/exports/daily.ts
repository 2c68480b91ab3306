/** Records the event `export.due` of each daily export when its time has come, once for each day. */
import type { Logger } from '../../config/logger.js';
import type { Db } from '../../db/connection.js';
import { forgetMarks, listMarks, mark } from '../../db/control/eventmarks.js';
import { recordEvent } from '../../db/control/events.js';
import { listSubscribers, type Subscriber } from '../../db/control/eventsubscribers.js';
import { findOrg } from '../../db/control/orgs.js';
import { lastSlot } from '../../importer/schedule/calendar.js';
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
export async function openDue({ control, now }: DailyDeps): Promise<void> {
  const exports = await listSubscribers(control.read, 'export');
  const marks = await listMarks(control.read, prefix);
  const current = new Set<string>();
  for (const each of exports) {
    const name = await dueName(control, each, now());
    if (name === null) continue;
    current.add(name);
    if (each.state === 'disabled' || marks.includes(name)) continue;
    const event = { at: now(), org: each.org, type: 'export.due', subject: each.id, data: { export: each.id } };
    await control.transact(async (tx) => {
      if (await mark(tx, name, event.at)) await recordEvent(tx, event);
    });
  }
  const ended = marks.filter((name) => !current.has(name));
  if (ended.length > 0) await forgetMarks(control.write, ended);
}

/** The mark of the last time at which it was due; null: it is made after runs, or was not due since it was added. */
async function dueName(control: Db, { id, org, options, createdAt }: Subscriber, now: number): Promise<string | null> {
  const time = dailyTime((options as unknown as ExportOptions).when);
  const owner = time === null ? null : await findOrg(control.read, org!);
  if (time === null || owner === null) return null;
  const slot = lastSlot(owner.timeZone, time, now);
  return slot.at < createdAt ? null : `${prefix}${id}:${slot.date}`;
}

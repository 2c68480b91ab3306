/** Removes old events: after `eventDays` those that every enabled subscriber has had, and after twice that time all of them. */
import type { Logger } from '../../config/logger.js';
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import { removeEvents } from '../../db/control/events.js';
import { slowest } from '../../db/control/eventsubscribers.js';
import { removeDirectoryEvents } from '../../db/directory/events.js';
import type { Clock } from './clock.js';
import { type Rounds, startRounds } from './periodic.js';

export interface EventRetentionDeps {
  control: Db;
  directory: Db;
  settings: Pick<Settings, 'eventDays'>;
  logger: Logger;
  now: () => number;
  /** Without it the clock is trusted always. */
  clock?: Pick<Clock, 'mayDecide'>;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const untrustedMs = 60_000;
/** Rows of one transaction: so few that no CLOSE waits for it noticeably. */
const batchRows = 500;

export function startEventRetention(deps: EventRetentionDeps): Rounds {
  return startRounds(async (isStopping) => {
    if (deps.clock?.mayDecide() === false) return untrustedMs;
    await removeOldEvents(deps, isStopping).catch((error: Error) =>
      deps.logger.error('could not remove old events; will retry in an hour', { reason: error.message }),
    );
    return hourMs;
  });
}

/** How many were removed from each database. */
export async function removeOldEvents(
  { control, directory, settings, now }: EventRetentionDeps,
  isStopping: () => boolean = () => false,
): Promise<{ control: number; directory: number }> {
  const old = now() - settings.eventDays * dayMs;
  const oldest = now() - 2 * settings.eventDays * dayMs;
  const everything = Number.MAX_SAFE_INTEGER;
  const had = (await slowest(control)) ?? { control: everything, directory: everything };
  const removed = { control: 0, directory: 0 };
  for (const [before, to] of [
    [old, had],
    [oldest, { control: everything, directory: everything }],
  ] as const) {
    removed.control += await repeat(() => removeEvents(control.write, before, to.control, batchRows), isStopping);
    removed.directory += await repeat(
      () => removeDirectoryEvents(directory.write, before, to.directory, batchRows),
      isStopping,
    );
  }
  return removed;
}

async function repeat(work: () => Promise<number>, isStopping: () => boolean): Promise<number> {
  let total = 0;
  for (;;) {
    const removed = await work();
    total += removed;
    if (removed < batchRows || isStopping()) return total;
  }
}

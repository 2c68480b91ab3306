/** Deactivates users at their scheduled time, or at the start when no importer ran then, and reports it (rule U12). */
import { recordAudit } from '../../db/control/audit.js';
import { deactivateDue, listOrgsOfDeactivated, nextDeactivation } from '../../db/directory/deactivations.js';
import type { Clock } from './clock.js';
import { type DeactivationReportDeps, reportDeactivations } from './deactivationreport.js';
import { type Rounds, startRounds } from './periodic.js';

export interface DeactivationDeps extends DeactivationReportDeps {
  /** Without it the clock is trusted always. */
  clock?: Clock;
}

/** An import may schedule an earlier deactivation during a pause, so no pause is longer. */
const longestPauseMs = 15_000;
const retryMs = 5_000;
const dayMs = 86_400_000;

export function startDeactivations(deps: DeactivationDeps): Rounds {
  const { control, directory, logger, now, clock } = deps;
  /** Organizations whose report is still to be written, each with the time of the deactivations. */
  const unreported = new Map<string, number>();
  let isFirst = true;
  return startRounds(async () => {
    if (clock?.mayDecide() === false) return longestPauseMs;
    try {
      const at = now();
      if (isFirst) await reportMissing(deps, at);
      isFirst = false;
      const audit = (org: string, users: number[]) =>
        recordAudit(control.write, {
          ...{ at, org, actor: 'system', action: 'users.deactivated' },
          ...{ subject: 'scheduled deactivations', detail: { users } },
        });
      for (const [org, users] of await deactivateDue(directory, at, audit)) {
        logger.info('deactivated users at their scheduled time', { org, users });
        unreported.set(org, at);
      }
      for (const [org, deactivatedAt] of unreported) {
        await reportDeactivations(deps, org, deactivatedAt);
        unreported.delete(org);
      }
      const next = await nextDeactivation(directory);
      return next === null ? longestPauseMs : Math.min(Math.max(next - now(), 0), longestPauseMs);
    } catch (error) {
      logger.error(
        `could not deactivate users at their scheduled time, or report it; will retry in ${retryMs / 1000} s`,
        {
          reason: (error as Error).message,
        },
      );
      return retryMs;
    }
  });
}

/** A process that ended right after a deactivation wrote no report of it. */
async function reportMissing(deps: DeactivationDeps, at: number): Promise<void> {
  // The day before began two days ago, in each time zone.
  for (const org of await listOrgsOfDeactivated(deps.directory.read, at - 3 * dayMs))
    for (const day of [at - dayMs, at]) await reportDeactivations(deps, org, day, true);
}

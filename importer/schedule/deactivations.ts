/** Deactivates users at their scheduled time, or at the start when no importer ran then (rule U12). */
import type { Logger } from '../../config/logger.js';
import type { Db } from '../../db/connection.js';
import { recordAudit } from '../../db/control/audit.js';
import { deactivateDue, nextDeactivation } from '../../db/directory/deactivations.js';
import { type Rounds, startRounds } from './periodic.js';

export interface DeactivationDeps {
  control: Db;
  directory: Db;
  logger: Logger;
  now: () => number;
}

/** An import may schedule an earlier deactivation during a pause, so no pause is longer. */
const longestPauseMs = 15_000;
const retryMs = 5_000;

export function startDeactivations({ control, directory, logger, now }: DeactivationDeps): Rounds {
  return startRounds(async () => {
    try {
      const at = now();
      const audit = (org: string, users: number[]) =>
        recordAudit(control.write, {
          ...{ at, org, actor: 'system', action: 'users.deactivated' },
          ...{ subject: 'scheduled deactivations', detail: { users } },
        });
      for (const [org, users] of await deactivateDue(directory, at, audit))
        logger.info('deactivated users at their scheduled time', { org, users });
      const next = await nextDeactivation(directory);
      return next === null ? longestPauseMs : Math.min(Math.max(next - now(), 0), longestPauseMs);
    } catch (error) {
      logger.error(`could not deactivate users at their scheduled time; will retry in ${retryMs / 1000} s`, {
        reason: (error as Error).message,
      });
      return retryMs;
    }
  });
}

/** Deactivates users at their scheduled time, or at the start when no importer ran then (rule U12). */
import type { Logger } from '../../config/logger.js';
import type { Db } from '../../db/connection.js';
import { deactivateDue, nextDeactivation } from '../../db/directory/deactivations.js';
import { type Rounds, startRounds } from './periodic.js';

export interface DeactivationDeps {
  directory: Db;
  logger: Logger;
  now: () => number;
}

/** An import may schedule an earlier deactivation during a pause, so no pause is longer. */
const longestPauseMs = 15_000;
const retryMs = 5_000;

export function startDeactivations({ directory, logger, now }: DeactivationDeps): Rounds {
  return startRounds(async () => {
    try {
      for (const [org, users] of await deactivateDue(directory, now()))
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

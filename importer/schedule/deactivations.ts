/** Makes scheduled deactivations happen at their time, also those that came due while nothing ran (rule U12). */
import type { Logger } from '../../config/logger.js';
import type { Db } from '../../db/connection.js';
import { deactivateDue, nextDeactivation } from '../../db/directory/deactivations.js';
import { type Rounds, startRounds } from './periodic.js';

export interface DeactivationDeps {
  directory: Db;
  logger: Logger;
  now: () => number;
}

/** Imports schedule more while this sleeps: it looks again at least this often. */
const longestSleepMs = 15_000;
const retryMs = 5_000;

export function startDeactivations({ directory, logger, now }: DeactivationDeps): Rounds {
  return startRounds(async () => {
    try {
      for (const [org, users] of await deactivateDue(directory, now()))
        logger.info('users deactivated as scheduled', { org, users });
      const next = await nextDeactivation(directory);
      return next === null ? longestSleepMs : Math.min(Math.max(next - now(), 0), longestSleepMs);
    } catch (error) {
      logger.error('scheduled deactivations wait', { reason: (error as Error).message });
      return retryMs;
    }
  });
}

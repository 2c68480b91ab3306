/** Makes scheduled deactivations happen at their time, also those that came due while nothing ran (rule U12). */
import type { Logger } from '../config/logger.js';
import type { Db } from '../db/connection.js';
import { deactivateDue, nextDeactivation } from '../db/directory/deactivation.js';

export interface DeactivationDeps {
  directory: Db;
  logger: Logger;
  now: () => number;
}

/** Imports schedule more while this sleeps: it looks again at least this often. */
const longestSleepMs = 15_000;
const retryMs = 5_000;

export function startDeactivations(deps: DeactivationDeps): { stop(): Promise<void> } {
  const { directory, logger, now } = deps;
  let timer: NodeJS.Timeout | undefined;
  let isStopping = false;
  const look = async () => {
    let sleepMs = retryMs;
    try {
      for (const [org, users] of await deactivateDue(directory, now()))
        logger.info('users deactivated as scheduled', { org, users });
      const next = await nextDeactivation(directory);
      sleepMs = next === null ? longestSleepMs : Math.min(Math.max(next - now(), 0), longestSleepMs);
    } catch (error) {
      logger.error('scheduled deactivations wait', { reason: (error as Error).message });
    }
    if (!isStopping) timer = setTimeout(begin, sleepMs);
  };
  let working = Promise.resolve();
  const begin = () => {
    working = look();
  };
  begin();
  return {
    stop: async () => {
      isStopping = true;
      clearTimeout(timer);
      await working;
    },
  };
}

/** Removes, as long as the server runs, the files that killed processes have filled for an object store. */
import type { Logger } from '../config/logger.js';
import { type Rounds, startRounds } from '../importer/schedule/periodic.js';
import type { Workplace } from '../operations/workplace.js';
import { SpoolSweep, sweepEveryMs } from '../storage/spools.js';

/** In every role: importers seal reports. */
export function watchSpools({ paths }: Pick<Workplace, 'paths'>, logger: Logger, everyMs = sweepEveryMs): Rounds {
  const spools = new SpoolSweep(paths);
  return startRounds(async () => {
    try {
      const files = await spools.sweep();
      if (files > 0) logger.info('removed the local files of uploads whose processes have died', { files });
    } catch (error) {
      logger.error('could not remove the local files of uploads whose processes have died', {
        reason: (error as Error).message,
      });
    }
    return everyMs;
  });
}

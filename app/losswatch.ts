/** Says while a server runs that its database has lost commits: after a fail-over of PostgreSQL to a standby that had not received them. */
import type { Logger } from '../config/logger.js';
import { type Rounds, startRounds } from '../importer/schedule/periodic.js';
import { describeMisfits } from '../operations/databases.js';
import type { Workplace } from '../operations/workplace.js';

const lookEveryMs = 10_000;

/** Logs a loss once. Each commit looks for one too, so that none is overlooked; a node without commits finds it here. On SQLite it does nothing. */
export function watchLosses(
  { control, directory }: Pick<Workplace, 'control' | 'directory'>,
  logger: Logger,
  everyMs = lookEveryMs,
): Rounds {
  const { mark } = control;
  if (mark === undefined || control.dialect === 'sqlite') return { stop: async () => {} };
  const findLoss = () => mark.lost?.at ?? null;
  let known = findLoss();
  const look = async () => {
    await mark.examine(control, Date.now());
    const found = findLoss();
    if (found !== null && found !== known)
      for (const reason of await describeMisfits({ control, directory }))
        logger.error('the databases are not whole', { reason });
    known = found;
  };
  return startRounds(async () => {
    // A database that does not answer has its own log lines.
    await look().catch(() => {});
    return everyMs;
  }, everyMs);
}

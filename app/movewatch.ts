/**
 * Notices that `dropslot migrate` has moved the databases or the sealed files of a running server, which can't go on with the old ones,
 * and ends what a killed one has left behind.
 */
import type { Logger } from '../config/logger.js';
import { type Db, halfNames } from '../db/connection.js';
import { describeLeft, readBlobPlace } from '../db/control/blobplace.js';
import { areStale, endChanges } from '../db/move/changes.js';
import { describeMoveState, readMoveState } from '../db/move/state.js';
import { limitLockWait } from '../db/postgres/limits.js';
import { type Rounds, startRounds } from '../importer/schedule/periodic.js';
import type { Workplace } from '../operations/workplace.js';
import type { StorePaths } from '../storage/blobstore.js';

const lookEveryMs = 2_000;
const cleanEveryMs = 5 * 60_000;
/** A move that works renews its notes every half minute. */
const staleMs = 15 * 60_000;

/** Calls `onMoved` once, with the reason in a sentence. */
export function watchMove(
  { control, paths }: Pick<Workplace, 'paths'> & { control: Pick<Db, 'read'> },
  logger: Logger,
  onMoved: (reason: string) => void,
): Rounds {
  let isKnown = false;
  return startRounds(async () => {
    // A database that does not answer has its own log lines.
    const reason = isKnown ? null : await findReason(control, paths).catch(() => null);
    if (reason !== null) {
      isKnown = true;
      logger.error('the server ends: its databases or its sealed files are no longer in use', { reason });
      onMoved(reason);
    }
    return lookEveryMs;
  }, lookEveryMs);
}

/** null: nothing was moved. */
async function findReason({ read }: Pick<Db, 'read'>, { placeNumber = 0 }: StorePaths): Promise<string | null> {
  const state = await readMoveState(read);
  if (state !== null) return describeMoveState(state);
  const { number, place } = await readBlobPlace(read);
  return number > placeNumber && place !== null ? describeLeft(place) : null;
}

/** A move that was killed leaves triggers that note each change: they cost time and space until they are removed. */
export function removeStaleNotes(
  databases: Record<'control' | 'directory', Pick<Db, 'read' | 'write' | 'withheld'>>,
  logger: Logger,
  { everyMs = cleanEveryMs, afterMs = staleMs } = {},
): Rounds {
  return startRounds(async () => {
    try {
      for (const half of halfNames) {
        const { read, write, withheld } = databases[half];
        if (withheld !== undefined || !(await areStale(read, afterMs))) continue;
        await endChanges(write, (work) =>
          write.transaction(async (tx) => {
            await limitLockWait(tx);
            await work(tx);
          }),
        );
        logger.info('removed the notes of a move that was interrupted', { database: half });
      }
    } catch {
      // Other work uses the tables, or the database is away: the next round tries again.
    }
    return everyMs;
  }, everyMs);
}

/** Notices that `dropslot migrate` has moved the databases of a running server, which can't write to them any more. */
import type { Logger } from '../config/logger.js';
import type { Db } from '../db/connection.js';
import { describeMoveState, readMoveState } from '../db/move/state.js';
import { type Rounds, startRounds } from '../importer/schedule/periodic.js';

const lookEveryMs = 2_000;

/** Calls `onMoved` once, with the reason in a sentence. */
export function watchMove(control: Pick<Db, 'read'>, logger: Logger, onMoved: (reason: string) => void): Rounds {
  let isKnown = false;
  return startRounds(async () => {
    // A database that does not answer has its own log lines.
    const state = isKnown ? null : await readMoveState(control.read).catch(() => null);
    if (state !== null) {
      isKnown = true;
      const reason = describeMoveState(state);
      logger.error('the server ends: its databases are no longer in use', { reason });
      onMoved(reason);
    }
    return lookEveryMs;
  }, lookEveryMs);
}

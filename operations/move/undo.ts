/** Takes a move back: the old databases are used again, as they were at the move. */
import { readHead, recordAudit } from '../../db/control/audit.js';
import { holdStill } from '../../db/move/lock.js';
import {
  acceptWrites,
  describeMoveState,
  type MoveState,
  readMoveState,
  refuseWrites,
  writeMoveState,
} from '../../db/move/state.js';
import { OperationError } from '../error.js';
import { atKeys } from '../keylock.js';
import type { Workplace } from '../workplace.js';
import { forgetCopy } from './copy.js';
import { type Destination, nameDatabase, openTarget } from './target.js';

export interface UndoReport {
  /** The databases that are in use again. */
  inUse: string;
  /** Where the data was moved to. */
  other: string;
  /** Records of the audit trail that the other one has made since: this one lacks all that they tell. null: it was not asked. */
  lostRecords: number | null;
}

/**
 * @param source the old databases, opened with `evenMoved`
 * @param destination the new ones, which are closed for writes first; null: they are gone
 * @param isLossAccepted all that the new ones have taken since the move is given up
 * @throws OperationError `refused` when nothing was moved, or something would be lost
 */
export function undoMove(
  source: Workplace,
  destination: Destination | null,
  isLossAccepted: boolean,
): Promise<UndoReport> {
  return atKeys(source, async () => {
    const state = await readMoveState(source.control.read);
    // A kill between the two commits of a move.
    if (state === null) await source.directory.write.transaction((tx) => acceptWrites(tx));
    if (state?.state !== 'moved')
      throw new OperationError(
        'refused',
        state === null
          ? `${nameDatabase(source.settings)} is in use: there is no move to undo`
          : `${nameDatabase(source.settings)} is being filled from ${state.other}: remove it, and go on with ${state.other}`,
      );
    if (destination === null && !isLossAccepted)
      throw new OperationError(
        'refused',
        `name the new database with --to, so that it is closed first; if it is gone, confirm with --yes that what it took since the move is lost`,
      );
    const lostRecords = destination === null ? null : await closeOther(source, destination, state, isLossAccepted);
    await forgetCopy(source);
    await source.directory.write.transaction((tx) => acceptWrites(tx));
    await source.control.write.transaction(async (tx) => {
      await acceptWrites(tx);
      await writeMoveState(tx, null);
    });
    const event = { at: source.now(), org: null, actor: source.actor, action: 'databases.move_undone' };
    await recordAudit(source.control.write, {
      ...event,
      subject: state.other,
      detail: { move: state.moveId, lostRecords },
    });
    return { inUse: nameDatabase(source.settings), other: state.other, lostRecords };
  });
}

/** Never two places that both accept files. */
async function closeOther(
  source: Workplace,
  destination: Destination,
  moved: MoveState,
  isLossAccepted: boolean,
): Promise<number> {
  const { moveId, pairId, auditCount } = moved;
  const target = await openTarget(source, destination, moved);
  try {
    // It is not complete, or an undo that was killed has closed it: no server uses it.
    if (target.state?.moveId === moveId) return 0;
    if (target.state !== null)
      throw new OperationError(
        'refused',
        `${destination.name} is not in use either: ${describeMoveState(target.state)}. Name the database that is in use`,
      );
    return await holdStill(target, async (still) => {
      const lost = (await readHead(still.control)).count - auditCount;
      if (lost > 0 && !isLossAccepted)
        throw new OperationError(
          'refused',
          `${destination.name} has recorded ${lost} events since the move: go back without a loss by "dropslot migrate" with its settings, or give them up with --yes`,
        );
      await refuseWrites(still.directory);
      await refuseWrites(still.control);
      const other = nameDatabase(source.settings);
      const references = { control: [], directory: [] };
      await writeMoveState(still.control, {
        ...{ state: 'moved', moveId, pairId, other, references, auditCount: auditCount + lost },
        at: source.now(),
      });
      return lost;
    });
  } finally {
    await target.close();
  }
}

/** The last time that an importer trusted, and the last jump of the clock: kept over restarts, and for doctor. */
import type { Queryable } from '../connection.js';

export interface ClockState {
  /** Milliseconds since 1970; 0: no importer has run yet. */
  seenAt: number;
  /** The clock's time before and after its last jump; null: it never jumped. */
  jump: { from: number; to: number } | null;
  /** Since when it is ahead, by the right time: it went ahead, and has not come back. null: it did not. */
  aheadFrom: number | null;
}

export async function readClock(db: Queryable): Promise<ClockState> {
  const row = await db('clock').where({ id: 1 }).first();
  const { seen_at: seenAt, jumped_from: from, jumped_to: to, ahead_from: aheadFrom } = row;
  return { seenAt, jump: from === null ? null : { from, to }, aheadFrom };
}

export async function recordTime(db: Queryable, seenAt: number): Promise<void> {
  await db('clock').where({ id: 1 }).update({ seen_at: seenAt });
}

export async function recordJump(db: Queryable, { from, to }: { from: number; to: number }): Promise<void> {
  await db('clock').where({ id: 1 }).update({ jumped_from: from, jumped_to: to });
}

export async function recordAhead(db: Queryable, aheadFrom: number | null): Promise<void> {
  await db('clock').where({ id: 1 }).update({ ahead_from: aheadFrom });
}

/** Work that one process of all nodes may do at a time, under an advisory lock of a transaction that stays open, which a pooler allows. */
import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';
import { DatabaseError } from '../error.js';
import { liftTimeLimits } from './limits.js';

/** Ends with its process, and with its connection. */
export interface Claim {
  /** @throws DatabaseError `conflict` when it was lost, as with its connection */
  require(): Promise<void>;
  release(): Promise<void>;
}

/** A transaction that rests is asked so often: PostgreSQL, or a pooler, would end it, as it should that of a process that stands still. */
const awakeEveryMs = 2_000;

/** Takes a connection of `db` until the release. null: another process of any node has it. */
export async function takeClaim(db: Knex, name: string): Promise<Claim | null> {
  const tx = await db.transaction({ readOnly: true });
  try {
    await liftTimeLimits(tx);
    const { rows } = await tx.raw('SELECT pg_try_advisory_xact_lock(hashtext(?), hashtext(current_schema())) AS got', [
      name,
    ]);
    if (!rows[0].got) {
      await tx.rollback();
      return null;
    }
  } catch (error) {
    if (!tx.isCompleted()) await tx.rollback().catch(() => {});
    throw error;
  }
  const awake = stayAwake(tx);
  return {
    require: async () => {
      try {
        await tx.raw('SELECT 1');
      } catch (cause) {
        throw new DatabaseError('conflict', 'the connection that claims the database was lost: repeat this', { cause });
      }
    },
    release: async () => {
      await awake.stop();
      if (!tx.isCompleted()) await tx.rollback().catch(() => {}); // of a connection that is gone
    },
  };
}

/** Asks a transaction for nothing again and again, so that it is not idle while the work is at another one. */
export function stayAwake(tx: Knex): { stop(): Promise<void> } {
  if (dialectOf(tx) !== 'postgres') return { stop: async () => {} };
  let isAsking = false;
  let asked: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    if (isAsking) return;
    isAsking = true;
    // A transaction that has failed tells that to the work itself.
    asked = tx.raw('SELECT 1').then(
      () => {
        isAsking = false;
      },
      () => {},
    );
  }, awakeEveryMs).unref();
  return {
    stop: () => {
      clearInterval(timer);
      return asked;
    },
  };
}

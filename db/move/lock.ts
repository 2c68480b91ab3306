/** Holds both databases of an installation still: nobody else writes while a move copies the last rows. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';
import { DatabaseError, isConflict } from '../error.js';
import { liftTimeLimits } from '../postgres/limits.js';
import { listTables } from './tables.js';

export interface Still {
  control: Knex;
  directory: Knex;
  /** When others could begin no write any more, by performance.now(). */
  since: number;
}

interface Writable {
  write: Knex;
}

/** In all. */
const waitMs = 60_000;
/** The half that rests is asked so often: PostgreSQL, or a pooler, would end its transaction, as it should that of a process that stands still. */
const awakeEveryMs = 2_000;
/** Shorter than PostgreSQL waits before it looks for a deadlock: this gives way to a writer that waits for one of these tables. */
const lockTimeoutMs = 500;
const pauseMs = 200;

/**
 * Runs `work` in one transaction of each database, and commits the directory first. Readers are not held up.
 * @throws DatabaseError `unavailable` when another process writes for longer than a minute
 */
export async function holdStill<T>(
  { control, directory }: { control: Writable; directory: Writable },
  work: (still: Still) => Promise<T>,
): Promise<T> {
  const giveUpAt = performance.now() + waitMs;
  for (;;) {
    let isHeld = false;
    const since = performance.now();
    try {
      return await control.write.transaction(async (control) => {
        await lockTables(control);
        const half = stayAwake(control);
        try {
          return await directory.write.transaction(async (directory) => {
            await lockTables(directory);
            isHeld = true;
            const other = stayAwake(directory);
            try {
              return await work({ control, directory, since });
            } finally {
              await other.stop();
            }
          });
        } finally {
          await half.stop();
        }
      });
    } catch (cause) {
      if (isHeld || !isLocked(cause)) throw cause;
      if (performance.now() > giveUpAt)
        throw new DatabaseError(
          'unavailable',
          'other processes write to the databases all the time: stop the servers, and repeat the move',
          { cause },
        );
      await sleep(pauseMs);
    }
  }
}

export interface Claim {
  /** @throws DatabaseError `conflict` when it was lost, as with its connection */
  require(): Promise<void>;
  release(): Promise<void>;
}

/** One move at a time fills or empties a database. null: another one does. On SQLite the lock of the data folder is enough. */
export async function claimDatabase({ write }: Writable): Promise<Claim | null> {
  if (dialectOf(write) !== 'postgres') return { require: async () => {}, release: async () => {} };
  const tx = await write.transaction({ readOnly: true });
  const { rows } = await tx.raw(
    `SELECT pg_try_advisory_xact_lock(hashtext('dropslot move'), hashtext(current_schema())) AS got`,
  );
  if (!rows[0].got) {
    await tx.rollback();
    return null;
  }
  const awake = stayAwake(tx);
  return {
    require: async () => {
      try {
        await tx.raw('SELECT 1');
      } catch (cause) {
        throw new DatabaseError('conflict', 'the connection that claims the database was lost: repeat the move', {
          cause,
        });
      }
    },
    release: async () => {
      await awake.stop();
      if (!tx.isCompleted()) await tx.rollback().catch(() => {}); // of a connection that is gone
    },
  };
}

/** Asks a transaction for nothing again and again, so that it is not idle while the work is at the other one. */
function stayAwake(tx: Knex): { stop(): Promise<void> } {
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

function isLocked(cause: unknown): boolean {
  return ['55P03', 'SQLITE_BUSY'].includes((cause as { code?: string }).code ?? '') || isConflict(cause);
}

/** On SQLite the transaction itself is the writer's lock. */
async function lockTables(db: Knex): Promise<void> {
  if (dialectOf(db) !== 'postgres') return;
  await liftTimeLimits(db);
  await db.raw(`SET LOCAL lock_timeout = ${lockTimeoutMs}`);
  const tables = await listTables(db);
  const places = tables.map(() => '??').join(', ');
  await db.raw(
    `LOCK TABLE ${places} IN EXCLUSIVE MODE`,
    tables.map(({ name }) => name),
  );
  await db.raw('SET LOCAL lock_timeout = 0');
}

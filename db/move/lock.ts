/** Holds both databases of an installation still: nobody else writes while a move copies the last rows. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';
import { DatabaseError, isConflict } from '../error.js';
import { type Claim, stayAwake, takeClaim } from '../postgres/claim.js';
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

/** One move at a time fills or empties a database. null: another one does. On SQLite the lock of the data folder is enough. */
export async function claimDatabase({ write }: Writable): Promise<Claim | null> {
  if (dialectOf(write) !== 'postgres') return { require: async () => {}, release: async () => {} };
  return takeClaim(write, 'dropslot move');
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

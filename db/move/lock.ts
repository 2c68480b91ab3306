/** Holds both databases of an installation still: nobody else writes while a move copies the last rows. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';
import { DatabaseError, isConflict } from '../error.js';
import { listTables } from './tables.js';

export interface Still {
  control: Knex;
  directory: Knex;
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
    try {
      return await control.write.transaction(async (control) => {
        await lockTables(control);
        return directory.write.transaction(async (directory) => {
          await lockTables(directory);
          isHeld = true;
          return work({ control, directory });
        });
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

function isLocked(cause: unknown): boolean {
  return ['55P03', 'SQLITE_BUSY'].includes((cause as { code?: string }).code ?? '') || isConflict(cause);
}

/** On SQLite the transaction itself is the writer's lock. */
async function lockTables(db: Knex): Promise<void> {
  if (dialectOf(db) !== 'postgres') return;
  await db.raw(`SET LOCAL lock_timeout = ${lockTimeoutMs}`);
  const tables = await listTables(db);
  const places = tables.map(() => '??').join(', ');
  await db.raw(
    `LOCK TABLE ${places} IN EXCLUSIVE MODE`,
    tables.map(({ name }) => name),
  );
  await db.raw('SET LOCAL lock_timeout = 0');
}

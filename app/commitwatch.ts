/** Notices that commits wait for a standby of PostgreSQL: the database answers reads, and no upload gets an answer. */
import type { Logger } from '../config/logger.js';
import type { Db } from '../db/connection.js';
import { type CommitWait, readCommitWait } from '../db/postgres/replication.js';
import { startRounds } from '../importer/schedule/periodic.js';
import { describeWait } from '../operations/doctor/databaseserver.js';

export interface CommitWatch {
  /** One sentence while commits wait; else null. */
  fault(): string | null;
  stop(): Promise<void>;
}

const lookEveryMs = 2_000;

/** Logs the beginning and the end of such a time. On SQLite it does nothing. */
export function watchCommits(
  control: Pick<Db, 'dialect' | 'openAside'>,
  logger: Logger,
  everyMs = lookEveryMs,
): CommitWatch {
  // Those of the pool may all wait.
  const db = control.openAside?.();
  if (db === undefined) return { fault: () => null, stop: async () => {} };
  let known: CommitWait | null = null;
  const look = async () => {
    const wait = await readCommitWait(db);
    if (wait !== null && known === null)
      logger.error('commits wait for a standby of PostgreSQL; uploads get no answer', { reason: describeWait(wait) });
    if (wait === null && known !== null) logger.info('commits wait for no standby any more; uploads are answered');
    known = wait;
  };
  const rounds = startRounds(async () => {
    // A database that does not answer has its own log lines.
    await look().catch(() => {});
    return everyMs;
  }, everyMs);
  return {
    fault: () => known && describeWait(known),
    stop: async () => {
      await rounds.stop();
      await db.destroy();
    },
  };
}

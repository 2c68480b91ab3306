/** Notices that PostgreSQL answers reads and takes no writes: commits wait for a standby, its disk is full, or it is read-only. */
import type { Logger } from '../config/logger.js';
import type { Db } from '../db/connection.js';
import { type CommitWait, readCommitWait } from '../db/postgres/replication.js';
import { findWriteFault } from '../db/postgres/writable.js';
import { startRounds } from '../importer/schedule/periodic.js';
import { describeWait } from '../operations/doctor/databaseserver.js';

export interface CommitWatch {
  /** One sentence while commits wait, or writes are refused; else null. */
  fault(): string | null;
  /** null: none waits for longer than usual. */
  wait(): CommitWait | null;
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
  if (db === undefined) return { fault: () => null, wait: () => null, stop: async () => {} };
  let known: CommitWait | null = null;
  let refusal: string | null = null;
  const lookForRefusal = async () => {
    const found = await findWriteFault(db);
    if (found !== null && found !== refusal)
      logger.error('the database takes no writes; uploads fail', { reason: found });
    if (found === null && refusal !== null) logger.info('the database takes writes again');
    refusal = found;
  };
  const look = async () => {
    const wait = await readCommitWait(db);
    if (wait !== null && known === null)
      logger.error('commits wait for a standby of PostgreSQL; uploads get no answer', { reason: describeWait(wait) });
    if (wait === null && known !== null) logger.info('commits wait for no standby any more; uploads are answered');
    known = wait;
    await lookForRefusal();
  };
  const rounds = startRounds(async () => {
    // A database that does not answer has its own log lines.
    await look().catch(() => {});
    return everyMs;
  }, everyMs);
  return {
    fault: () => (known === null ? refusal : describeWait(known)),
    wait: () => known,
    stop: async () => {
      await rounds.stop();
      await db.destroy();
    },
  };
}

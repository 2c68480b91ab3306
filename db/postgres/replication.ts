/** Tells whether commits wait for a standby (`synchronous_standby_names`), and whether one is there to answer. */
import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';

/** Commits of this user that wait for a standby. */
export interface CommitWait {
  commits: number;
  /** Of the one that waits longest. */
  waitedMs: number;
}

/** A standby on another continent answers sooner. */
const usualMs = 3_000;

/** null: none has waited for longer than seconds, or it is SQLite. */
export async function readCommitWait(db: Knex): Promise<CommitWait | null> {
  if (dialectOf(db) !== 'postgres') return null;
  const { rows } = await db.raw(
    `SELECT count(*)::int AS commits, coalesce(max(extract(epoch FROM clock_timestamp() - query_start)) * 1000, 0)::float8 AS waited
       FROM pg_catalog.pg_stat_activity
      WHERE usename = current_user AND datname = current_database() AND wait_event = 'SyncRep'
        AND query_start < clock_timestamp() - ? * interval '1 millisecond'`,
    [usualMs],
  );
  const [{ commits, waited }] = rows;
  return commits === 0 ? null : { commits, waitedMs: Math.round(waited) };
}

/** How many standbys are attached that a commit waits for; null: there are standbys, and this user may not see which. */
export async function countStandbys(db: Knex): Promise<number | null> {
  const { rows } = await db.raw(
    `SELECT count(*) FILTER (WHERE sync_state IN ('sync', 'quorum'))::int AS synchronous,
       count(*) FILTER (WHERE sync_state IS NULL)::int AS hidden FROM pg_catalog.pg_stat_replication`,
  );
  return rows[0].hidden > 0 ? null : rows[0].synchronous;
}

/** The COMMIT of a transaction that only reads waits for no standby, which may lack the rows that were read: with this it waits. */
export async function awaitStandby(tx: Knex): Promise<void> {
  if (dialectOf(tx) === 'postgres') await tx.raw("SELECT pg_logical_emit_message(true, 'dropslot', '')");
}

/**
 * Commits nothing, to see whether a standby confirms it in time; true where no commit waits for one. Its COMMIT is not left waiting.
 * @param aside a connection beside those of `db`
 */
export async function isCommitAnswered(db: Knex, aside: Knex, withinMs: number): Promise<boolean> {
  let pid: number | null = null;
  const cancel = async () => {
    await db.raw(
      "SELECT pg_cancel_backend(pid) FROM pg_catalog.pg_stat_activity WHERE pid = ? AND wait_event = 'SyncRep'",
      [pid],
    );
  };
  // Again and again: a COMMIT on a slow server may begin to wait later.
  const timer = setInterval(() => void cancel().catch(() => {}), withinMs);
  try {
    await aside.transaction(async (tx) => {
      pid = (await tx.raw('SELECT pg_backend_pid() AS pid')).rows[0].pid;
      await awaitStandby(tx);
    });
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === unknownOutcome) return false;
    throw error;
  } finally {
    clearInterval(timer);
  }
}

/**
 * For a notice that must not wait for a standby, such as that there is none: nor does its transaction wait for long for the locks of
 * commits that wait.
 */
export async function waitForNoStandby(tx: Knex): Promise<void> {
  if (dialectOf(tx) === 'postgres') await tx.raw("SET LOCAL synchronous_commit = local; SET LOCAL lock_timeout = '5s'");
}

/** A WARNING of PostgreSQL, of which the routine is in no language: the commit has taken place here, and perhaps on no standby. */
export function isWaitCancelled({ routine }: { routine?: string | undefined }): boolean {
  return routine === 'SyncRepWaitForLSN';
}

/** transaction_resolution_unknown */
const unknownOutcome = '08007';

/** As the loss of the answer. */
export function waitCancelled(): Error {
  const message = 'the wait of a COMMIT for its standby was cancelled: it may be on this database server alone';
  return Object.assign(new Error(message), { code: unknownOutcome });
}

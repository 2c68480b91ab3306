/** When the last scheduled backup was made, whether the last attempt failed, and which process makes one now: one row for all nodes. */
import type { Settings } from '../../config/settings.js';
import type { Queryable } from '../connection.js';

export interface BackupScheduleState {
  /** When the last one that succeeded began (ms); null: none has. */
  begunAt: number | null;
  /** The folder of that one: a path, or a URL. */
  folder: string | null;
  /** When the last attempt failed (ms), and why; null: it succeeded. */
  failedAt: number | null;
  failure: string | null;
}

/** A backup that a person asked for. */
export interface BackupJob {
  state: 'none' | 'waiting' | 'running' | 'made' | 'failed';
  askedAt: number | null;
  askedBy: string | null;
  endedAt: number | null;
  /** While it runs: its last step. */
  progress: string | null;
  folder: string | null;
  failure: string | null;
}

export async function readBackupSchedule(db: Queryable): Promise<BackupScheduleState> {
  const { begun_at, folder, failed_at, failure } = await db('backup_schedule').where({ id: 1 }).first();
  return { begunAt: begun_at === 0 ? null : begun_at, folder, failedAt: failed_at, failure };
}

const asked = ['waiting', 'running'];

export async function readBackupJobRow(db: Queryable): Promise<BackupJob> {
  const row = await db('backup_schedule').where({ id: 1 }).first();
  const state: BackupJob['state'] = row.job_state ?? 'none';
  return {
    state,
    askedAt: row.job_asked_at,
    askedBy: row.job_asked_by,
    endedAt: row.job_ended_at,
    progress: state === 'running' ? row.progress : null,
    folder: row.job_folder,
    failure: row.job_failure,
  };
}

/** false: one was asked for that is not made yet. */
export async function askForBackup(db: Queryable, by: string, at: number): Promise<boolean> {
  const job = { job_state: 'waiting', job_asked_at: at, job_asked_by: by };
  const changed = await db('backup_schedule')
    .where({ id: 1 })
    .where((free) => free.whereNull('job_state').orWhereNotIn('job_state', asked))
    .update({ ...job, job_ended_at: null, job_folder: null, job_failure: null, retry_at: 0 });
  return changed > 0;
}

/**
 * Claims the next backup where one is due or asked for, for this process alone. null: neither, or another process makes it.
 * @returns the number of the claim, by which it is kept and ended; and who asked for it; `null` in `by`: it is due
 */
export async function claimBackup(
  db: Queryable,
  now: number,
  everyMs: number,
  claimMs: number,
): Promise<{ claim: number; by: string | null } | null> {
  const [claimed] = await db('backup_schedule')
    .where({ id: 1 })
    .where((wanted) => wanted.where('begun_at', '<=', now - everyMs).orWhereIn('job_state', asked))
    .where('retry_at', '<=', now)
    .where('claimed_until', '<=', now)
    .update({ claimed_until: now + claimMs, claim: nextClaim(db), progress: null })
    .returning('claim');
  if (claimed === undefined) return null;
  // One that is asked for from now on waits for the next claim.
  const taken: { job_asked_by: string }[] = await db('backup_schedule')
    .where({ id: 1 })
    .whereIn('job_state', asked)
    .update({ job_state: 'running' })
    .returning('job_asked_by');
  return { claim: claimed.claim, by: taken[0]?.job_asked_by ?? null };
}

function nextClaim(db: Queryable) {
  return db.raw('claim + 1');
}

export async function noteBackupProgress(db: Queryable, claim: number, progress: string): Promise<void> {
  await db('backup_schedule')
    .where({ id: 1, claim })
    .update({ progress: progress.slice(0, 500) });
}

/** Claims a backup that is made now, due or not; the number of the claim. null: another process makes one. */
export async function claimBackupNow(db: Queryable, now: number, claimMs: number): Promise<number | null> {
  const [claimed] = await db('backup_schedule')
    .where({ id: 1 })
    .where('claimed_until', '<=', now)
    .update({ claimed_until: now + claimMs, claim: nextClaim(db) })
    .returning('claim');
  return claimed?.claim ?? null;
}

/** While it is being made. false: it has ended, or another process has claimed it since, because this one stood still. */
export async function keepBackupClaim(db: Queryable, claim: number, until: number): Promise<boolean> {
  const own = db('backup_schedule').where({ id: 1, claim }).where('claimed_until', '>', 0);
  return (await own.update({ claimed_until: until })) > 0;
}

/** As keepBackupClaim, and changes nothing. */
export async function holdsBackupClaim(db: Queryable, claim: number): Promise<boolean> {
  const own = db('backup_schedule').where({ id: 1, claim }).where('claimed_until', '>', 0);
  return (await own.first('id')) !== undefined;
}

/** false: as for keepBackupClaim, and nothing is noted. */
export async function noteScheduledBackup(
  db: Queryable,
  claim: number,
  begunAt: number,
  folder: string,
  at = begunAt,
): Promise<boolean> {
  const made = { begun_at: begunAt, folder, retry_at: 0, failed_at: null, failure: null };
  return endClaim(db, claim, made, { job_state: 'made', job_folder: folder, job_ended_at: at });
}

/** @param failure null: it was only put off, and no failure. false: as for keepBackupClaim, and nothing is noted */
export async function noteBackupRetry(
  db: Queryable,
  claim: number,
  { at, retryAt, failure }: { at: number; retryAt: number; failure: string | null },
): Promise<boolean> {
  if (failure === null) return endClaim(db, claim, { retry_at: retryAt }, { job_state: 'waiting' });
  const failed = { job_state: 'failed', job_failure: failure, job_ended_at: at } as const;
  return endClaim(db, claim, { retry_at: retryAt, failed_at: at, failure }, failed);
}

/** @param job changes the one that was asked for and is being made; a later one waits on */
async function endClaim(
  db: Queryable,
  claim: number,
  change: Record<string, unknown>,
  job: { job_state: BackupJob['state'] } & Record<string, unknown>,
): Promise<boolean> {
  return db.transaction(async (tx) => {
    const own = tx('backup_schedule').where({ id: 1, claim });
    if ((await own.update({ ...change, claimed_until: 0 })) === 0) return false;
    await tx('backup_schedule').where({ id: 1, job_state: 'running' }).update(job);
    return true;
  });
}

/** After how long without a backup one is overdue (ms); null: never. */
export function overdueMs({
  backupTo,
  backupEvery,
  backupOverdueDays,
}: Pick<Settings, 'backupTo' | 'backupEvery' | 'backupOverdueDays'>): number | null {
  if (backupOverdueDays === 0) return null;
  return backupTo === undefined ? backupOverdueDays * 86_400_000 : Math.max(2 * backupEvery * 3_600_000, 86_400_000);
}

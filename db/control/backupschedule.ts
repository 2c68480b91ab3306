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
 * @returns who asked for it; `null` in `by`: it is due
 */
export async function claimBackup(
  db: Queryable,
  now: number,
  everyMs: number,
  claimMs: number,
): Promise<{ by: string | null } | null> {
  const claimed = await db('backup_schedule')
    .where({ id: 1 })
    .where((wanted) => wanted.where('begun_at', '<=', now - everyMs).orWhereIn('job_state', asked))
    .where('retry_at', '<=', now)
    .where('claimed_until', '<=', now)
    .update({ claimed_until: now + claimMs, progress: null });
  if (claimed === 0) return null;
  // One that is asked for from now on waits for the next claim.
  const taken: { job_asked_by: string }[] = await db('backup_schedule')
    .where({ id: 1 })
    .whereIn('job_state', asked)
    .update({ job_state: 'running' })
    .returning('job_asked_by');
  return { by: taken[0]?.job_asked_by ?? null };
}

export async function noteBackupProgress(db: Queryable, progress: string): Promise<void> {
  await db('backup_schedule')
    .where({ id: 1 })
    .update({ progress: progress.slice(0, 500) });
}

/** Ends the one that was asked for and is being made; a later one waits on. */
async function endJob(
  db: Queryable,
  change: { job_state: 'made' | 'failed' } & Record<string, unknown>,
): Promise<void> {
  await db('backup_schedule').where({ id: 1, job_state: 'running' }).update(change);
}

/** Claims a backup that is made now, due or not. false: another process makes one. */
export async function claimBackupNow(db: Queryable, now: number, claimMs: number): Promise<boolean> {
  const claimed = await db('backup_schedule')
    .where({ id: 1 })
    .where('claimed_until', '<=', now)
    .update({ claimed_until: now + claimMs });
  return claimed > 0;
}

/** While it is being made. */
export async function keepBackupClaim(db: Queryable, until: number): Promise<void> {
  await db('backup_schedule').where({ id: 1 }).update({ claimed_until: until });
}

export async function noteScheduledBackup(db: Queryable, begunAt: number, folder: string, at = begunAt): Promise<void> {
  await db('backup_schedule')
    .where({ id: 1 })
    .update({ begun_at: begunAt, folder, retry_at: 0, claimed_until: 0, failed_at: null, failure: null });
  await endJob(db, { job_state: 'made', job_folder: folder, job_ended_at: at });
}

/** @param failure null: it was only put off, and no failure */
export async function noteBackupRetry(
  db: Queryable,
  { at, retryAt, failure }: { at: number; retryAt: number; failure: string | null },
): Promise<void> {
  await db('backup_schedule')
    .where({ id: 1 })
    .update({ retry_at: retryAt, claimed_until: 0, ...(failure !== null && { failed_at: at, failure }) });
  if (failure === null)
    await db('backup_schedule').where({ id: 1, job_state: 'running' }).update({ job_state: 'waiting' });
  else await endJob(db, { job_state: 'failed', job_failure: failure, job_ended_at: at });
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

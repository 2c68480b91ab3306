/** When the last scheduled backup was made, whether the last attempt failed, and which process makes one now: one row for all nodes. */
import type { Settings } from '../../config/settings.js';
import type { Queryable } from '../connection.js';

export interface BackupScheduleState {
  /** When the last one that succeeded began (ms); null: none has. */
  begunAt: number | null;
  /** The folder of that one. */
  folder: string | null;
  /** When the last attempt failed (ms), and why; null: it succeeded. */
  failedAt: number | null;
  failure: string | null;
}

export async function readBackupSchedule(db: Queryable): Promise<BackupScheduleState> {
  const { begun_at, folder, failed_at, failure } = await db('backup_schedule').where({ id: 1 }).first();
  return { begunAt: begun_at === 0 ? null : begun_at, folder, failedAt: failed_at, failure };
}

/** Claims the next backup where one is due, for this process alone. false: none is due, or another process makes it. */
export async function claimBackup(db: Queryable, now: number, everyMs: number, claimMs: number): Promise<boolean> {
  const claimed = await db('backup_schedule')
    .where({ id: 1 })
    .where('begun_at', '<=', now - everyMs)
    .where('retry_at', '<=', now)
    .where('claimed_until', '<=', now)
    .update({ claimed_until: now + claimMs });
  return claimed > 0;
}

/** While it is being made. */
export async function keepBackupClaim(db: Queryable, until: number): Promise<void> {
  await db('backup_schedule').where({ id: 1 }).update({ claimed_until: until });
}

export async function noteScheduledBackup(db: Queryable, begunAt: number, folder: string): Promise<void> {
  await db('backup_schedule')
    .where({ id: 1 })
    .update({ begun_at: begunAt, folder, retry_at: 0, claimed_until: 0, failed_at: null, failure: null });
}

/** @param failure null: it was only put off, and no failure */
export async function noteBackupRetry(
  db: Queryable,
  { at, retryAt, failure }: { at: number; retryAt: number; failure: string | null },
): Promise<void> {
  await db('backup_schedule')
    .where({ id: 1 })
    .update({ retry_at: retryAt, claimed_until: 0, ...(failure !== null && { failed_at: at, failure }) });
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

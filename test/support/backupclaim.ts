/** The claim of a scheduled backup, as the schedule and the command take it. */
import type { Db } from '../../db/connection.js';
import { claimBackupNow, noteScheduledBackup } from '../../db/control/backupschedule.js';

/** Whoever had one before has lost it. */
export async function takeClaim({ write }: Pick<Db, 'write'>): Promise<number> {
  return (await claimBackupNow(write, Number.MAX_SAFE_INTEGER - 1, 1))!;
}

/** As if a backup had been made. */
export async function noteMade(control: Pick<Db, 'write'>, begunAt: number, folder: string): Promise<void> {
  await noteScheduledBackup(control.write, await takeClaim(control), begunAt, folder);
}

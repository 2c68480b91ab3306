/** The process of one scheduled backup: reading and checking every file must not delay the scheduler. */
import { constants, setPriority } from 'node:os';
import type { Settings } from '../config/settings.js';
import type { KnownSecrets } from '../keys/master/secrets.js';
import { toLines } from '../operations/advance.js';
import { makeScheduledBackup, type ScheduledBackup } from '../operations/backup/schedule.js';
import { OperationError } from '../operations/error.js';
import { describeFailure } from '../operations/failure.js';
import { openWorkplace } from './compose.js';
import { followParent } from './parent.js';

/** From the scheduler. */
export interface BackupRequest {
  settings: Settings;
  secrets: KnownSecrets;
  /** The number of the scheduler's claim. */
  claim: number;
  /** Who asked for it; null: it is due. */
  by: string | null;
}

/** To the scheduler. `refused`: another command changes keys, and the backup must wait. */
export type BackupResult = { type: 'made'; report: ScheduledBackup } | { type: 'refused' | 'failed'; reason: string };

/** To the scheduler, while it is made. */
export interface BackupNews {
  type: 'progress';
  text: string;
}

/** Obeys the scheduler, which forked this process, and ends. */
export function obeyScheduler(): void {
  // If the scheduler is killed, the next backup continues with the files that this one has copied.
  followParent();
  process.once('message', async (request: BackupRequest) => {
    yieldProcessor();
    const result = await make(request);
    process.send!(result, () => process.exit(0));
  });
}

/** Uploads and imports go first, unless the unit of systemd forbids the call (`SystemCallFilter=~@resources`). */
function yieldProcessor(): void {
  try {
    setPriority(constants.priority.PRIORITY_LOW);
  } catch {
    // The backup is made with the priority of the server.
  }
}

function tell(text: string): void {
  if (process.connected) process.send!({ type: 'progress', text } satisfies BackupNews);
}

async function make({ settings, secrets: known, claim, by }: BackupRequest): Promise<BackupResult> {
  try {
    const workplace = await openWorkplace(settings, { known });
    try {
      const report = await makeScheduledBackup({ ...workplace, actor: by ?? 'system' }, claim, toLines(tell, Date.now));
      return { type: 'made', report };
    } finally {
      await workplace.close();
    }
  } catch (error) {
    const isWaiting = error instanceof OperationError && error.code === 'refused';
    return { type: isWaiting ? 'refused' : 'failed', reason: describeFailure(error).message };
  }
}

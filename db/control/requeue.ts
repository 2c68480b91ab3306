/** Ends a run as failed and returns its files to the queue. */
import type { Db } from '../connection.js';
import { recordAudit } from './audit.js';
import { retireHeldReports } from './heldreports.js';
import { supersedeReplaced } from './replaced.js';
import { failRun, type Run } from './runs.js';
import { listQueue, unclaimFailed } from './uploads.js';

/**
 * @param failure a sentence for the operator.
 * @param date of now in the organization's time zone, yyyy-mm-dd.
 */
export async function giveUpRun(control: Db, run: Run, failure: string, now: number, date: string): Promise<void> {
  await control.transact(async (tx) => {
    if (!(await failRun(tx, run, failure, now))) return;
    await unclaimFailed(tx, run.id);
    await retireHeldReports(tx, run, 'was-held');
    await supersedeReplaced(tx, run.org, await listQueue(tx, run.org), date, now);
    const detail = { run: run.id, failure };
    await recordAudit(tx, {
      at: now,
      org: run.org,
      actor: 'system',
      action: 'run.failed',
      subject: `run ${run.id}`,
      detail,
    });
  });
}

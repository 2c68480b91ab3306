/** Gives the files of a run that was given up back to the queue. */
import type { Db } from '../connection.js';
import { recordAudit } from './audit.js';
import { failRun, type Run } from './runs.js';
import { unclaimUploads } from './uploads.js';

/** @param failure a sentence for the operator. */
export async function giveUpRun(control: Db, run: Run, failure: string, now: number): Promise<void> {
  await control.write.transaction(async (tx) => {
    if (!(await failRun(tx, run, failure, now))) return;
    await unclaimUploads(tx, run.id);
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

/** Tries again: a run that failed or is interrupted, and a stored file that an import has refused, superseded or imported. */
import type { Queryable } from '../db/connection.js';
import { recordAudit } from '../db/control/audit.js';
import { type EntryRow, ensureFolders, findEntry, insertEntry, lockEntry } from '../db/control/entries.js';
import { endQuarantine } from '../db/control/quarantine.js';
import { openManualRun, type Run, retryUnended } from '../db/control/runs.js';
import { findUpload, insertUpload, listFailed, releaseFailed, type UploadRow } from '../db/control/uploads.js';
import { isUniqueViolation } from '../db/error.js';
import { joinPath, normalizePath, splitPath } from '../storage/path.js';
import type { OnAdvance } from './advance.js';
import { OperationError } from './error.js';
import { followRun, refuseWhileHeld } from './followrun.js';
import { getRun } from './runs.js';
import type { Workplace } from './workplace.js';

/**
 * Works on a run again and waits for its end. A run that waits or was interrupted gets all its attempts again. The files of
 * a failed run are in the queue again: a new run imports them, with the rest of the queue.
 * @throws OperationError `not_found`; `refused` when it is over or held, or its files have left the queue
 */
export async function retryRunNow(
  workplace: Workplace,
  id: string,
  onProgress: OnAdvance,
  signal: AbortSignal,
): Promise<Run> {
  return followRun(workplace, await reopenRun(workplace, id), onProgress, signal);
}

/** As retryRunNow, for the importers of the server: does not wait; the number of the run that works on the files. */
export async function reopenRun(workplace: Workplace, id: string): Promise<number> {
  const { control, actor, now } = workplace;
  const run = await getRun(workplace, id);
  const next = await control.transact(async (tx) => {
    const opened = await reopen(tx, run, now());
    if (opened !== null)
      await recordAudit(tx, {
        at: now(),
        org: run.org,
        actor,
        action: 'run.retried',
        subject: `run ${run.id}`,
        detail: { run: opened },
      });
    return opened;
  });
  return next ?? refuseRetry(workplace, run);
}

/** The run to follow; null: there is nothing to try again. */
async function reopen(tx: Queryable, run: Run, at: number): Promise<number | null> {
  if (run.state === 'open' || run.state === 'running') return (await retryUnended(tx, run.id)) ? run.id : null;
  const failed = run.state === 'failed' ? await listFailed(tx, run.id) : [];
  if (failed.length === 0) return null;
  await endQuarantine(
    tx,
    failed.map(({ id }) => id),
  );
  // The run first, as a claim locks them.
  const opened = await openManualRun(tx, run.org, at);
  await releaseFailed(tx, run.id);
  return opened;
}

async function refuseRetry(workplace: Workplace, { id, org, state }: Run): Promise<never> {
  await refuseWhileHeld(workplace, org);
  if (state === 'failed')
    throw new OperationError(
      'refused',
      `the files of run ${id} are no longer in the queue: they were imported by a later run, replaced or removed; see "dropslot runs list ${org}"`,
    );
  throw new OperationError(
    'refused',
    `run ${id} is ${state}, there is nothing to try again; to import one of its files again: dropslot files requeue ${org} PATH`,
  );
}

export interface Requeued {
  upload: number;
  /** Its path in the queue. */
  path: string;
  /** The upload that it repeats; null: it was in the queue already, and no longer waits behind its failed run. */
  repeats: number | null;
}

/**
 * Puts a stored file into the queue again: one in the archive under the path at which its sender uploaded it, as a new upload;
 * one that waits since a failed run so that it no longer waits for the next slot where the organization imports on upload.
 * @throws OperationError `not_found`, `refused` when it is at work, held, not for the queue, or another file has its path now
 */
export async function requeueStoredFile(workplace: Workplace, orgId: string, given: string): Promise<Requeued> {
  const org = await workplace.org(orgId);
  const { control, actor, now } = workplace;
  const path = normalizePath(given);
  return control.transact(async (tx) => {
    const entry = await lockEntry(tx, org.id, path);
    const upload = entry?.uploadId == null ? null : await findUpload(tx, entry.uploadId);
    if (entry === null || upload === null)
      throw new OperationError(
        'not_found',
        `${org.id} has no uploaded file ${path}; see "dropslot files list ${org.id}"`,
      );
    const requeued = await requeue(tx, entry, upload, now());
    await recordAudit(tx, {
      at: now(),
      org: org.id,
      actor,
      action: 'upload.requeued',
      subject: requeued.path,
      detail: { upload: requeued.upload, repeats: requeued.repeats, size: upload.size, sha256: upload.sha256 },
    });
    return requeued;
  });
}

async function requeue(tx: Queryable, entry: EntryRow, upload: UploadRow, at: number): Promise<Requeued> {
  if (upload.state === 'queued') {
    await endQuarantine(tx, [upload.id]);
    if (upload.runId !== null) await releaseFailed(tx, upload.runId, upload.id);
    return { upload: upload.id, path: upload.path, repeats: null };
  }
  if (!['refused', 'superseded', 'imported'].includes(upload.state)) throw cannotRequeue(entry, upload);
  const { dir, name } = splitPath(upload.path);
  const current = await findEntry(tx, upload.org, upload.path);
  if (current !== null || !(await ensureFolders(tx, upload.org, dir, at))) throw pathTaken(upload);
  const { org, path, blobId, keyFingerprint, address, client, size } = upload;
  const sent = { org, path, blobId, keyFingerprint, address, client };
  const id = await insertUpload(tx, { ...sent, state: 'queued', begunAt: at, closedAt: at });
  const { mode, mtimeMs, atimeMs } = entry;
  await insertEntry(tx, {
    ...{ org, dir, name, kind: 'file', blobId, uploadId: id, size },
    ...{ mode, mtimeMs, atimeMs, createdAt: at },
  }).catch((error) => {
    // By a CLOSE or a RENAME at this moment.
    throw isUniqueViolation(error) ? pathTaken(upload) : error;
  });
  return { upload: id, path, repeats: upload.id };
}

function pathTaken({ path }: UploadRow): OperationError {
  const what = 'import or remove it first, then repeat the command';
  return new OperationError('refused', `another file has the path ${path} now: ${what}`);
}

const reasons: Partial<Record<UploadRow['state'], string>> = {
  running: 'an import is working on it',
  held: 'it is held with its run: approve or reject the run first',
  stored: 'its name is a temporary one, or none of a file to import: its sender must rename it',
  dry_run: 'it is a dry run, which is never imported',
  checked: 'it is a dry run, which is never imported',
};

function cannotRequeue({ dir, name }: EntryRow, { state }: UploadRow): OperationError {
  return new OperationError('refused', `${joinPath(dir, name)} can't be queued: ${reasons[state] ?? `it is ${state}`}`);
}

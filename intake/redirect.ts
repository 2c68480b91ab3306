/** Gives a complete upload the state that its name asks for: after a rename, or when the organization's own names have changed. */
import type { Queryable } from '../db/connection.js';
import { recordAudit } from '../db/control/audit.js';
import { overtakeHeld } from '../db/control/holds.js';
import type { Org } from '../db/control/orgs.js';
import { listWaitingBelow } from '../db/control/storedfiles.js';
import {
  forgetHeaderTypes,
  lockUpload,
  moveUpload,
  queueUpload,
  rehearseUpload,
  unqueueUpload,
} from '../db/control/uploads.js';
import { destinationOf, type NameOptions, tellAtOf } from '../storage/filename.js';

/**
 * A final name queues a stored upload, once; a name that is not imported, and one below `/dry-run`, removes it from the queue again.
 * Returns the action to audit. null: only the name has changed.
 */
export async function redirectUpload(
  tx: Queryable,
  uploadId: number,
  path: string,
  options: NameOptions,
  at: number,
): Promise<string | null> {
  const run = (await lockUpload(tx, uploadId))?.runId ?? null;
  const tellAt = tellAtOf(path, options, at);
  const redirects = {
    stored: ['upload.unqueued', () => unqueueUpload(tx, uploadId, path, tellAt)],
    queued: ['upload.queued', () => queueUpload(tx, uploadId, path, at)],
    dry_run: ['upload.to_be_rehearsed', () => rehearseUpload(tx, uploadId, path)],
  } as const;
  const destination = destinationOf(path, options);
  const [action, redirect] = redirects[destination];
  if (!(await redirect())) {
    await moveUpload(tx, uploadId, path, tellAt);
    return null;
  }
  if (destination !== 'queued') await overtakeHeld(tx, run, at);
  return action;
}

/**
 * Applies changed options to the files that are stored or wait. Of those whose use the change leaves alone none is touched, such as
 * files that an operator or an earlier version has queued. Returns how many were queued, and removed from the queue.
 */
export async function applyNameOptions(
  tx: Queryable,
  { id: org, options: before }: Pick<Org, 'id' | 'options'>,
  after: Org['options'],
  { actor, at }: { actor: string; at: number },
): Promise<{ queued: number; unqueued: number }> {
  const counts = { queued: 0, unqueued: 0 };
  await forgetHeaderTypes(tx, org);
  if (namesOf(before) === namesOf(after)) return counts;
  for (const { uploadId, path } of await listWaitingBelow(tx, org, '/')) {
    if (
      destinationOf(path, before) === destinationOf(path, after) &&
      tellAtOf(path, before, 0) === tellAtOf(path, after, 0)
    )
      continue;
    const action = await redirectUpload(tx, uploadId, path, after, at);
    if (action === 'upload.queued') counts.queued++;
    if (action === 'upload.unqueued') counts.unqueued++;
    const detail = { upload: uploadId, reason: 'the settings of names have changed' };
    if (action !== null) await recordAudit(tx, { at, org, actor, action, subject: path, detail });
  }
  return counts;
}

function namesOf({ temporaryNames, importPatterns, importWithoutExtension }: NameOptions): string {
  return JSON.stringify([temporaryNames, importPatterns, importWithoutExtension]);
}

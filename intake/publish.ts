/** Owns the transaction of a CLOSE: publishes the file under its path, moves an older version away, queues, and audits. */
import { DateTime } from 'luxon';
import type { Queryable } from '../db/connection.js';
import { recordAudit } from '../db/control/audit.js';
import { insertBlobLater } from '../db/control/blobs.js';
import { forgetEarlier } from '../db/control/earliernames.js';
import {
  deleteEntry,
  type EntryRow,
  ensureFolders,
  freeName,
  insertEntryLater,
  lockUnlessReplaced,
  updateEntry,
} from '../db/control/entries.js';
import { overtakeHeld } from '../db/control/holds.js';
import type { Org } from '../db/control/orgs.js';
import { deleteOpenPartial } from '../db/control/partiallease.js';
import { findPublishPlace } from '../db/control/publishplace.js';
import { supersededFolder } from '../db/control/treelayout.js';
import { insertUnsyncedLater } from '../db/control/unsyncedblobs.js';
import {
  findUploadOfBlob,
  insertUpload,
  insertUploadLater,
  lockUpload,
  type NewUpload,
  supersedeUpload,
  withdrawUpload,
} from '../db/control/uploads.js';
import { awaitStandby } from '../db/postgres/replication.js';
import { destinationOf, tellAtOf } from '../storage/filename.js';
import { joinPath, splitPath } from '../storage/path.js';
import { requireOpenable, requireOpenableBy } from '../storage/recipient.js';
import type { SealedBlob } from '../storage/sealedwriter.js';
import { type Attributes, SpaceError } from '../storage/types.js';
import { Overtaken } from './draft.js';
import type { Receipt, Sender } from './types.js';
import { freeWriterLease, type WriterLease } from './writerleases.js';

export interface ClosedUpload {
  org: Org;
  sender: Sender;
  path: string;
  blob: SealedBlob;
  attributes: Attributes;
  begunAt: number;
  closedAt: number;
  /** The published blob that it was made from: with another one at the path nothing is committed. undefined: any. */
  onTopOf?: string | null;
  /** The published blob that its writer knew: with another one at the path it replaces a newer file. */
  knows: string | null;
  /** The id of its partial, noted for the case of a crash; null: none. */
  noted: string | null;
  /** Ends with it. null: its OPEN truncated. */
  lease: WriterLease | null;
  /** Another server may have taken that partial over, and its bytes with it: then nothing is committed. */
  isLeased: boolean;
  /** After a failure: false, another server has the bytes of the blob. */
  reclaim: (blobId: string) => Promise<boolean>;
  /** false: the server itself has ended the session, whose client gets no answer: nothing is committed. */
  isWanted: () => boolean;
  /** The start of the machine since which a blob that is not synced is in its memory. */
  boot?: string | null;
  /** Records more in the transaction that publishes it. */
  onCommit?: (tx: Queryable, receipt: Receipt) => Promise<void>;
}

/** Blobs that may have lost their last name: the caller removes them after the commit, if so. */
export interface Freed {
  /** null: none. The caller keeps a blob that a run or another name still needs. */
  blob: string | null;
  /** Ids of partials: uploads that were cut off. */
  partials: string[];
}

export interface Published {
  receipt: Receipt;
  freed: Freed;
}

/**
 * Makes the folder again if it was removed meanwhile: a complete upload must not be lost.
 * @throws Overtaken when another version was published than the one that it was made from
 */
export async function publishUpload(tx: Queryable, upload: ClosedUpload): Promise<Published> {
  const { org, sender, path, blob, closedAt } = upload;
  // The transaction may have waited for minutes for its turn.
  requireWanted(upload);
  const { dir, name } = splitPath(path);
  const place = await findPublishPlace(tx, org.id, path);
  const { options } =
    place === null ? await requireOpenable(tx, org.id, [blob]) : requireOpenableBy(org.id, place.org, [blob]);
  if (place?.hasFolder !== true && !(await ensureFolders(tx, org.id, dir, closedAt)))
    throw new SpaceError('not_a_folder', `${dir} is a file`);
  const existing = place?.isFree === true ? null : await lockUnlessReplaced(tx, org.id, path);
  if (existing?.kind === 'dir') throw new SpaceError('is_a_folder', `${path} is a folder`);
  if (upload.onTopOf !== undefined && existing !== null && existing.blobId !== upload.onTopOf)
    throw new Overtaken(`${path} has another version now`);
  await insertBlobLater(tx, { ...blob, org: org.id, createdAt: closedAt });
  if (blob.unsynced !== undefined) await insertUnsyncedLater(tx, blob.id, blob.unsynced, upload.boot ?? '');
  if (existing !== null) await replaceEntry(tx, org, sender, existing, closedAt);
  if (upload.noted !== null && !(await deleteOpenPartial(tx, upload.noted)) && upload.isLeased)
    throw new SpaceError('failed', `another server has taken over the upload of ${path}, since this one was silent`);
  await freeWriterLease(tx, upload.lease);
  const partials = place?.isFree === true ? [] : await forgetEarlier(tx, org.id, path);
  const state = destinationOf(path, options);
  const queued = state === 'queued';
  const row: NewUpload = {
    org: org.id,
    path,
    blobId: blob.id,
    state,
    ...sender,
    begunAt: upload.begunAt,
    closedAt,
    tellAt: tellAtOf(path, options, closedAt),
  };
  if (place !== null) await insertUploadLater(tx, place.uploadId, row);
  const uploadId = place?.uploadId ?? (await insertUpload(tx, row));
  await insertEntryLater(tx, {
    org: org.id,
    dir,
    name,
    kind: 'file',
    blobId: blob.id,
    uploadId,
    size: blob.size,
    ...upload.attributes,
    createdAt: existing?.createdAt ?? closedAt,
  });
  const { size, sha256 } = blob;
  const ms = closedAt - upload.begunAt;
  const detail = { upload: uploadId, outcome: 'complete', size, sha256, ms, queued };
  await audit(tx, org, sender, closedAt, 'upload.closed', path, detail);
  // An upload that began before the file at its path was published, and ends after that.
  if (existing !== null && existing.blobId !== upload.knows)
    await audit(tx, org, sender, closedAt, 'upload.replaced_newer', path, {
      upload: uploadId,
      replaced: existing.uploadId,
    });
  const receipt = { uploadId, path, size, sha256, queued };
  await upload.onCommit?.(tx, receipt);
  requireWanted(upload);
  return { receipt, freed: { blob: existing?.blobId ?? null, partials } };
}

/**
 * As publishUpload, after the answer to a first COMMIT was lost, which may still take place: both insert the row of the same
 * blob, so that only one of them succeeds. Where the first one did, its receipt is returned.
 */
export async function publishOnce(tx: Queryable, upload: ClosedUpload): Promise<Published> {
  const before = await findPublished(tx, upload);
  if (before !== null) return before;
  try {
    return await publishUpload(tx, upload);
  } catch (error) {
    // If the first COMMIT has taken place since, the other version is this upload's own, or one that replaced it.
    const since = error instanceof Overtaken ? await findPublished(tx, upload) : null;
    if (since === null) throw error;
    return since;
  }
}

/** null: no row names its blob. */
async function findPublished(tx: Queryable, { blob }: ClosedUpload): Promise<Published | null> {
  const committed = await findUploadOfBlob(tx, blob.id);
  if (committed === null) return null;
  await awaitStandby(tx);
  const { id: uploadId, path, state } = committed;
  const { size, sha256 } = blob;
  const receipt = { uploadId, path, size, sha256, queued: state !== 'stored' && state !== 'dry_run' };
  // The bytes of the version before are removed by the daily sweep.
  return { receipt, freed: { blob: null, partials: [] } };
}

function requireWanted({ isWanted, path }: ClosedUpload): void {
  if (!isWanted()) throw new SpaceError('failed', `the session ended before ${path} was published`);
}

/**
 * Removes a file from its name for a newer one. A version that is still queued, or held with its run, moves to the archive
 * as superseded; one that a run is importing remains with the run; one under a temporary name, or for a dry run, is withdrawn.
 */
export async function replaceEntry(
  tx: Queryable,
  org: Org,
  sender: Sender,
  entry: EntryRow,
  at: number,
): Promise<void> {
  const upload = entry.uploadId === null ? null : await lockUpload(tx, entry.uploadId);
  if (upload?.state === 'queued' || upload?.state === 'held') {
    const dir = supersededFolder(DateTime.fromMillis(at, { zone: org.timeZone }).toISODate()!);
    await ensureFolders(tx, org.id, dir, at);
    const name = await freeName(tx, org.id, dir, entry.name);
    const archivedAs = joinPath(dir, name);
    if (await supersedeUpload(tx, upload.id, { archivedAs, at })) {
      await updateEntry(tx, entry.id, { dir, name });
      if (upload.state === 'held') await overtakeHeld(tx, upload.runId, at);
      const path = joinPath(entry.dir, entry.name);
      const { size, sha256 } = upload;
      const detail = { upload: upload.id, outcome: 'superseded', size, sha256, archivedAs };
      await audit(tx, org, sender, at, 'upload.superseded', path, detail);
      return;
    }
  }
  if (upload?.state === 'stored' || upload?.state === 'dry_run') await withdrawUpload(tx, upload.id, at);
  await deleteEntry(tx, entry.id);
}

export function audit(
  tx: Queryable,
  org: Org,
  sender: Sender,
  at: number,
  action: string,
  subject: string,
  detail: Record<string, unknown>,
): Promise<void> {
  const { address, client } = sender;
  return recordAudit(tx, {
    at,
    org: org.id,
    actor: actorOf(sender),
    action,
    subject,
    detail: { ...detail, address, client },
  });
}

/** The sender's name in the audit trail. */
export function actorOf({ keyFingerprint, door }: Sender): string {
  return door ?? (keyFingerprint === null ? 'system' : `key:${keyFingerprint}`);
}

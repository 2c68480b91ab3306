/** The rows of stored files that are sealed anew, or removed, because a person is erased. All but reads join a transaction. */
import type { Queryable } from '../connection.js';
import { type BlobRow, insertBlob } from './blobs.js';
import { pathOf } from './treelayout.js';
import type { UploadState } from './uploads.js';

/** The virtual paths of a blob; of an upload that has no name now, the path that it came by. */
export async function listNamesOf(db: Queryable, org: string, blobId: string): Promise<string[]> {
  const entries = await db('entries').where({ org_id: org, blob_id: blobId }).select('dir', 'name');
  if (entries.length > 0) return entries.map(pathOf);
  return db('uploads').where({ org_id: org, blob_id: blobId }).pluck('path');
}

/**
 * Names and uploads of `old` are of the new blob; the old one has no row any more. The uploads' ids; null: a run is at work on one, or
 * another erasure has replaced it.
 */
export async function replaceBlob(tx: Queryable, blob: BlobRow, old: string): Promise<number[] | null> {
  const { org, size } = blob;
  const uploads = await lockUsesOf(tx, org, old);
  if ((await tx('blobs').where({ id: old }).forUpdate().first('id')) === undefined) return null;
  if (uploads.some(({ state }) => state === 'running')) return null;
  await insertBlob(tx, blob);
  await tx('uploads').where({ org_id: org, blob_id: old }).update({ blob_id: blob.id });
  await tx('entries').where({ org_id: org, blob_id: old }).update({ blob_id: blob.id, size });
  await tx('blobs').where({ id: old }).delete();
  return uploads.map(({ id }) => id);
}

/** Removes the names of a blob that no import waits for; false: one does. */
export async function removeNames(tx: Queryable, org: string, blobId: string): Promise<boolean> {
  const uploads = await lockUsesOf(tx, org, blobId);
  if (uploads.some(({ state }) => importedNext.includes(state))) return false;
  const spent = tx('uploads').where({ org_id: org, blob_id: blobId });
  await spent.whereIn('state', ['stored', 'dry_run', 'checked']).update({ state: 'withdrawn' });
  await tx('entries').where({ org_id: org, blob_id: blobId }).delete();
  return true;
}

const importedNext: readonly UploadState[] = ['queued', 'running', 'held'];

/**
 * Holds the names and the uploads of a blob until the transaction ends, in the order in which a rename takes them: an upload that is queued
 * or claimed meanwhile is waited for. The uploads as they are then, by their ids.
 */
async function lockUsesOf(tx: Queryable, org: string, blobId: string): Promise<{ id: number; state: UploadState }[]> {
  const rows = (table: 'entries' | 'uploads') =>
    tx(table).where({ org_id: org, blob_id: blobId }).orderBy('id').forUpdate();
  await rows('entries').select('id');
  return rows('uploads').select('id', 'state');
}

/** The rows of stored files that are sealed anew, or removed, because a person is erased. All but reads join a transaction. */
import type { Queryable } from '../connection.js';
import { type BlobRow, insertBlob } from './blobs.js';

/** The virtual paths of a blob; of an upload that has no name now, the path that it came by. */
export async function listNamesOf(db: Queryable, org: string, blobId: string): Promise<string[]> {
  const entries = await db('entries').where({ org_id: org, blob_id: blobId }).select('dir', 'name');
  if (entries.length > 0) return entries.map(({ dir, name }) => `${dir === '/' ? '' : dir}/${name}`);
  return db('uploads').where({ org_id: org, blob_id: blobId }).pluck('path');
}

/**
 * Names and uploads of `old` are of the new blob; the old one has no row any more. The uploads' ids; null: a run is at work on one, or
 * another erasure has replaced it.
 */
export async function replaceBlob(tx: Queryable, blob: BlobRow, old: string): Promise<number[] | null> {
  const { org, size } = blob;
  const uploads = () => tx('uploads').where({ org_id: org, blob_id: old });
  if ((await tx('blobs').where({ id: old }).forUpdate().first('id')) === undefined) return null;
  if ((await uploads().where({ state: 'running' }).first('id')) !== undefined) return null;
  await insertBlob(tx, blob);
  const ids: number[] = await uploads().orderBy('id').pluck('id');
  await uploads().update({ blob_id: blob.id });
  await tx('entries').where({ org_id: org, blob_id: old }).update({ blob_id: blob.id, size });
  await tx('blobs').where({ id: old }).delete();
  return ids;
}

/** Removes the names of a blob that no import waits for; false: one does. */
export async function removeNames(tx: Queryable, org: string, blobId: string): Promise<boolean> {
  const waiting = tx('uploads').where({ org_id: org, blob_id: blobId }).whereIn('state', ['queued', 'running', 'held']);
  if ((await waiting.first('id')) !== undefined) return false;
  const uploads = tx('uploads').where({ org_id: org, blob_id: blobId });
  await uploads.whereIn('state', ['stored', 'dry_run', 'checked']).update({ state: 'withdrawn' });
  await tx('entries').where({ org_id: org, blob_id: blobId }).delete();
  return true;
}

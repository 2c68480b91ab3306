/** The sealed bytes of small files whose blobs are not synced yet: from the CLOSE of each until the disk has its file. */
import type { Queryable } from '../connection.js';
import { runLater } from '../script.js';
import { waitingStates } from './blobs.js';

export interface UnsyncedRow {
  /** Of the blob. */
  id: string;
  bytes: Buffer;
}

/** With the next query of the transaction, or its COMMIT. `id` and `boot` have only letters, digits and hyphens. */
export function insertUnsyncedLater(tx: Queryable, id: string, bytes: Buffer, boot: string): Promise<void> {
  // In the text: SQLite reads so many digits faster than a call of their own takes.
  const digits = `X'${bytes.toString('hex')}'`;
  return runLater(tx, `INSERT INTO unsynced_blobs (id, bytes, boot) VALUES ('${id}', ${digits}, '${boot}')`, {});
}

/** In the order of their ids, from after `afterId`; at most `limit`. `ids`: only these. */
export async function listUnsynced(
  db: Queryable,
  { afterId = '', limit, ids }: { afterId?: string; limit: number; ids?: readonly string[] },
): Promise<UnsyncedRow[]> {
  const query = db<UnsyncedRow>('unsynced_blobs').where('id', '>', afterId).orderBy('id').limit(limit);
  if (ids !== undefined) query.whereIn('id', ids);
  return query.select('id', 'bytes');
}

/** Whether there still is one, which then stays until the transaction ends. */
export async function lockUnsynced(tx: Queryable, id: string): Promise<boolean> {
  return (await tx('unsynced_blobs').where({ id }).forUpdate().first('id')) !== undefined;
}

export async function deleteUnsynced(tx: Queryable, ids: readonly string[]): Promise<void> {
  await tx('unsynced_blobs').whereIn('id', ids).delete();
}

/** Deletes those of blobs whose bytes nothing needs any more. */
export async function deleteUnsyncedOfDead(db: Queryable): Promise<void> {
  const uploads = db('uploads').select(db.raw('1')).whereRaw('uploads.blob_id = unsynced_blobs.id');
  await db('unsynced_blobs')
    .whereNotExists(db('entries').select(db.raw('1')).whereRaw('entries.blob_id = unsynced_blobs.id'))
    .whereNotExists(uploads.whereIn('state', waitingStates))
    .delete();
}

/** Whether there are rows from before this start of the machine. */
export async function hasUnsyncedOfOtherBoots(db: Queryable, boot: string): Promise<boolean> {
  return (await db('unsynced_blobs').whereNot({ boot }).first('id')) !== undefined;
}

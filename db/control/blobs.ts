/** Sealed files: the organization, sizes and hash of each. Their bytes are in the blob store. */
import type { Knex } from 'knex';
import type { Queryable } from '../connection.js';
import { insertLater } from '../script.js';

export interface BlobRow {
  id: string;
  org: string;
  /** Plaintext bytes. */
  size: number;
  sealedSize: number;
  /** Of the plaintext, hex. */
  sha256: string;
  /** The key id of the recipient; null: an older version sealed it, and only the file's header names it. */
  sealedTo?: string | null;
  /** Of the place into which its bytes were written; default: the first one. */
  placeNumber?: number;
  createdAt: number;
}

interface Stored {
  id: string;
  org_id: string;
  size: number;
  sealed_size: number;
  sha256: string;
  sealed_to: string | null;
  created_at: number;
}

/** Uploads whose bytes are still needed, whether or not a name points to them. */
export const waitingStates = ['stored', 'queued', 'dry_run', 'running', 'held'];

export async function insertBlob(db: Queryable, blob: BlobRow): Promise<void> {
  await db('blobs').insert(blobColumns(blob));
}

/** As insertBlob, with the next query of the transaction, or its COMMIT. */
export function insertBlobLater(tx: Queryable, blob: BlobRow): Promise<void> {
  return insertLater(tx, 'blobs', blobColumns(blob));
}

/** Its columns, by name. */
export function blobColumns(blob: BlobRow) {
  return {
    id: blob.id,
    org_id: blob.org,
    size: blob.size,
    sealed_size: blob.sealedSize,
    sha256: blob.sha256,
    sealed_to: blob.sealedTo ?? null,
    place_number: blob.placeNumber ?? 0,
    created_at: blob.createdAt,
  };
}

/** null: no such blob. */
export async function findBlob(db: Queryable, id: string): Promise<BlobRow | null> {
  const row = await db<Stored>('blobs').where({ id }).first();
  return row === undefined ? null : fromStored(row);
}

/**
 * Whether one of these has, or had, a row: of a blob, or of an upload that is in progress or was cut off. Such an upload becomes a blob,
 * and never the other way round: in this order none is missed.
 */
export async function knowsAny(db: Queryable, ids: readonly string[]): Promise<boolean> {
  for (const table of ['partials', 'blobs'])
    if ((await db(table).whereIn('id', ids).first('id')) !== undefined) return true;
  return false;
}

/** Whether any blob has, or had, a row. */
export async function hasBlobs(db: Queryable): Promise<boolean> {
  return (await db('blobs').first('id')) !== undefined;
}

/** When the last blob got its row, in ms; 0: there is none. */
export async function findNewestBlob(db: Queryable): Promise<number> {
  const row = await db('blobs').max({ at: 'created_at' }).first();
  return Number(row?.at ?? 0);
}

/** Every blob of the organization, oldest first, whether or not its bytes are still there. */
export async function listBlobs(db: Queryable, org: string): Promise<BlobRow[]> {
  return (await db<Stored>('blobs').where({ org_id: org }).orderBy('created_at').orderBy('id')).map(fromStored);
}

/**
 * Whether the bytes are still needed: a name points to them, or an upload waits or is being imported. The row of a blob
 * is kept when its bytes are deleted, because the upload's record refers to its size and hash.
 */
export async function isBlobLive(db: Queryable, id: string): Promise<boolean> {
  return (await db('blobs').where({ id }).where(isNeeded(db)).first('id')) !== undefined;
}

/**
 * Of rows of `blobs`. One condition, and so one snapshot: the end of a run gives a file its name in the archive while its upload stops to wait. Of two
 * statements, one before and one after it, the first would find no name and the second no wait.
 */
export function isNeeded(db: Queryable): Knex.QueryCallback {
  return (needed) =>
    needed
      .whereExists(db('entries').select(db.raw('1')).whereRaw('entries.blob_id = blobs.id'))
      .orWhereExists(
        db('uploads').select(db.raw('1')).whereRaw('uploads.blob_id = blobs.id').whereIn('state', waitingStates),
      );
}

/** Deletes those to which no name and no upload refers; their ids. */
export async function deleteBlobsWithoutNames(tx: Queryable, ids: readonly string[]): Promise<string[]> {
  const gone: string[] = [];
  for (let from = 0; from < ids.length; from += mostIds) {
    const some = ids.slice(from, from + mostIds);
    const refers = (table: string) => tx(table).select(tx.raw('1')).whereRaw('blob_id = blobs.id');
    const blobs = tx('blobs').whereIn('id', some);
    await blobs.clone().whereNotExists(refers('entries')).whereNotExists(refers('uploads')).delete();
    const left = new Set<string>(await blobs.clone().pluck('id'));
    gone.push(...some.filter((id) => !left.has(id)));
  }
  return gone;
}

/** As few as one statement takes on each database. */
const mostIds = 500;

/** Every blob whose bytes must be there, in the order of their ids, from after `afterId`; at most `limit`. */
export async function listLiveBlobs(db: Queryable, afterId: string | null, limit: number): Promise<BlobRow[]> {
  const rows: Stored[] = await db('blobs')
    .where('id', '>', afterId ?? '')
    .where(isNeeded(db))
    .orderBy('id')
    .limit(limit)
    .select('blobs.*');
  return rows.map(fromStored);
}

/** How many those are, and their sealed bytes. */
export async function measureLiveBlobs(db: Queryable): Promise<{ files: number; sealedBytes: number }> {
  const live = db('blobs').where(isNeeded(db));
  const [found] = (await live.count({ files: '*' }).sum({ bytes: 'sealed_size' })) as Record<string, unknown>[];
  return { files: Number(found!.files), sealedBytes: Number(found!.bytes ?? 0) };
}

function fromStored(row: Stored): BlobRow {
  return {
    id: row.id,
    org: row.org_id,
    size: row.size,
    sealedSize: row.sealed_size,
    sha256: row.sha256,
    sealedTo: row.sealed_to,
    createdAt: row.created_at,
  };
}

/** Deletes files whose retention time is over: archived files, reports, and folders that have become empty. */
import type { Queryable } from '../connection.js';
import { deleteBlobsWithoutNames } from './blobs.js';
import { deleteEntry, hasEntries, lockEntry } from './entries.js';
import { isBelow } from './folders.js';
import { archiveRoot, expiringRoots, linkedExportsRoot, mailedExportsRoot, pathOf, reportsRoot } from './treelayout.js';

export interface ExpiredFile {
  entryId: number;
  org: string;
  /** Under another name, or in another folder, it is not that file any more. */
  dir: string;
  name: string;
  blobId: string;
}

/** Milliseconds since 1970: older files go. null: none does. */
export interface Cutoffs {
  /** By the time when their run was settled. */
  archived: number | null;
  /** By the time when a newer one took their place in the queue. */
  superseded: number | null;
  /** By the time when they were written. */
  reports: number | null;
  /** Exports that a mail announced, by the time when they were written; left out: none. */
  mailed?: number;
}

/** Files below `/archive` and `/reports` that are past their time; at most `limit`, of one organization at a time. */
export async function listExpiredFiles(db: Queryable, cutoffs: Cutoffs, limit: number): Promise<ExpiredFile[]> {
  const { archived, superseded, reports, mailed } = cutoffs;
  const found = [
    ...(archived === null ? [] : await settledBefore(db, ['imported', 'refused'], archived, limit)),
    ...(superseded === null ? [] : await settledBefore(db, ['superseded'], superseded, limit)),
    ...(reports === null ? [] : await writtenBefore(db, reportsRoot, reports, limit)),
    ...(mailed === undefined ? [] : await writtenIn(db, [mailedExportsRoot, linkedExportsRoot], mailed, limit)),
    // Reports that lie beside their files.
    ...(archived === null ? [] : await writtenBefore(db, archiveRoot, archived, limit)),
  ].slice(0, limit);
  return found.filter(({ org }) => org === found[0]!.org);
}

/**
 * Takes the names away. An upload's record keeps its blob's size and hash; nothing refers to a report's any more. Returns
 * the files whose names were still there.
 */
export async function deleteExpiredFiles(tx: Queryable, files: readonly ExpiredFile[]): Promise<ExpiredFile[]> {
  const gone: ExpiredFile[] = [];
  for (const file of files) {
    const { entryId: id, dir, name, blobId } = file;
    if ((await tx('entries').where({ id, dir, name, blob_id: blobId }).delete()) === 0) continue;
    gone.push(file);
    await tx('check_reports')
      .where({ org_id: file.org, path: pathOf(file) })
      .delete();
  }
  await deleteBlobsWithoutNames(
    tx,
    gone.map(({ blobId }) => blobId),
  );
  return gone;
}

/** Folders below `/archive` and `/reports` that are empty and were made before a time; how many went. */
export async function deleteEmptyFolders(tx: Queryable, before: number): Promise<number> {
  let deleted = 0;
  const folders: { org_id: string; dir: string; name: string }[] = await tx('entries')
    .where({ kind: 'dir' })
    .where('created_at', '<', before)
    .where((below) => {
      for (const root of expiringRoots) below.orWhere(isBelow(root, 'entries.dir'));
    })
    .whereNotExists(
      tx('entries as child')
        .select(tx.raw('1'))
        .whereRaw("child.org_id = entries.org_id AND child.dir = entries.dir || '/' || entries.name"),
    )
    .select('org_id', 'dir', 'name');
  for (const { org_id, dir, name } of folders) {
    const path = `${dir}/${name}`;
    // An import that is settled now may be putting a file there: it holds the folder until it is in.
    const folder = await lockEntry(tx, org_id, path);
    if (folder === null || (await hasEntries(tx, org_id, path))) continue;
    await deleteEntry(tx, folder.id);
    deleted++;
  }
  return deleted;
}

/** Ids of the runs that are not over: blobs that they have sealed may have no row yet. */
export async function listUnfinishedRuns(db: Queryable): Promise<number[]> {
  const rows: { id: number }[] = await db('runs').whereIn('state', ['open', 'running']).select('id');
  return rows.map(({ id }) => id);
}

/** The columns of an ExpiredFile, in a query of `entries`. */
export const expiredColumns = {
  ...{ entryId: 'entries.id', org: 'entries.org_id' },
  ...{ dir: 'entries.dir', name: 'entries.name', blobId: 'entries.blob_id' },
};

function settledBefore(db: Queryable, states: string[], before: number, limit: number): Promise<ExpiredFile[]> {
  return db('uploads')
    .join('entries', 'entries.upload_id', 'uploads.id')
    .whereIn('uploads.state', states)
    .where('uploads.settled_at', '<', before)
    .where(isBelow(archiveRoot, 'entries.dir'))
    .orderBy(['entries.org_id', 'entries.id'])
    .limit(limit)
    .select<ExpiredFile[]>(expiredColumns);
}

function writtenBefore(db: Queryable, root: string, before: number, limit: number): Promise<ExpiredFile[]> {
  return db('entries')
    .where({ kind: 'file' })
    .whereNull('upload_id')
    .where('created_at', '<', before)
    .where(isBelow(root, 'entries.dir'))
    .orderBy(['org_id', 'id'])
    .limit(limit)
    .select<ExpiredFile[]>(expiredColumns);
}

function writtenIn(db: Queryable, dirs: readonly string[], before: number, limit: number): Promise<ExpiredFile[]> {
  return db('entries')
    .where({ kind: 'file' })
    .whereIn('dir', [...dirs])
    .whereNull('upload_id')
    .where('created_at', '<=', before)
    .orderBy(['org_id', 'id'])
    .limit(limit)
    .select<ExpiredFile[]>(expiredColumns);
}

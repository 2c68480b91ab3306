/** Complete files that are stored and not queued because of their names, and the note that their senders were told. */
import type { Knex } from 'knex';
import type { Queryable } from '../connection.js';
import { isBelow } from './folders.js';
import { movableStates, type UploadState } from './uploads.js';

export interface StoredUpload {
  id: number;
  org: string;
  path: string;
  closedAt: number;
  size: number;
}

/** Oldest first. */
export async function listStored(db: Queryable, org: string): Promise<StoredUpload[]> {
  const rows: Row[] = await selectStored(db).where({ 'uploads.org_id': org }).orderBy('uploads.id');
  return rows.map(fromRow);
}

/** Ids of organizations that have such files. */
export async function listOrgsWithStored(db: Queryable): Promise<string[]> {
  return db('uploads').where({ state: 'stored' }).distinct().pluck('org_id');
}

/** Ids of organizations that have files whose senders are to be told that they are not imported. */
export async function listUntoldOrgs(db: Queryable, now: number): Promise<string[]> {
  return db('uploads')
    .where((due) => isToTell(due, now))
    .where({ state: 'stored' })
    .distinct()
    .pluck('org_id');
}

/**
 * The files of an organization that are to be told, oldest first; at most `limit`. `isNews`: no earlier file of the path, in the same
 * kind of name, was told.
 */
export async function listUntold(
  db: Queryable,
  org: string,
  now: number,
  limit: number,
): Promise<(StoredUpload & { isNews: boolean })[]> {
  const rows: Row[] = await selectStored(db)
    .where({ 'uploads.org_id': org })
    .where((due) => isToTell(due, now))
    .orderBy('uploads.id')
    .limit(limit);
  const told = new Set<string>(
    await db('uploads')
      .where({ org_id: org })
      .whereIn(
        'path',
        rows.map(({ path }) => path),
      )
      .whereNotNull('told_at')
      .pluck('path'),
  );
  return rows.map((row) => {
    const isNews = !told.has(row.path);
    told.add(row.path);
    return { ...fromRow(row), isNews };
  });
}

/** Those that were told since a time and are stored still, oldest first; at most `limit`. */
export async function listTold(db: Queryable, org: string, since: number, limit: number): Promise<StoredUpload[]> {
  const rows: Row[] = await selectStored(db)
    .where({ 'uploads.org_id': org })
    .where('told_at', '>=', since)
    .orderBy('uploads.id')
    .limit(limit);
  return rows.map(fromRow);
}

/** Notes that they are told. Returns how many this call noted: a file that was renamed meanwhile is not among them. */
export async function noteTold(tx: Queryable, ids: readonly number[], now: number): Promise<number[]> {
  const stored = tx('uploads').whereIn('id', ids).where({ state: 'stored' });
  const due = stored.where((some) => isToTell(some, now));
  return (await due.update({ tell_at: null, told_at: now }).returning('id')).map(({ id }) => id);
}

/** No sender is told later than a day after the upload: a later time was written under a clock that was ahead. */
const longestWaitMs = 2 * 86_400_000;

function isToTell(query: Knex.QueryBuilder, now: number): void {
  query.where('tell_at', '<=', now).orWhere('tell_at', '>', now + longestWaitMs);
}

/** Files below a folder that no run is at work on, in the order of their uploads. */
export async function listWaitingBelow(
  db: Queryable,
  org: string,
  folder: string,
): Promise<{ uploadId: number; path: string; state: UploadState }[]> {
  const query = db('entries')
    .join('uploads', 'uploads.id', 'entries.upload_id')
    .where({ 'entries.org_id': org })
    .whereIn('uploads.state', movableStates)
    .orderBy('uploads.id')
    .select('uploads.id', 'uploads.path', 'uploads.state');
  if (folder !== '/') query.where(isBelow(folder, 'entries.dir'));
  const rows: { id: number; path: string; state: UploadState }[] = await query;
  return rows.map(({ id, path, state }) => ({ uploadId: id, path, state }));
}

interface Row {
  id: number;
  org_id: string;
  path: string;
  closed_at: number;
  size: number;
}

function selectStored(db: Queryable) {
  return db('uploads')
    .join('blobs', 'blobs.id', 'uploads.blob_id')
    .where({ 'uploads.state': 'stored' })
    .select<Row[]>('uploads.id', 'uploads.org_id', 'path', 'closed_at', 'size');
}

function fromRow({ id, org_id: org, path, closed_at: closedAt, size }: Row): StoredUpload {
  return { id, org, path, closedAt, size };
}

/** Links that download an export once: their rows, with the file that each of them names. */
import type { Queryable } from '../connection.js';
import { type BlobRow, insertBlob } from './blobs.js';
import { deleteEntry, type EntryRow, findEntry, insertEntry } from './entries.js';
import { linkedExportsRoot } from './treelayout.js';

export interface Download {
  /** SHA-256 of the token, hex. */
  hash: string;
  org: string;
  /** Of the file. */
  name: string;
  /** The admin who got the mail. */
  user: number;
  createdAt: number;
  expiresAt: number;
  /** Downloads that began. */
  attempts: number;
  /** The one that is under way holds the link until then; null: none is. */
  busyUntil: number | null;
  /** One that broke off may begin again until then; null: none began. */
  againUntil: number | null;
}

export type NewDownload = Omit<Download, 'attempts' | 'busyUntil' | 'againUntil'>;

/** The file and its link. */
export async function insertDownload(
  tx: Queryable,
  { hash, org, name, user, createdAt, expiresAt }: NewDownload,
  blob: Omit<BlobRow, 'org' | 'createdAt'>,
): Promise<void> {
  await insertBlob(tx, { ...blob, org, createdAt });
  const times = { createdAt, mtimeMs: createdAt, atimeMs: createdAt };
  const file = { kind: 'file' as const, mode: 0o644, blobId: blob.id, uploadId: null, size: blob.size };
  await insertEntry(tx, { org, dir: linkedExportsRoot, name, ...file, ...times });
  const row = { hash, org_id: org, name, user_id: user, created_at: createdAt, expires_at: expiresAt };
  await tx('downloads').insert(row);
}

/** The link with this hash, and the stored hash; null: there is none. */
export async function findDownload(db: Queryable, hash: string): Promise<Download | null> {
  const row = await db('downloads').where({ hash }).first();
  return row === undefined ? null : fromRow(row);
}

/** As findDownload, and holds the row against other transactions until this one ends. */
export async function lockDownload(tx: Queryable, hash: string): Promise<Download | null> {
  const row = await tx('downloads').where({ hash }).forUpdate().first();
  return row === undefined ? null : fromRow(row);
}

/** The file of a link; null: it was removed. */
export function findDownloadFile(db: Queryable, { org, name }: Download): Promise<EntryRow | null> {
  return findEntry(db, org, `${linkedExportsRoot}/${name}`);
}

/** @returns false: another attempt has begun meanwhile, or the link was removed */
export async function holdDownload(
  db: Queryable,
  { hash, attempts }: Pick<Download, 'hash' | 'attempts'>,
  change: { attempts: number; busyUntil: number; againUntil: number },
): Promise<boolean> {
  const row = { attempts: change.attempts, busy_until: change.busyUntil, again_until: change.againUntil };
  return (await db('downloads').where({ hash, attempts }).update(row)) === 1;
}

/** Removes the link and its file. Returns the blob, whose bytes go once this is committed; null: the file was removed before. */
export async function deleteDownload(tx: Queryable, download: Download): Promise<string | null> {
  await tx('downloads').where({ hash: download.hash }).delete();
  const file = await findDownloadFile(tx, download);
  if (file === null) return null;
  await deleteEntry(tx, file.id);
  await tx('blobs').where({ id: file.blobId! }).delete();
  return file.blobId;
}

/** Without their files, which retention removes as well. */
export async function forgetExpiredDownloads(db: Queryable, now: number): Promise<void> {
  await db('downloads').where('expires_at', '<=', now).delete();
}

/** Links of an organization that are neither used nor expired. */
export async function countDownloads(db: Queryable, org: string, now: number): Promise<number> {
  const row = await db('downloads').where({ org_id: org }).where('expires_at', '>', now).count({ count: '*' }).first();
  return Number(row?.count ?? 0);
}

function fromRow(row: Record<string, never>): Download {
  return {
    hash: row.hash!,
    org: row.org_id!,
    name: row.name!,
    user: Number(row.user_id),
    createdAt: row.created_at!,
    expiresAt: row.expires_at!,
    attempts: row.attempts!,
    busyUntil: row.busy_until!,
    againUntil: row.again_until!,
  };
}

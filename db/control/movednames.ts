/**
 * The names of files that an import moved to the archive soon after their upload. Clients stat a file and set its times after
 * its CLOSE, often over another connection: for some minutes they find it under its name, as if it were still there.
 */
import type { Queryable } from '../connection.js';
import type { Script } from '../script.js';
import type { EntryRow } from './entries.js';
import type { UploadRow } from './uploads.js';

/** Counted from the upload, or from the rename that queued it: rclone stats when a whole batch is sent. */
export const rememberMs = 10 * 60_000;
/** Of one organization. */
export const mostMovedNames = 1000;

export interface MovedName {
  id: number;
  dir: string;
  name: string;
  uploadId: number;
  size: number;
  mode: number;
  mtimeMs: number;
  atimeMs: number;
}

export type MovedChange = Partial<Pick<MovedName, 'dir' | 'name' | 'mode' | 'mtimeMs' | 'atimeMs'>>;

/**
 * Call it before the entry moves, and `trimMoved` in the same transaction. A file that was sent long ago is not remembered: its client no
 * longer looks for it.
 */
export async function rememberMoved(
  script: Script,
  entry: EntryRow,
  upload: Pick<UploadRow, 'id' | 'closedAt' | 'queuedAt'>,
  now: number,
): Promise<void> {
  const { org, dir, name, size, mode, mtimeMs, atimeMs } = entry;
  const until = Math.max(upload.closedAt, upload.queuedAt ?? 0) + rememberMs;
  if (until <= now) {
    await script.run('DELETE FROM moved_names WHERE org_id = :org AND dir = :dir AND name = :name', { org, dir, name });
    return;
  }
  await script.run(remember, { org, dir, name, upload: upload.id, size, mode, mtimeMs, atimeMs, until });
}

const remember = `INSERT INTO moved_names (org_id, dir, name, upload_id, size, mode, mtime_ms, atime_ms, until_at)
  VALUES (:org, :dir, :name, :upload, :size, :mode, :mtimeMs, :atimeMs, :until)
  ON CONFLICT (org_id, dir, name) DO UPDATE SET upload_id = excluded.upload_id, size = excluded.size, mode = excluded.mode,
    mtime_ms = excluded.mtime_ms, atime_ms = excluded.atime_ms, until_at = excluded.until_at`;

/** Forgets the names whose time is over, and of those of the organization the oldest ones past a bound. */
export async function trimMoved(script: Script, org: string, now: number): Promise<void> {
  await script.run(
    `DELETE FROM moved_names WHERE until_at <= :now OR id IN
       (SELECT id FROM moved_names WHERE org_id = :org ORDER BY until_at DESC, id DESC LIMIT :all OFFSET :most)`,
    // SQLite takes no OFFSET without a LIMIT.
    { org, now, all: Number.MAX_SAFE_INTEGER, most: mostMovedNames },
  );
}

/** null: an import moved no file from there lately, or the name was written anew since. */
export async function findMoved(db: Queryable, org: string, path: string, now: number): Promise<MovedName | null> {
  // A later time was written under a clock that was ahead.
  const row: Stored | undefined = await db('moved_names')
    .where(keyOf(org, path))
    .whereBetween('until_at', [now + 1, now + 2 * rememberMs])
    .first();
  if (row === undefined) return null;
  const { id, dir, name, upload_id: uploadId, size, mode, mtime_ms: mtimeMs, atime_ms: atimeMs } = row;
  return { id, dir, name, uploadId, size, mode, mtimeMs, atimeMs };
}

/** The name was written anew, or its sender has removed it. */
export async function forgetMoved(tx: Queryable, org: string, path: string): Promise<void> {
  await tx('moved_names').where(keyOf(org, path)).delete();
}

/** The folder is removed: no name in it is left. */
export async function forgetMovedIn(tx: Queryable, org: string, dir: string): Promise<void> {
  await tx('moved_names').where({ org_id: org, dir }).delete();
}

export async function updateMoved(db: Queryable, id: number, change: MovedChange): Promise<void> {
  const { dir, name, mode, mtimeMs, atimeMs } = change;
  const row = Object.entries({ dir, name, mode, mtime_ms: mtimeMs, atime_ms: atimeMs });
  const given = row.filter(([, value]) => value !== undefined);
  if (given.length > 0) await db('moved_names').where({ id }).update(Object.fromEntries(given));
}

interface Stored {
  id: number;
  dir: string;
  name: string;
  upload_id: number;
  size: number;
  mode: number;
  mtime_ms: number;
  atime_ms: number;
}

function keyOf(org: string, path: string) {
  const slash = path.lastIndexOf('/');
  return { org_id: org, dir: path.slice(0, slash) || '/', name: path.slice(slash + 1) };
}

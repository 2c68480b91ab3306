/** The files that were taken from sources and watched folders, so that each is taken once: the latest version of each name. */
import type { Queryable } from '../connection.js';

export interface TakenFile {
  name: string;
  size: number;
  mtimeMs: number;
  sha256: string;
  uploadId: number;
  /** It is still to be deleted or moved at its source. */
  isPending: boolean;
  /** That has begun: if it is no longer there, it was done. Never set without `isPending`. */
  isLeaving?: boolean;
  /** Its source has refused that, and is asked again in each round: if it is no longer there, that proves nothing. */
  isRefused?: boolean;
  /** Since when its source no longer has it; null: it has it. */
  goneAt: number | null;
}

/** Values of the column `is_pending`. */
const states = { kept: 0, pending: 1, leaving: 2, refused: 3 };

export async function listTaken(db: Queryable, source: number): Promise<TakenFile[]> {
  const rows = await db('source_files').where({ source_id: source }).orderBy('id');
  return rows.map((row) => ({
    name: row.name,
    size: row.size,
    mtimeMs: row.mtime_ms,
    sha256: row.sha256,
    uploadId: row.upload_id,
    isPending: row.is_pending !== states.kept,
    ...(row.is_pending === states.leaving && { isLeaving: true }),
    ...(row.is_pending === states.refused && { isRefused: true }),
    goneAt: row.gone_at,
  }));
}

/** In the transaction that publishes the file. A newer version of a name replaces the older one. */
export async function recordTaken(
  tx: Queryable,
  source: number,
  file: Omit<TakenFile, 'goneAt'>,
  at: number,
): Promise<void> {
  await tx('source_files').where({ source_id: source, name: file.name }).delete();
  await tx('source_files').insert({
    source_id: source,
    name: file.name,
    size: file.size,
    mtime_ms: file.mtimeMs,
    sha256: file.sha256,
    upload_id: file.uploadId,
    taken_at: at,
    seen_at: at,
    is_pending: file.isPending ? states.pending : states.kept,
  });
}

/** The name has another time, and the content that was taken before. */
export async function recordSeen(
  db: Queryable,
  source: number,
  file: Version & Pick<TakenFile, 'size' | 'mtimeMs' | 'isPending'>,
  at: number,
): Promise<void> {
  await versionOf(db, source, file).update({
    size: file.size,
    mtime_ms: file.mtimeMs,
    seen_at: at,
    is_pending: file.isPending ? states.pending : states.kept,
    gone_at: null,
  });
}

/** It is deleted or moved next: a crash can separate that from the row's removal. */
export async function markLeaving(db: Queryable, source: number, file: Version): Promise<void> {
  await versionOf(db, source, file).update({ is_pending: states.leaving });
}

/** Its source has refused to delete or move it. One write for all its refusals. */
export async function markRefused(db: Queryable, source: number, file: Version): Promise<void> {
  await versionOf(db, source, file).update({ is_pending: states.refused });
}

/** It was deleted or moved at its source: a file that comes under its name is new. */
export async function forgetTaken(db: Queryable, source: number, file: Version): Promise<void> {
  await versionOf(db, source, file).delete();
}

/** Its sender keeps it: nothing is done to it any more. */
export async function settleTaken(db: Queryable, source: number, file: Version): Promise<void> {
  await versionOf(db, source, file).update({ is_pending: states.kept });
}

/** A node that stood still may be the second one: another has the source, and has taken a newer version of the name. */
type Version = Pick<TakenFile, 'name' | 'uploadId'>;

function versionOf(db: Queryable, source: number, { name, uploadId }: Version) {
  return db('source_files').where({ source_id: source, name, upload_id: uploadId });
}

const bulk = 400;

/** Notes which of them are no longer there, and which are there again; forgets those that were gone `before` a time. */
export async function followAbsent(
  tx: Queryable,
  source: number,
  change: { gone: readonly string[]; back: readonly string[] },
  now: number,
  before: number,
): Promise<void> {
  for (const [names, goneAt] of [[change.gone, now] as const, [change.back, null] as const])
    for (let from = 0; from < names.length; from += bulk)
      await tx('source_files')
        .where({ source_id: source })
        .whereIn('name', names.slice(from, from + bulk))
        .update({ gone_at: goneAt });
  await tx('source_files').where({ source_id: source }).where('gone_at', '<', before).delete();
}

/** The states of uploads, by id. */
export async function listUploadStates(db: Queryable, ids: readonly number[]): Promise<Map<number, string>> {
  const states = new Map<number, string>();
  for (let from = 0; from < ids.length; from += bulk)
    for (const row of await db('uploads')
      .whereIn('id', ids.slice(from, from + bulk))
      .select('id', 'state'))
      states.set(row.id, row.state);
  return states;
}

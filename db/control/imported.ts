/** Which uploads are imported according to the control database, for the comparison with the directory database. */
import type { Queryable } from '../connection.js';
import type { UploadState } from './uploads.js';

/** Ids of imported uploads in their order, from after `afterId`; at most `limit`. */
export async function listImported(db: Queryable, afterId: number, limit: number): Promise<number[]> {
  const rows = await db('uploads').where({ state: 'imported' }).where('id', '>', afterId).orderBy('id').limit(limit);
  return rows.map((row) => row.id);
}

/** State and run of each of the uploads; a deleted one has no entry. */
export async function findStates(
  db: Queryable,
  ids: readonly number[],
): Promise<Map<number, { state: UploadState; runId: number | null }>> {
  const rows = await db('uploads').whereIn('id', ids).select('id', 'state', 'run_id');
  return new Map(rows.map((row) => [row.id, { state: row.state, runId: row.run_id }]));
}

/** Ids of uploads that wait for an import or are imported now, in their order, from after `afterId`; at most `limit`. */
export async function listWaiting(db: Queryable, afterId: number, limit: number): Promise<number[]> {
  const waiting = db('uploads').whereIn('state', ['queued', 'running', 'held']).where('id', '>', afterId);
  return (await waiting.orderBy('id').limit(limit)).map((row) => row.id);
}

/** Where each of the uploads came from: its organization, and the path that its sender gave it. */
export async function findOrigins(db: Queryable, ids: readonly number[]): Promise<{ org: string; path: string }[]> {
  const rows = await db('uploads').whereIn('id', ids).orderBy('id').select('org_id', 'path');
  return rows.map((row) => ({ org: row.org_id, path: row.path }));
}

/** Ends an upload in any state: the directory has it (`imported`), or it is queued again under another number (`withdrawn`). */
export async function endUpload(
  tx: Queryable,
  id: number,
  outcome: { state: 'imported' | 'withdrawn'; archivedAs: string | null; at: number },
): Promise<void> {
  const { state, archivedAs: archived_as, at: settled_at } = outcome;
  await tx('uploads').where({ id }).update({ state, archived_as, settled_at });
}

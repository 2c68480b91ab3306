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

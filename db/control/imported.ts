/** The control database's side of "imported once": which uploads it holds for imported. */
import type { Queryable } from '../connection.js';
import type { UploadState } from './uploads.js';

/** Ids of imported uploads in their order, from after `afterId`; at most `limit`. */
export async function listImported(db: Queryable, afterId: number, limit: number): Promise<number[]> {
  const rows = await db('uploads').where({ state: 'imported' }).where('id', '>', afterId).orderBy('id').limit(limit);
  return rows.map((row) => row.id);
}

/** What is known of each of the uploads; one that is gone has no entry. */
export async function findStates(
  db: Queryable,
  ids: readonly number[],
): Promise<Map<number, { state: UploadState; runId: number | null }>> {
  const rows = await db('uploads').whereIn('id', ids).select('id', 'state', 'run_id');
  return new Map(rows.map((row) => [row.id, { state: row.state, runId: row.run_id }]));
}

/** Which uploads were applied to the directory, in which run: the proof that each is imported once. */
import type { Queryable } from '../connection.js';

export interface AppliedUpload {
  uploadId: number;
  runId: number;
}

/** In the order of the uploads' ids, from after `afterId`; at most `limit`. */
export async function listApplied(db: Queryable, afterId: number, limit: number): Promise<AppliedUpload[]> {
  const rows = await db('applied_uploads').where('upload_id', '>', afterId).orderBy('upload_id').limit(limit);
  return rows.map((row) => ({ uploadId: row.upload_id, runId: row.run_id }));
}

/** Those of the uploads that were applied. */
export async function filterApplied(db: Queryable, ids: readonly number[]): Promise<Set<number>> {
  const rows = await db('applied_uploads').whereIn('upload_id', ids).select('upload_id');
  return new Set(rows.map((row) => row.upload_id));
}

/** When a run of the organization was applied, in ms; null: it was not. */
export async function findAppliedAt(db: Queryable, org: string, runId: number): Promise<number | null> {
  return (await db('applied_runs').where({ org_id: org, run_id: runId }).first('at'))?.at ?? null;
}

/** Those of the uploads that were applied, with the run and its time in ms. */
export async function findApplications(
  db: Queryable,
  ids: readonly number[],
): Promise<(AppliedUpload & { at: number })[]> {
  const rows = await db('applied_uploads as u')
    .join('applied_runs as r', 'r.run_id', 'u.run_id')
    .whereIn('u.upload_id', ids)
    .orderBy('u.upload_id')
    .select('u.upload_id', 'u.run_id', 'r.at');
  return rows.map((row) => ({ uploadId: row.upload_id, runId: row.run_id, at: row.at }));
}

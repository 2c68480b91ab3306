/** The states of many organizations at once: their queues with the verdicts of early checks, their held runs, the last upload. */
import type { Queryable } from '../connection.js';
import type { CheckVerdict, UploadState } from './uploads.js';

/** Queued files by the verdict of their early check; `unchecked`: they have none. */
export type QueueCounts = Record<CheckVerdict | 'unchecked', number>;

export const emptyQueue: QueueCounts = { would_import: 0, would_hold: 0, would_refuse: 0, unchecked: 0 };

/** By organization; one without queued files is missing. `org`: of this one only. */
export async function countQueues(db: Queryable, org?: string): Promise<Map<string, QueueCounts>> {
  const query = db('uploads').where({ state: 'queued' }).groupBy('org_id', 'check_verdict');
  if (org !== undefined) query.where({ org_id: org });
  const rows: { org_id: string; check_verdict: CheckVerdict | null; files: number }[] = await query
    .select('org_id', 'check_verdict')
    .count({ files: '*' });
  const queues = new Map<string, QueueCounts>();
  for (const { org_id: id, check_verdict: verdict, files } of rows)
    queues.set(id, { ...(queues.get(id) ?? emptyQueue), [verdict ?? 'unchecked']: Number(files) });
  return queues;
}

/** By organization, the run that is held and blocks its next ones. `org`: of this one only. */
export async function listHeldRuns(db: Queryable, org?: string): Promise<Map<string, number>> {
  // As in the index `runs_unended`, which would not be used otherwise.
  const unended = db('runs').whereRaw("state IN ('open', 'running', 'held')");
  const query = unended.where({ state: 'held' }).groupBy('org_id');
  if (org !== undefined) query.where({ org_id: org });
  const rows: { org_id: string; run: number }[] = await query.select('org_id').min({ run: 'id' });
  return new Map(rows.map(({ org_id, run }) => [org_id, Number(run)]));
}

/** By organization, since when its oldest queued file waits, in ms. */
export async function listOldestQueued(db: Queryable): Promise<Map<string, number>> {
  const rows: { org_id: string; at: number | null }[] = await db('uploads')
    .where({ state: 'queued' })
    .groupBy('org_id')
    .select('org_id')
    .min({ at: 'queued_at' });
  return new Map(rows.flatMap(({ org_id, at }) => (at === null ? [] : [[org_id, Number(at)]])));
}

export interface LastUpload {
  path: string;
  size: number;
  state: UploadState;
  /** When it was complete, in ms. */
  closedAt: number;
}

/** The file that an organization sent last; null: none is known. */
export async function findLastUpload(db: Queryable, org: string): Promise<LastUpload | null> {
  const row = await db('uploads')
    .join('blobs', 'blobs.id', 'uploads.blob_id')
    .where('uploads.org_id', org)
    .orderBy('uploads.closed_at', 'desc')
    .orderBy('uploads.id', 'desc')
    .first('uploads.path', 'uploads.state', 'uploads.closed_at', 'blobs.size');
  if (row === undefined) return null;
  return { path: row.path, size: Number(row.size), state: row.state, closedAt: Number(row.closed_at) };
}

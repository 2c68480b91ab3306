/** Finds uploads without their record in the audit trail, which a program other than Dropslot wrote to the database: no import takes them. */
import type { Queryable } from '../connection.js';
import { beginning, type ChainedFields, hashRecord } from './auditchain.js';
import type { UploadRow } from './uploads.js';

type Recorded = Pick<UploadRow, 'id' | 'org' | 'sha256'>;

/** As few as one statement takes on each database. */
const mostIds = 500;

/**
 * Of these uploads, the ids of those that do not stand in the audit trail with the digest of their content: the last record
 * of an upload with a digest must have this one, and the hash that the chain gives it.
 */
export async function findUnrecorded(db: Queryable, uploads: readonly Recorded[]): Promise<Set<number>> {
  const unrecorded = new Set<number>();
  for (let from = 0; from < uploads.length; from += mostIds) {
    const some = uploads.slice(from, from + mostIds);
    const records = await readLast(db, some);
    for (const upload of some) if (!isRecorded(upload, records.get(upload.id))) unrecorded.add(upload.id);
  }
  return unrecorded;
}

export interface Unrecorded {
  id: number;
  org: string;
  path: string;
}

/** As findUnrecorded, of all uploads that wait for an import, a check or their rename; page by page. */
export async function* walkUnrecorded(db: Queryable): AsyncGenerator<Unrecorded> {
  for (let after = 0; ; ) {
    const rows = await db('uploads')
      .join('blobs', 'blobs.id', 'uploads.blob_id')
      .whereIn('state', ['stored', 'queued', 'dry_run', 'checked', 'running', 'held'])
      .where('uploads.id', '>', after)
      .orderBy('uploads.id')
      .limit(mostIds)
      .select('uploads.id', 'uploads.org_id as org', 'uploads.path', 'blobs.sha256');
    const unrecorded = await findUnrecorded(db, rows);
    for (const { id, org, path } of rows) if (unrecorded.has(id)) yield { id, org, path };
    if (rows.length < mostIds) return;
    after = rows.at(-1).id;
  }
}

interface Last extends ChainedFields {
  hash: string;
  /** Of the record before; null: there is none. */
  previous: string | null;
}

/** The last record with a digest of each upload. */
async function readLast(db: Queryable, uploads: readonly Recorded[]): Promise<Map<number, Last>> {
  const rows = await db('audit')
    .leftJoin('audit as before', 'before.seq', db.raw('audit.seq - 1'))
    .whereIn(
      'audit.upload_id',
      uploads.map(({ id }) => id),
    )
    .where('audit.seq', '<=', db('audit_head').where({ id: 1 }).select('count'))
    .orderBy('audit.seq')
    .select('audit.*', 'before.hash as previous');
  return new Map(rows.map(({ upload_id, org_id, ...row }) => [upload_id, { ...row, org: org_id }]));
}

function isRecorded({ id, org, sha256 }: Recorded, record: Last | undefined): boolean {
  if (record === undefined || record.org !== org) return false;
  const isFirst = record.seq === 1;
  if ((record.previous === null) !== isFirst) return false;
  if (hashRecord(record.previous ?? beginning, record) !== record.hash) return false;
  // Its text is what was chained, so it is JSON.
  const detail = JSON.parse(record.detail);
  return detail.upload === id && detail.sha256 === sha256;
}

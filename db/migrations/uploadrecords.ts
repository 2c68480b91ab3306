/** Control database: finds the audit record of an upload, which every upload that is imported must have. */

import type { Knex } from 'knex';
import type { AuditEvent } from '../control/auditchain.js';
import { appendRecords } from '../control/audittransaction.js';
import { dialectOf } from '../dialect.js';
import type { Migration } from './migrate.js';

export const uploadRecords: Migration = { name: '036_upload_records', up: addUploadRecords };

/** Those that may be imported or checked later. */
const waiting = `SELECT id FROM uploads WHERE state IN ('stored', 'queued', 'dry_run', 'checked', 'running', 'held')`;
const pageRows = 500;

async function addUploadRecords(knex: Knex): Promise<void> {
  const isPostgres = dialectOf(knex) === 'postgres';
  await knex.schema.alterTable('audit', (table) => {
    table.bigInteger('upload_id'); // of a record with the digest of an upload; for finding it, and not hashed
  });
  const of = isPostgres ? `detail::jsonb ->> 'upload'` : `json_extract(detail, '$.upload')`;
  await knex.raw(
    `UPDATE audit SET upload_id = ${isPostgres ? `(${of})::bigint` : of} WHERE detail LIKE '%"sha256":%'
     AND ${of} IN (${isPostgres ? waiting.replace('SELECT id', 'SELECT id::text') : waiting})`,
  );
  await knex.raw('CREATE INDEX audit_uploads ON audit (upload_id) WHERE upload_id IS NOT NULL');
  for (let after = 0; ; ) {
    const rows: Adopted[] = await knex('uploads')
      .join('blobs', 'blobs.id', 'uploads.blob_id')
      .whereRaw(`uploads.id IN (${waiting})`)
      .whereNotExists(knex('audit').select(knex.raw('1')).whereRaw('audit.upload_id = uploads.id'))
      .where('uploads.id', '>', after)
      .orderBy('uploads.id')
      .limit(pageRows)
      .select('uploads.id', 'uploads.org_id', 'uploads.path', 'blobs.size', 'blobs.sha256');
    if (rows.length > 0) await appendRecords(knex, rows.map(adopt));
    if (rows.length < pageRows) return;
    after = rows.at(-1)!.id;
  }
}

interface Adopted {
  id: number;
  org_id: string;
  path: string;
  size: number;
  sha256: string;
}

/** An upload that an earlier version left without a record. */
function adopt({ id, org_id, path, size, sha256 }: Adopted): AuditEvent {
  const detail = { upload: id, outcome: 'found at an update', size, sha256 };
  return { at: Date.now(), org: org_id, actor: 'system', action: 'upload.adopted', subject: path, detail };
}

/** The change history of one user, team or field, with the upload and line of each change (rule R3). */
import type { Knex } from 'knex';
import type { Queryable } from '../connection.js';

export interface RecordedChange {
  at: number;
  /** null: a scheduled deactivation, or an operator's change of the owner. */
  runId: number | null;
  uploadId: number | null;
  /** 1-based line of the upload; null: no line says it. */
  line: number | null;
  /** A label; '' for the creation itself, whose `after` is JSON of the values by label. */
  field: string;
  before: string | null;
  after: string | null;
}

/** The last change of each field; of `Teams`, of each team. A value that was not changed since is its creation's (field ''). */
export async function listOrigins(db: Queryable, entity: 'user' | 'team', entityId: string): Promise<RecordedChange[]> {
  const item = db.raw("CASE field WHEN 'Teams' THEN COALESCE(before, after) ELSE '' END");
  const last = db('changes').where({ entity, entity_id: entityId }).groupBy('field', item).max('id');
  return (await db('changes').whereIn('id', last).orderBy('id')).map(toChange);
}

/** Newest first. */
export async function listHistory(
  db: Queryable,
  entity: 'user' | 'team' | 'field',
  entityId: string,
  limit: number,
): Promise<RecordedChange[]> {
  const rows = await db('changes').where({ entity, entity_id: entityId }).orderBy('id', 'desc').limit(limit);
  return rows.map(toChange);
}

/** Labels that fields had before, and the id of the field: older changes of users speak of it by them. */
export async function listFormerLabels(db: Queryable, fieldIds: readonly string[]): Promise<Map<string, string>> {
  const rows = await db('changes')
    .where({ entity: 'field', field: 'Label' })
    .whereIn('entity_id', fieldIds)
    .orderBy('id')
    .select('before', 'entity_id');
  return new Map(rows.map((row) => [row.before, row.entity_id]));
}

// biome-ignore lint/suspicious/noExplicitAny: a row of the table
function toChange(row: any): RecordedChange {
  return {
    at: row.at,
    runId: row.run_id,
    uploadId: row.upload_id,
    line: row.line,
    field: row.field,
    before: row.before,
    after: row.after,
  };
}

/**
 * Only rows of which a change was recorded at this time (ms) or later. The last change is one look into the index for each
 * row; an EXISTS becomes a join with all changes on PostgreSQL, anew for each page.
 */
export function onlyChangedSince(
  query: Knex.QueryBuilder,
  entity: 'user' | 'team',
  table: 'users' | 'teams',
  since: number,
): void {
  query.whereRaw(
    `(SELECT MAX(c.at) FROM changes c WHERE c.entity = '${entity}' AND c.entity_id = CAST(${table}.id AS TEXT)) >= ?`,
    since,
  );
}

export interface NewChange {
  org: string;
  entity: 'user' | 'team' | 'field';
  entityId: string;
  field: string;
  before: string | null;
  after: string | null;
  at: number;
}

const batchRows = 500;

/** Records an operator's change, which has no upload. `runId`: the run of a change that can be undone. */
export async function recordChanges(
  tx: Queryable,
  changes: readonly NewChange[],
  runId: number | null = null,
): Promise<void> {
  for (let from = 0; from < changes.length; from += batchRows)
    await tx('changes').insert(
      changes.slice(from, from + batchRows).map(({ org, entity, entityId, ...rest }) => ({
        org_id: org,
        run_id: runId,
        upload_id: null,
        line: null,
        entity,
        entity_id: entityId,
        ...rest,
      })),
    );
}

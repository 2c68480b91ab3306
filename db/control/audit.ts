/** The audit trail: actor, action, object and time. Rows are only ever added, each chained to the one before. */
import type { Queryable } from '../connection.js';
import type { AuditEvent, ChainedFields } from './auditchain.js';
import { appendRecords, eventsOf } from './audittransaction.js';

export type { AuditEvent } from './auditchain.js';

/** A record as it is stored, with the hash that it carries. */
export interface AuditRecord extends ChainedFields {
  hash: string;
}

/** Where the trail ends. */
export interface AuditHead {
  count: number;
  hash: string;
}

/**
 * Records an event exactly if the caller's transaction commits. In `Db.transact` it is chained right before the commit; in
 * any other transaction at once; outside of one, in a transaction of its own. So every record is chained, in any transaction.
 */
export async function recordAudit(db: Queryable, event: AuditEvent): Promise<void> {
  const events = eventsOf(db);
  if (events !== null) events.push(event);
  else if (db.isTransaction === true) await appendRecords(db, [event]);
  else await db.transaction((tx) => appendRecords(tx, [event]));
}

export async function listAudit(db: Queryable, org: string): Promise<AuditEvent[]> {
  const rows = await db('audit').where({ org_id: org }).orderBy('seq');
  return rows.map((row) => ({
    at: row.at,
    org: row.org_id,
    actor: row.actor,
    action: row.action,
    subject: row.subject,
    detail: JSON.parse(row.detail),
  }));
}

export async function readHead(db: Queryable): Promise<AuditHead> {
  const head = await db('audit_head').where({ id: 1 }).first<AuditHead | undefined>('count', 'hash');
  return head ?? { count: 0, hash: '' };
}

/** The time of a record, in ms; null: there is no such record. */
export async function findRecordTime(db: Queryable, seq: number): Promise<number | null> {
  return (await db('audit').where({ seq }).first('at'))?.at ?? null;
}

/** Rows that claim a place before the trail's beginning or behind its end, or none at all. */
export async function countStrays(db: Queryable): Promise<number> {
  const row = await db('audit')
    .whereNull('seq')
    .orWhereNull('hash')
    .orWhere('seq', '<', 1)
    .orWhere('seq', '>', db('audit_head').where({ id: 1 }).select('count'))
    .count({ strays: '*' })
    .first();
  return Number(row?.strays ?? 0);
}

/** Limits of a query of the trail; times in milliseconds, `until` not included. */
export interface AuditFilter {
  /** Only records after this one. */
  after?: number;
  org?: string;
  since?: number;
  until?: number;
}

const pageRows = 1000;

/** The records in their order, page by page, however many there are. Those that are added meanwhile come at the end. */
export async function* readRecords(db: Queryable, filter: AuditFilter = {}): AsyncGenerator<AuditRecord, void, void> {
  const { org, since, until } = filter;
  for (let after = filter.after ?? 0; ; ) {
    const query = db('audit').where('seq', '>', after).orderBy('seq').limit(pageRows);
    if (org !== undefined) query.where({ org_id: org });
    if (since !== undefined) query.where('at', '>=', since);
    if (until !== undefined) query.where('at', '<', until);
    const rows = await query.select('seq', 'at', 'org_id', 'actor', 'action', 'subject', 'detail', 'hash');
    for (const { org_id: orgId, ...row } of rows) yield { ...row, org: orgId };
    if (rows.length < pageRows) return;
    after = rows.at(-1)!.seq;
  }
}

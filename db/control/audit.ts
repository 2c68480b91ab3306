/** The audit trail: who did what, to what, when. Rows are only ever added, each chained to the one before. */
import { closeTransactionsWith, itemsOf } from '../closing.js';
import type { Queryable } from '../connection.js';
import { type ChainedFields, hashRecord } from './auditchain.js';

export interface AuditEvent {
  at: number;
  org: string | null;
  /** `key:SHA256:…`, `operator:<system user>`, or `system`. */
  actor: string;
  /** A dotted noun and verb: `upload.closed`, `key.revoked`. */
  action: string;
  subject: string;
  /** `address` says from where, `outcome` or `reason` how it ended. */
  detail: Record<string, unknown>;
}

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
 * Joins the caller's transaction, so that an event is there exactly when what it tells of is. It is chained right before
 * the commit: on PostgreSQL the writers of all nodes queue for the trail's end, and one that then waits for nothing else
 * can't deadlock with another. Outside of a transaction it is one by itself.
 */
export async function recordAudit(db: Queryable, event: AuditEvent): Promise<void> {
  const waiting = itemsOf<AuditEvent>(db);
  if (waiting !== null) waiting.push(event);
  else if (db.isTransaction === true) await appendRecords(db, [event]);
  else await db.transaction((tx) => appendRecords(tx, [event]));
}

/** Has every transaction of a control database end with the audit events that were recorded in it. */
export function chainTransactions(write: Queryable): void {
  closeTransactionsWith<AuditEvent>(write, appendRecords);
}

async function appendRecords(tx: Queryable, events: readonly AuditEvent[]): Promise<void> {
  const [head] = await tx('audit_head')
    .where({ id: 1 })
    .update({ count: tx.raw('count + ?', [events.length]) })
    .returning<AuditHead[]>(['count', 'hash']);
  if (head === undefined) throw new Error('the audit trail has no end: the row of audit_head is gone');
  let { hash } = head;
  let seq = head.count - events.length;
  const rows = events.map((event) => {
    const { at, org, actor, action, subject } = event;
    seq += 1;
    const detail = JSON.stringify(event.detail);
    hash = hashRecord(hash, { seq, at, org, actor, action, subject, detail });
    return { seq, at, org_id: org, actor, action, subject, detail, hash };
  });
  // SQLite takes a bounded number of values in one statement.
  for (let from = 0; from < rows.length; from += 500) await tx('audit').insert(rows.slice(from, from + 500));
  await tx('audit_head').where({ id: 1 }).update({ hash });
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

/** What a reader of the trail asks for; times in milliseconds, `until` not included. */
export interface AuditFilter {
  /** Only what comes after this record. */
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

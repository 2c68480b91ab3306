/** The audit trail: who did what, to what, when. Rows are only ever added. */
import type { Queryable } from '../connection.js';

export interface AuditEvent {
  at: number;
  org: string | null;
  /** `key:SHA256:…`, `operator:<system user>`, or `system`. */
  actor: string;
  /** A dotted noun and verb: `upload.closed`, `key.revoked`. */
  action: string;
  subject: string;
  detail: Record<string, unknown>;
}

/** Joins the caller's transaction, so that an event is there exactly when what it tells of is. */
export async function recordAudit(db: Queryable, event: AuditEvent): Promise<void> {
  await db('audit').insert({
    at: event.at,
    org_id: event.org,
    actor: event.actor,
    action: event.action,
    subject: event.subject,
    detail: JSON.stringify(event.detail),
  });
}

export async function listAudit(db: Queryable, org: string): Promise<AuditEvent[]> {
  const rows = await db('audit').where({ org_id: org }).orderBy('id');
  return rows.map((row) => ({
    at: row.at,
    org: row.org_id,
    actor: row.actor,
    action: row.action,
    subject: row.subject,
    detail: JSON.parse(row.detail),
  }));
}

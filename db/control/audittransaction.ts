/** Chains the audit records of a control transaction to the trail, right before that transaction commits. */
import type { Knex } from 'knex';
import { type AuditEvent, hashRecord } from './auditchain.js';

/** Under this key a transaction carries the events that were recorded in it. */
const recorded = Symbol('audit events recorded in this transaction');

/**
 * Runs `work`, then chains those of its recorded events that are admitted, and calls `onChained`; the commit follows. At the end, because on PostgreSQL the writers of all nodes queue
 * for the last record of the trail: a transaction that then waits for nothing else can't deadlock with another.
 */
export async function chainAudit<T>(
  tx: Knex.Transaction,
  work: (tx: Knex.Transaction) => Promise<T>,
  admit: (events: readonly AuditEvent[]) => readonly AuditEvent[] = (events) => events,
  onChained: (head: ChainHead, events: readonly AuditEvent[]) => unknown = () => {},
): Promise<T> {
  const events: AuditEvent[] = [];
  Reflect.set(tx, recorded, events);
  const result = await work(tx);
  const admitted = admit(events);
  if (admitted.length > 0) onChained(await appendRecords(tx, admitted), admitted);
  return result;
}

/** The last record of the trail. */
export interface ChainHead {
  seq: number;
  hash: string;
}

/** The events that `chainAudit` will chain, to be added to; null: `db` is no transaction of `Db.transact`. */
export function eventsOf(db: Knex): AuditEvent[] | null {
  return (Reflect.get(db, recorded) as AuditEvent[] | undefined) ?? null;
}

/** Chains the events to the trail at once; the last of their records. */
export async function appendRecords(tx: Knex, events: readonly AuditEvent[]): Promise<ChainHead> {
  const [head] = await tx('audit_head')
    .where({ id: 1 })
    .update({ count: tx.raw('count + ?', [events.length]) })
    .returning<{ count: number; hash: string }[]>(['count', 'hash']);
  if (head === undefined) throw new Error('the audit trail is damaged: the row of audit_head is missing');
  let { hash } = head;
  let seq = head.count - events.length;
  const rows = events.map((event) => {
    const { at, org, actor, action, subject } = event;
    seq += 1;
    const detail = JSON.stringify(event.detail);
    hash = hashRecord(hash, { seq, at, org, actor, action, subject, detail });
    return { seq, at, org_id: org, actor, action, subject, detail, hash, upload_id: uploadOf(event) };
  });
  // SQLite takes a bounded number of values in one statement.
  for (let from = 0; from < rows.length; from += 500) await tx('audit').insert(rows.slice(from, from + 500));
  await tx('audit_head').where({ id: 1 }).update({ hash });
  return { seq, hash };
}

/** The upload whose digest the event has; null: it has none. */
function uploadOf({ detail: { upload, sha256 } }: AuditEvent): number | null {
  return typeof upload === 'number' && typeof sha256 === 'string' ? upload : null;
}

/** Chains the audit records of a control transaction to the trail, right before that transaction commits. */
import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';
import { insertRows, openScript } from '../script.js';
import { type AuditEvent, hashRecord } from './auditchain.js';
import { insertEvents, type NewEvent } from './eventrows.js';
import { eventOfRecord } from './eventsofaudit.js';

/** Under these keys a transaction carries the audit records, and the events for subscribers, that were recorded in it. */
const recorded = Symbol('audit events recorded in this transaction');
const outbox = Symbol('events recorded in this transaction');
const knownHead = Symbol('the end of the trail, as this transaction has read it');

/**
 * Runs `work`, then chains those of its recorded events that are admitted, and calls `onChained`; the commit follows. At the end, because on PostgreSQL the writers of all nodes queue
 * for the last record of the trail: a transaction that then waits for nothing else can't deadlock with another.
 * @param mark a record that was committed before; null: none is looked for
 * @throws CommitsLost when the trail lacks that record
 */
export async function chainAudit<T>(
  tx: Knex.Transaction,
  work: (tx: Knex.Transaction) => Promise<T>,
  admit: (events: readonly AuditEvent[]) => readonly AuditEvent[] = (events) => events,
  onChained: (head: ChainHead, events: readonly AuditEvent[]) => unknown = () => {},
  mark: ChainHead | null = null,
): Promise<T> {
  const events: AuditEvent[] = [];
  const noted: NewEvent[] = [];
  Reflect.set(tx, recorded, events);
  Reflect.set(tx, outbox, noted);
  const result = await work(tx);
  const admitted = admit(events);
  if (admitted.length + noted.length === 0) return result;
  const head = await appendRecords(tx, admitted, noted, mark);
  if (admitted.length > 0) onChained(head, admitted);
  return result;
}

/** The last record of the trail. */
export interface ChainHead {
  seq: number;
  hash: string;
}

/** The database has stepped back: the trail lacks a record that was committed. */
export class CommitsLost extends Error {}

/** The events that `chainAudit` will chain, to be added to; null: `db` is no transaction of `Db.transact`. */
export function eventsOf(db: Knex): AuditEvent[] | null {
  return (Reflect.get(db, recorded) as AuditEvent[] | undefined) ?? null;
}

/** The events for subscribers that `chainAudit` will write, to be added to; null: `db` is no transaction of `Db.transact`. */
export function outboxOf(db: Knex): NewEvent[] | null {
  return (Reflect.get(db, outbox) as NewEvent[] | undefined) ?? null;
}

/** Only in a transaction of `Db.transact` on SQLite, in which no other one writes: its end need not read the head again. */
export function rememberHead(tx: Knex, head: ChainHead): void {
  Reflect.set(tx, knownHead, head);
}

/**
 * Chains the records to the trail at once, and writes the events that follow from them, and `noted`, to the outbox. It locks the
 * end of the trail also for events alone: so their numbers have the order of the commits. Returns the last record of the trail.
 */
export async function appendRecords(
  tx: Knex,
  events: readonly AuditEvent[],
  noted: readonly NewEvent[] = [],
  mark: ChainHead | null = null,
): Promise<ChainHead> {
  const head = await takeHead(tx, mark);
  if (head === undefined) throw new Error('the audit trail is damaged: the row of audit_head is missing');
  if (mark !== null && head.marked !== mark.hash) throw new CommitsLost('the database has lost commits');
  let { seq, hash } = head;
  const rows = events.map((event) => {
    const { at, org, actor, action, subject } = event;
    seq += 1;
    const detail = JSON.stringify(event.detail);
    hash = hashRecord(hash, { seq, at, org, actor, action, subject, detail });
    return { seq, at, org_id: org, actor, action, subject, detail, hash, upload_id: uploadOf(event) };
  });
  const script = openScript(tx, dialectOf(tx));
  await insertEvents(script, [...noted, ...events.map(eventOfRecord).filter((event) => event !== null)]);
  for (let from = 0; from < rows.length; from += batchRows)
    await insertRows(script, 'audit', rows.slice(from, from + batchRows));
  if (rows.length > 0) await script.run('UPDATE audit_head SET count = :seq, hash = :hash WHERE id = 1', { seq, hash });
  await script.leave();
  return { seq, hash };
}

/** `marked`: the hash of the record with the number of `mark`; null: the trail has none. It is read with the head, which costs no call more. */
async function takeHead(
  tx: Knex,
  mark: ChainHead | null,
): Promise<(ChainHead & { marked?: string | null }) | undefined> {
  const known = Reflect.get(tx, knownHead) as ChainHead | undefined;
  Reflect.deleteProperty(tx, knownHead);
  if (known !== undefined) return known;
  const query = tx('audit_head').where({ id: 1 }).forUpdate();
  if (mark !== null) query.select({ marked: tx('audit').where({ seq: mark.seq }).select('hash') });
  return query.first<ChainHead | undefined>({ seq: 'count' }, 'hash');
}

/** A statement takes a bounded number of values. */
const batchRows = 500;

/** The upload whose digest the event has; null: it has none. */
function uploadOf({ detail: { upload, sha256 } }: AuditEvent): number | null {
  return typeof upload === 'number' && typeof sha256 === 'string' ? upload : null;
}

/** The outbox of the control database: records events with the transaction of their cause, and reads them in the order of commits. */
import type { Queryable } from '../connection.js';
import { appendRecords, outboxOf } from './audittransaction.js';
import type { NewEvent } from './eventrows.js';

export type { NewEvent } from './eventrows.js';

/** An event as it is stored. */
export interface StoredEvent {
  seq: number;
  id: string;
  org: string | null;
  type: string;
  at: number;
  run: number | null;
  subject: string;
  data: Record<string, unknown>;
}

/** Which events. A member that is left out limits nothing. */
export interface EventFilter {
  org?: string | undefined;
  types?: readonly string[] | undefined;
  /** In ms: from `since` on, and before `until`. */
  since?: number | undefined;
  until?: number | undefined;
}

/** Records an event exactly if the caller's transaction commits; outside of one, in a transaction of its own. */
export function recordEvent(db: Queryable, event: NewEvent): Promise<void> {
  return recordEvents(db, [event]);
}

/** As recordEvent, several in their order. */
export async function recordEvents(db: Queryable, events: readonly NewEvent[]): Promise<void> {
  const noted = outboxOf(db);
  if (noted !== null) noted.push(...events);
  else if (db.isTransaction === true) await appendRecords(db, [], events);
  else await db.transaction((tx) => appendRecords(tx, [], events));
}

/** The number of the last event; 0: there is none. */
export async function lastEvent(db: Queryable): Promise<number> {
  const row = await db('events').max({ last: 'seq' }).first();
  return Number(row?.last ?? 0);
}

/** Oldest first: those after `after` up to `to`. */
export async function readEvents(
  db: Queryable,
  { after, to, limit }: { after: number; to: number; limit: number },
  filter: EventFilter = {},
): Promise<StoredEvent[]> {
  const query = db('events').where('seq', '>', after).where('seq', '<=', to).orderBy('seq').limit(limit);
  limitEvents(query, filter);
  return (await query).map(toEvent);
}

/** A type that events of an organization have, and the number of the last of them. */
export interface News {
  org: string | null;
  type: string;
  last: number;
}

/** Of the events after `after` up to `to`. */
export async function listNews(db: Queryable, after: number, to: number): Promise<News[]> {
  if (after >= to) return [];
  const events = db('events').where('seq', '>', after).where('seq', '<=', to);
  const rows: { org_id: string | null; type: string; last: number | string }[] = await events
    .groupBy('org_id', 'type')
    .select('org_id', 'type')
    .max({ last: 'seq' });
  return rows.map(({ org_id: org, type, last }) => ({ org, type, last: Number(last) }));
}

/** The last `count`, the newest first. */
export async function readLastEvents(db: Queryable, count: number): Promise<StoredEvent[]> {
  return (await db('events').orderBy('seq', 'desc').limit(count)).map(toEvent);
}

/** null: there is no such event, or not any more. */
export async function findEvent(db: Queryable, id: string): Promise<StoredEvent | null> {
  const row = await db('events').where({ id }).first();
  return row === undefined ? null : toEvent(row);
}

/** Whether an event of this type is recorded of a run. */
export async function hasEvent(db: Queryable, run: number, type: string): Promise<boolean> {
  return (await db('events').where({ run_id: run, type }).first('seq')) !== undefined;
}

/** Removes events from before `before` (ms), and up to `to`; at most `limit`. Returns how many. */
export function removeEvents(db: Queryable, before: number, to: number, limit: number): Promise<number> {
  return removeOldest(db, before, to, limit);
}

/**
 * As removeEvents, in either database. Events have the order of their commits, and no index of their times: it looks at those with the
 * lowest numbers. One from when the clock was ahead is as old as those that came after it, or it would keep them all.
 */
export async function removeOldest(db: Queryable, before: number, to: number, limit: number): Promise<number> {
  const newest = await db('events').orderBy('seq', 'desc').first('at');
  const oldest = db('events').where('seq', '<=', to).orderBy('seq').limit(limit);
  const rows: { seq: number; at: number }[] = await oldest.select('seq', 'at');
  const isAhead = ({ at }: { at: number }) => at > newest.at;
  const lastOld = rows.some(isAhead) ? await lastBefore(db, before, to) : 0;
  const old = rows.filter((row) => row.at < before || (isAhead(row) && row.seq < lastOld));
  if (old.length === 0) return 0;
  const numbers = old.map(({ seq }) => seq);
  return db('events').whereIn('seq', numbers).delete();
}

/** It reads all events. 0: there is none. */
async function lastBefore(db: Queryable, before: number, to: number): Promise<number> {
  const row = await db('events').where('at', '<', before).where('seq', '<=', to).max({ last: 'seq' }).first();
  return Number(row?.last ?? 0);
}

/** Adds the conditions of a filter to a query on `events`, of either database. */
// biome-ignore lint/suspicious/noExplicitAny: a query on a table of either database
export function limitEvents(query: any, { org, types, since, until }: EventFilter): void {
  if (org !== undefined) query.where({ org_id: org });
  if (types !== undefined) query.whereIn('type', [...types]);
  if (since !== undefined) query.where('at', '>=', since);
  if (until !== undefined) query.where('at', '<', until);
}

// biome-ignore lint/suspicious/noExplicitAny: a row of the table
function toEvent(row: any): StoredEvent {
  const { seq, id, org_id: org, type, at, run_id: run, subject, data } = row;
  return { seq, id, org, type, at, run, subject, data: JSON.parse(data) };
}

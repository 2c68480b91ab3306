/** The log of deliveries, without bodies, the last ones of each subscriber; and replays, which deliver events again. */
import type { Queryable } from '../connection.js';
import type { EventFilter } from './events.js';
import type { Position } from './eventsubscribers.js';

export interface Delivery {
  id: number;
  subscriber: string;
  at: number;
  /** How long the attempt took. */
  ms: number;
  /** Of a batch, its first event; '': the events could not be read. */
  event: string;
  /** The event's type, or `batch`; '' where `event` is. */
  type: string;
  events: number;
  /** 1 for the first one. */
  attempt: number;
  outcome: 'delivered' | 'failed';
  /** `HTTP 204`, `exit code 1`, … */
  detail: string;
}

/** So many are kept of each subscriber, and about `pruneEvery` more. */
export const keptDeliveries = 500;
const pruneEvery = 50;

export async function insertDelivery(tx: Queryable, delivery: Omit<Delivery, 'id'>): Promise<void> {
  const { subscriber, event, ...rest } = delivery;
  const [row] = await tx('deliveries')
    .insert({ ...rest, subscriber_id: subscriber, event_id: event })
    .returning('id');
  if (Number(row.id) % pruneEvery === 0) await pruneDeliveries(tx, Number(row.id));
}

/** Of every subscriber with a delivery among the last ones: twice as many, since a rolled-back transaction may have had a number. */
async function pruneDeliveries(tx: Queryable, last: number): Promise<void> {
  const recent = tx('deliveries').where('id', '>', last - 2 * pruneEvery);
  // In one order, so that two nodes that prune at the same time can't wait for each other.
  const subscribers: string[] = await recent.distinct().orderBy('subscriber_id').pluck('subscriber_id');
  for (const id of subscribers) {
    const own = tx('deliveries').where({ subscriber_id: id }).orderBy('id', 'desc');
    const oldest = await own.offset(keptDeliveries).limit(1).first('id');
    if (oldest !== undefined) await tx('deliveries').where({ subscriber_id: id }).where('id', '<=', oldest.id).delete();
  }
}

/** The newest first. */
export async function listDeliveries(db: Queryable, subscriber: string, limit: number): Promise<Delivery[]> {
  const rows = await db('deliveries').where({ subscriber_id: subscriber }).orderBy('id', 'desc').limit(limit);
  return rows.map(({ subscriber_id, event_id, ...rest }) => ({ ...rest, subscriber: subscriber_id, event: event_id }));
}

/** Events that a subscriber gets again: those after `position` up to the bounds, that fit the filter. */
export interface Replay {
  id: number;
  subscriber: string;
  filter: EventFilter;
  position: Position;
  to: { control: number; directory: number };
}

export async function insertReplay(
  tx: Queryable,
  { subscriber, filter, position, to }: Omit<Replay, 'id'>,
): Promise<number> {
  const [row] = await tx('event_replays')
    .insert({
      ...{ subscriber_id: subscriber, filter: JSON.stringify(filter), batch_to: position.batchTo },
      ...{ control_seq: position.control, control_to: to.control },
      ...{ directory_seq: position.directory, directory_to: to.directory },
    })
    .returning('id');
  return row.id;
}

/** The oldest one of a subscriber; null: there is none. */
export async function firstReplay(db: Queryable, subscriber: string): Promise<Replay | null> {
  const row = await db('event_replays').where({ subscriber_id: subscriber }).orderBy('id').first();
  if (row === undefined) return null;
  return {
    ...{ id: row.id, subscriber, filter: JSON.parse(row.filter) },
    position: { control: row.control_seq, directory: row.directory_seq, batchTo: row.batch_to },
    to: { control: row.control_to, directory: row.directory_to },
  };
}

/** Subscribers that wait for a replay. */
export async function listReplaying(db: Queryable): Promise<Set<string>> {
  return new Set(await db('event_replays').distinct().pluck('subscriber_id'));
}

export async function advanceReplay(tx: Queryable, id: number, { control, directory, batchTo }: Position) {
  await tx('event_replays').where({ id }).update({ control_seq: control, directory_seq: directory, batch_to: batchTo });
}

export async function endReplay(tx: Queryable, id: number): Promise<void> {
  await tx('event_replays').where({ id }).delete();
}

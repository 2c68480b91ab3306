/** Who gets events: subscribers of every kind, the place that each has reached, and the lease under which one node delivers. */
import type { Db, Queryable } from '../connection.js';
import { lastEvent, recordEvent } from './events.js';

/** Received: every event of the control and of the directory database up to these numbers. */
export interface Position {
  control: number;
  directory: number;
  /** The last event of the directory in the batch that is under way: a retry sends the same batch. null: none is. */
  batchTo: number | null;
}

export interface Subscriber {
  /** `sub_…`. */
  id: string;
  /** `webhook`, `command`, … */
  kind: string;
  /** null: events of all organizations. */
  org: string | null;
  /** Patterns: `*`, `run.*`, `run.held`. */
  types: string[];
  /** Of the kind. */
  options: Record<string, unknown>;
  /** Sealed to the master key; null: the kind has none. */
  secret: string | null;
  description: string | null;
  state: 'enabled' | 'disabled';
  /** Why it is disabled. */
  reason: string | null;
  createdAt: number;
  position: Position;
  /** In a row. */
  failures: number;
  failingSince: number | null;
  /** No attempt before, in ms. */
  nextAt: number | null;
  /** Of a handler of a program: by it the program finds it again. null: of any other kind. */
  name: string | null;
  /** Of a handler: when its program last had it. null: of any other kind. */
  seenAt: number | null;
}

export type NewSubscriber = Pick<Subscriber, 'id' | 'kind' | 'org' | 'types' | 'options' | 'secret' | 'description'> &
  Partial<Pick<Subscriber, 'name' | 'seenAt'>> & {
    /** It gets all events that are kept; without it those from now on. */
    isFromStart?: boolean;
  };

/** Adds a subscriber, unless another node has added one with this id meanwhile. @param directorySeq the last event of the directory */
export async function insertSubscriber(
  tx: Queryable,
  subscriber: NewSubscriber,
  directorySeq: number,
  now: number,
): Promise<void> {
  const {
    id,
    kind,
    org,
    types,
    options,
    secret,
    description,
    name = null,
    seenAt = null,
    isFromStart = false,
  } = subscriber;
  const place = isFromStart
    ? { control_seq: 0, directory_seq: 0 }
    : { control_seq: await lastEvent(tx), directory_seq: directorySeq };
  const row = {
    ...{ id, kind, org_id: org, types: JSON.stringify(types), options: JSON.stringify(options) },
    ...{ secret, description, state: 'enabled', created_at: now, name, seen_at: seenAt, ...place },
  };
  await tx('subscribers').insert(row).onConflict('id').ignore();
}

/** In the order in which they were added; `kind` and `org` null: of every kind, of all. */
export async function listSubscribers(
  db: Queryable,
  kind: string | null = null,
  org: string | null = null,
): Promise<Subscriber[]> {
  const query = db('subscribers').orderBy('created_at').orderBy('id');
  if (kind !== null) query.where({ kind });
  if (org !== null) query.where({ org_id: org });
  return (await query).map(fromRow);
}

/** null: there is none. */
export async function findSubscriber(db: Queryable, id: string): Promise<Subscriber | null> {
  const row = await db('subscribers').where({ id }).first();
  return row === undefined ? null : fromRow(row);
}

/** As findSubscriber; no other transaction changes it before this one ends. */
export async function lockSubscriber(tx: Queryable, id: string): Promise<Subscriber | null> {
  const row = await tx('subscribers').where({ id }).forUpdate().first();
  return row === undefined ? null : fromRow(row);
}

/** null: there is no handler of this name. */
export async function findByName(db: Queryable, name: string): Promise<Subscriber | null> {
  const row = await db('subscribers').where({ name }).first();
  return row === undefined ? null : fromRow(row);
}

/** Notes that the program of these handlers runs; `isNew`: it has begun, and its handlers are tried at once. */
export async function noteSeen(db: Queryable, ids: readonly string[], now: number, isNew: boolean): Promise<void> {
  await db('subscribers')
    .whereIn('id', ids)
    .update({ seen_at: now, ...(isNew && { next_at: null }) });
}

/** A subscriber that may be tried now; without its options, since all of them are read each second. */
export interface DueSubscriber {
  id: string;
  kind: string;
  org: string | null;
  /** As it is stored: JSON of its patterns. */
  types: string;
  position: Position;
  seenAt: number | null;
}

export async function listDue(db: Queryable, now: number): Promise<DueSubscriber[]> {
  const rows = await db('subscribers')
    .where({ state: 'enabled' })
    .where((due) =>
      due
        .whereNull('next_at')
        .orWhere('next_at', '<=', now)
        .orWhere('next_at', '>', now + longestWaitMs),
    )
    .orderBy('id')
    .select('id', 'kind', 'org_id', 'types', 'control_seq', 'directory_seq', 'batch_to', 'seen_at');
  return rows.map((row) => ({
    ...{ id: row.id, kind: row.kind, org: row.org_id, types: row.types, position: placeOf(row), seenAt: row.seen_at },
  }));
}

/** No pause is longer, so that a clock that was ahead makes no subscriber wait for its time. */
export const longestWaitMs = 86_400_000;

export type SubscriberChange = Partial<Pick<Subscriber, 'org' | 'types' | 'options' | 'secret' | 'description'>>;

export async function updateSubscriber(db: Queryable, id: string, change: SubscriberChange): Promise<void> {
  const { org, types, options, ...plain } = change;
  await db('subscribers')
    .where({ id })
    .update({
      ...plain,
      ...(org !== undefined && { org_id: org }),
      ...(types !== undefined && { types: JSON.stringify(types) }),
      ...(options !== undefined && { options: JSON.stringify(options) }),
    });
}

/** Unless it was given another one meanwhile. */
export async function replaceSubscriberSecret(db: Queryable, id: string, before: string, after: string): Promise<void> {
  await db('subscribers').where({ id, secret: before }).update({ secret: after });
}

/** Enables it, without failures. Returns whether it was disabled. */
export async function enableSubscriber(tx: Queryable, id: string): Promise<boolean> {
  const change = { state: 'enabled', reason: null, failures: 0, failing_since: null, next_at: null };
  return (await tx('subscribers').where({ id, state: 'disabled' }).update(change)) > 0;
}

/** Leaves out the events that it has not had. @param directory number of the last event of the directory */
export async function skipToNow(tx: Queryable, id: string, directory: number): Promise<void> {
  const place = { control_seq: await lastEvent(tx), directory_seq: directory, batch_to: null };
  await tx('subscribers').where({ id }).update(place);
}

/** Returns whether it was enabled. */
export async function disableSubscriber(tx: Queryable, id: string, reason: string): Promise<boolean> {
  return (await tx('subscribers').where({ id, state: 'enabled' }).update({ state: 'disabled', reason })) > 0;
}

/** Its deliveries and replays too. */
export async function deleteSubscriber(tx: Queryable, id: string): Promise<boolean> {
  return (await tx('subscribers').where({ id }).delete()) > 0;
}

/** Lets one node deliver to a subscriber in one of the states; false: another one does. */
export async function takeLease(
  db: Queryable,
  id: string,
  owner: string,
  now: number,
  leaseMs: number,
  states: readonly Subscriber['state'][] = ['enabled'],
): Promise<boolean> {
  const free = db('subscribers')
    .where({ id })
    .whereIn('state', states)
    .where((lease) =>
      lease
        .whereNull('lease_owner')
        .orWhere({ lease_owner: owner })
        .orWhere('lease_until', '<', now)
        // It was taken under a clock that was wrong.
        .orWhere('lease_until', '>', now + 10 * leaseMs),
    );
  return (await free.update({ lease_owner: owner, lease_until: now + leaseMs })) > 0;
}

/** Ends the leases of all others on subscribers of these kinds: of processes that were killed, where no other one delivers to them. */
export async function endOtherLeases(db: Queryable, owner: string, kinds: readonly string[]): Promise<void> {
  const others = db('subscribers').whereIn('kind', kinds).whereNotNull('lease_owner').whereNot({ lease_owner: owner });
  await others.update({ lease_owner: null, lease_until: null });
}

export async function endLease(db: Queryable, id: string, owner: string): Promise<void> {
  await db('subscribers').where({ id, lease_owner: owner }).update({ lease_owner: null, lease_until: null });
}

/** A subscriber as an attempt of the node `owner` has read it, or has stored its place since. */
export type Held = Pick<Subscriber, 'id' | 'position' | 'failures'> & { owner: string };

/** Its row, while this node has the lease and the place is the same: `enable --from-now` changes it and leaves the lease. */
function stillHeld(tx: Queryable, { id, owner, position }: Held) {
  const place = { control_seq: position.control, directory_seq: position.directory };
  return tx('subscribers').where({ id, lease_owner: owner, ...place });
}

/** Stores the place that a subscriber has reached; false: this node has lost the lease, or the place was changed or the subscriber removed. */
export async function advance(
  tx: Queryable,
  held: Held,
  { control, directory, batchTo }: Position,
  delivered: boolean,
): Promise<boolean> {
  const healthy = delivered ? { failures: 0, failing_since: null, next_at: null } : {};
  const place = { control_seq: control, directory_seq: directory, batch_to: batchTo };
  return (await stillHeld(tx, held).update({ ...place, ...healthy })) > 0;
}

/** Most ids in one statement. */
const mostIds = 500;

/** Stores the place of subscribers that want none of the events up to it, unless they changed since they were listed. */
export async function passIdle(
  { transact }: Db,
  idle: readonly DueSubscriber[],
  { control, directory }: Pick<Position, 'control' | 'directory'>,
): Promise<void> {
  const behind = idle.filter(({ position }) => position.control < control || position.directory < directory);
  if (behind.length === 0) return;
  await transact(async (tx) => {
    for (const types of new Set(behind.map((one) => one.types))) {
      const ids = behind.filter((one) => one.types === types).map(({ id }) => id);
      for (let from = 0; from < ids.length; from += mostIds)
        await tx('subscribers')
          .whereIn('id', ids.slice(from, from + mostIds))
          .where({ types, state: 'enabled', lease_owner: null, batch_to: null })
          .where('control_seq', '<=', control)
          .where('directory_seq', '<=', directory)
          .update({ control_seq: control, directory_seq: directory });
    }
  });
}

export interface Failure {
  failures: number;
  since: number;
  nextAt: number;
}

/** Notes a failed attempt; false as for `advance`, or the subscriber was enabled anew after earlier failures. */
export async function noteFailure(tx: Queryable, held: Held, { failures, since, nextAt }: Failure): Promise<boolean> {
  const change = { failures, failing_since: since, next_at: nextAt };
  return (await stillHeld(tx, held).where({ failures: held.failures }).update(change)) > 0;
}

/** Waits for more events until a time (ms), unless the place was changed. */
export async function postpone(db: Queryable, held: Held, nextAt: number): Promise<void> {
  await stillHeld(db, held).update({ next_at: nextAt });
}

/** Disables a subscriber whose receiver does not answer, with an event that says so; false as for `noteFailure`, or it was disabled. */
export async function giveUp(
  tx: Queryable,
  held: Held,
  { org, kind }: Pick<Subscriber, 'org' | 'kind'>,
  { reason, at }: { reason: string; at: number },
): Promise<boolean> {
  const failures = held.failures + 1;
  const same = stillHeld(tx, held).where({ state: 'enabled', failures: held.failures });
  if ((await same.update({ state: 'disabled', reason })) === 0) return false;
  const data = { subscriber: held.id, kind, reason, failures };
  await recordEvent(tx, { at, org, type: 'webhook.disabled', subject: held.id, data });
  return true;
}

/** The place that every enabled subscriber has passed; null: there is none. */
export async function slowest(db: Db): Promise<{ control: number; directory: number } | null> {
  const row = await db
    .read('subscribers')
    .where({ state: 'enabled' })
    .min({ control: 'control_seq', directory: 'directory_seq' })
    .first();
  return row?.control == null ? null : { control: Number(row.control), directory: Number(row.directory) };
}

// biome-ignore lint/suspicious/noExplicitAny: a row of the table
function fromRow(row: any): Subscriber {
  return {
    ...{ id: row.id, kind: row.kind, org: row.org_id, types: JSON.parse(row.types), options: JSON.parse(row.options) },
    ...{ secret: row.secret, description: row.description, state: row.state, reason: row.reason },
    createdAt: row.created_at,
    position: placeOf(row),
    ...{ failures: row.failures, failingSince: row.failing_since, nextAt: row.next_at },
    ...{ name: row.name, seenAt: row.seen_at },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: a row of the table
function placeOf(row: any): Position {
  return { control: row.control_seq, directory: row.directory_seq, batchTo: row.batch_to };
}

/** Penalties of addresses, shared between nodes: each node stores its own, and reads those and the pardons of the others. */
import type { Queryable } from '../connection.js';
import { type NewEvent, recordEvents } from './events.js';

export interface Penalty {
  id: number;
  /** An IPv4 address, the /64 or /48 of an IPv6 one, or one of them with a user name: `192.0.2.7 acme`. */
  source: string;
  until: number;
  /** The number of penalties in a row, this one included. */
  strikes: number;
  cause: string;
  beganAt: number;
}

export interface Pardon {
  id: number;
  /** null: every source. */
  source: string | null;
}

interface PenaltyRow {
  id: number;
  source: string;
  until_at: number;
  strikes: number;
  cause: string;
  began_at: number;
}

interface PardonRow {
  id: number;
  source: string | null;
  at: number;
}

/** Penalties that have an event each of those that are stored together; the others share one. */
const mostEvents = 20;

/** A newer penalty of a source replaces its older one. */
export async function putPenalties(db: Queryable, penalties: readonly Omit<Penalty, 'id'>[]): Promise<void> {
  if (penalties.length === 0) return;
  const latest = [...new Map(penalties.map((penalty) => [penalty.source, penalty])).values()];
  await db.transaction(async (tx) => {
    const sources = latest.map(({ source }) => source);
    await tx<PenaltyRow>('penalties').whereIn('source', sources).delete();
    // Another node may have stored one of the same source in between.
    await tx('penalties')
      .insert(
        latest.map(({ source, until, strikes, cause, beganAt }) => ({
          source,
          until_at: until,
          strikes,
          cause,
          began_at: beganAt,
        })),
      )
      .onConflict('source')
      .ignore();
    await recordEvents(tx, eventsOf(latest));
  });
}

function eventsOf(penalties: readonly Omit<Penalty, 'id'>[]): NewEvent[] {
  const of = { org: null, type: 'penalty.started' };
  const events: NewEvent[] = penalties.slice(0, mostEvents).map(({ source, until, strikes, cause, beganAt: at }) => ({
    ...{ ...of, at, subject: source, data: { source, until, inARow: strikes, cause } },
  }));
  const others = penalties.length - events.length;
  if (others === 0) return events;
  const at = penalties.at(-1)!.beganAt;
  return [...events, { ...of, at, subject: `${others} other addresses`, data: { addresses: others } }];
}

/** Penalties that have not ended, longest first. */
export async function listPenalties(db: Queryable, now: number, most: number): Promise<Penalty[]> {
  const rows = await db<PenaltyRow>('penalties').where('until_at', '>', now).orderBy('until_at', 'desc').limit(most);
  return rows.map(fromRow);
}

/** Those that began after the one with this id, oldest first. */
export async function listNewPenalties(db: Queryable, afterId: number, most: number): Promise<Penalty[]> {
  const rows = await db<PenaltyRow>('penalties').where('id', '>', afterId).orderBy('id').limit(most);
  return rows.map(fromRow);
}

/** Ends the penalties of a source and of user names at it, or with null all of them, on every node: in a transaction. Returns their number. */
export async function pardon(db: Queryable, source: string | null, at: number): Promise<number> {
  const condemned = db<PenaltyRow>('penalties').where('until_at', '>', at);
  const found = await (source === null
    ? condemned
    : condemned.where((one) => one.where({ source }).orWhereLike('source', `${source} %`))
  ).delete();
  await db('pardons').insert({ source, at });
  return found;
}

export async function listNewPardons(db: Queryable, afterId: number): Promise<Pardon[]> {
  const rows = await db<PardonRow>('pardons').where('id', '>', afterId).orderBy('id');
  return rows.map(({ id, source }) => ({ id, source }));
}

/** 0: there was none yet. */
export async function lastPardonId(db: Queryable): Promise<number> {
  const row = await db<PardonRow>('pardons').max({ last: 'id' }).first();
  return (row as { last: number | null } | undefined)?.last ?? 0;
}

/** Deletes penalties that have ended and pardons that every node has heard of. */
export async function clearPenalties(db: Queryable, endedBefore: number): Promise<void> {
  await db<PenaltyRow>('penalties').where('until_at', '<', endedBefore).delete();
  await db<PardonRow>('pardons').where('at', '<', endedBefore).delete();
}

/** Where login keys logged in from lately, and when. */
export interface LastLogin {
  org: string;
  fingerprint: string;
  address: string;
  at: number;
}

export async function listLastLogins(db: Queryable, since: number, most: number): Promise<LastLogin[]> {
  const rows = await db<{ org: string; fingerprint: string; last_used_from: string | null; last_used_at: number }>(
    'login_keys',
  )
    .where('last_used_at', '>', since)
    .whereNotNull('last_used_from')
    .orderBy('last_used_at', 'desc')
    .limit(most);
  return rows.map(({ org, fingerprint, ...row }) => ({
    org,
    fingerprint,
    address: row.last_used_from!,
    at: row.last_used_at,
  }));
}

function fromRow(row: PenaltyRow): Penalty {
  return {
    id: row.id,
    source: row.source,
    until: row.until_at,
    strikes: row.strikes,
    cause: row.cause,
    beganAt: row.began_at,
  };
}

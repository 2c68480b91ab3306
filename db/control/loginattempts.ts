/** The last attempts to log in as an organization, of each of its keys a bounded number, so that its people see why a login failed. */
import type { Queryable } from '../connection.js';

/** Of each key: so many that were accepted, and as many that were refused. */
export const keptAttempts = 20;

export interface LoginAttempt {
  org: string;
  /** Fingerprint of the organization's key, or authority; null: of a key that the organization does not have. */
  credential: string | null;
  /** Of the key that was offered. */
  fingerprint: string;
  at: number;
  address: string | null;
  client: string | null;
  /** null: accepted. */
  reason: string | null;
}

interface Row {
  id: number;
  org_id: string;
  credential: string;
  fingerprint: string;
  accepted: number;
  reason: string | null;
  at: number;
  address: string | null;
  client: string | null;
}

const longestText = 200;

/** Notes an attempt, and forgets the oldest ones of its key. All keys that the organization does not have count as one. */
export async function noteAttempt(db: Queryable, attempt: LoginAttempt): Promise<void> {
  const { org, fingerprint, at, address, client, reason } = attempt;
  if ((await db('orgs').where({ id: org }).first('id')) === undefined) return;
  const key = await db('login_keys')
    .where({ org_id: org, fingerprint: attempt.credential ?? '' })
    .first('id');
  const credential = key === undefined ? '' : attempt.credential!;
  const cut = (text: string | null) => text?.slice(0, longestText).replaceAll('\0', ' ') ?? null;
  const of = { org_id: org, credential, accepted: Number(reason === null) };
  await db<Row>('login_attempts').insert({
    ...of,
    ...{ fingerprint: cut(fingerprint)!, reason, at, address: cut(address), client: cut(client) },
  });
  const kept = db<Row>('login_attempts').where(of).orderBy('id', 'desc').limit(keptAttempts).select('id');
  await db<Row>('login_attempts')
    .where(of)
    .where('id', '<', db.min('id').from(kept.as('kept')))
    .delete();
}

export interface AttemptFilter {
  org: string;
  /** Also of keys that the organization does not have: any client that knows its name causes these. */
  withUnknown: boolean;
  limit: number;
}

/** The newest first. */
export async function listAttempts(db: Queryable, { org, withUnknown, limit }: AttemptFilter): Promise<LoginAttempt[]> {
  const query = db<Row>('login_attempts').where({ org_id: org }).orderBy('id', 'desc').limit(limit);
  if (!withUnknown) query.whereNot({ credential: '' });
  return (await query).map((row) => ({
    ...{ org: row.org_id, fingerprint: row.fingerprint, at: row.at, address: row.address, client: row.client },
    ...{ credential: row.credential === '' ? null : row.credential, reason: row.reason },
  }));
}

export interface RefusalCount {
  org: string;
  reason: string;
  /** Of those that are kept. */
  count: number;
  lastAt: number;
}

/** Kept refusals of all organizations since a time (ms), by organization and reason; the latest first. */
export async function countRefusals(db: Queryable, since: number, limit: number): Promise<RefusalCount[]> {
  const rows: { org_id: string; reason: string; count: number; last_at: number }[] = await db('login_attempts')
    .where({ accepted: 0 })
    .where('at', '>=', since)
    .groupBy('org_id', 'reason')
    .select('org_id', 'reason', db.raw('COUNT(*) AS count'), db.raw('MAX(at) AS last_at'))
    .orderBy('last_at', 'desc')
    .limit(limit);
  return rows.map((row) => ({
    ...{ org: row.org_id, reason: row.reason, count: Number(row.count), lastAt: Number(row.last_at) },
  }));
}

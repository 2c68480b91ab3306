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

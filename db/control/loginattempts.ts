/** The last attempts to log in as an organization, of each of its keys a bounded number, so that its people see why a login failed. */
import type { Queryable } from '../connection.js';
import { dialectOf } from '../dialect.js';
import { insertLater, readAhead, runLater } from '../script.js';
import { dataVersion } from '../sqlite/ahead.js';
import { rememberHead } from './audittransaction.js';

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
  const place = await findPlace(db, org, attempt.credential ?? '');
  if (!place.hasOrg) return;
  const credential = place.hasKey ? attempt.credential! : '';
  const cut = (text: string | null) => text?.slice(0, longestText).replaceAll('\0', ' ') ?? null;
  const of = { org_id: org, credential, accepted: Number(reason === null) };
  await insertLater(db, 'login_attempts', {
    ...of,
    ...{ fingerprint: cut(fingerprint)!, reason, at, address: cut(address), client: cut(client) },
  });
  await runLater(db, forgetOldest, { ...of, kept: keptAttempts });
}

const ofKey = 'org_id = :org_id AND credential = :credential AND accepted = :accepted';
const forgetOldest = `DELETE FROM login_attempts WHERE ${ofKey} AND id < (SELECT min(id) FROM
  (SELECT id FROM login_attempts WHERE ${ofKey} ORDER BY id DESC LIMIT :kept) AS kept)`;

/** On SQLite with the end of the audit trail, to which the record of the attempt is chained. */
async function findPlace(
  db: Queryable,
  org: string,
  credential: string,
): Promise<{ hasOrg: boolean; hasKey: boolean }> {
  const isSqlite = dialectOf(db) === 'sqlite';
  const values = [org, org, credential];
  if (!isSqlite) return readPlace((await readAhead<Place>(db, placeQuery, values))[0]!);
  const [row] = await readAhead<Place>(
    db,
    `${placeQuery}, ${dataVersion}, count, hash FROM audit_head WHERE id = 1`,
    values,
  );
  // Without that row the trail is damaged, which its own code reports.
  if (row === undefined) return readPlace((await readAhead<Place>(db, placeQuery, values))[0]!);
  if (db.isTransaction === true) rememberHead(db, { seq: row.count, hash: row.hash });
  return readPlace(row);
}

interface Place {
  has_org: boolean | number;
  has_key: boolean | number;
  count: number;
  hash: string;
}

const readPlace = (row: Place) => ({ hasOrg: Boolean(row.has_org), hasKey: Boolean(row.has_key) });

const placeQuery = `SELECT EXISTS (SELECT 1 FROM orgs WHERE id = ?) AS has_org,
  EXISTS (SELECT 1 FROM login_keys WHERE org_id = ? AND fingerprint = ?) AS has_key`;

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

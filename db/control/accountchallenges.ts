/** Challenges of sign-ins that wait for the answer of a browser: each is used once, by the browser that it was given to. */
import type { Queryable } from '../connection.js';

export type ChallengeKind = 'provider' | 'passkey' | 'newPasskey';

export interface Challenge {
  /** SHA-256 of the secret that the browser has, hex. */
  hash: string;
  kind: ChallengeKind;
  data: Record<string, unknown>;
  createdAt: number;
  expiresAt: number;
}

/** Strangers cause them: over this number the oldest ones are forgotten. */
const mostChallenges = 10_000;

/** In place of an earlier one of the same browser. */
export async function putChallenge(tx: Queryable, challenge: Challenge): Promise<void> {
  const { hash, kind, data, createdAt, expiresAt } = challenge;
  await tx('account_challenges').where('expires_at', '<=', createdAt).delete();
  const over = await tx('account_challenges').orderBy('created_at', 'desc').offset(mostChallenges).limit(1).first();
  if (over !== undefined) await tx('account_challenges').where('created_at', '<=', over.created_at).delete();
  await tx('account_challenges')
    .insert({ hash, kind, data: JSON.stringify(data), created_at: createdAt, expires_at: expiresAt })
    .onConflict('hash')
    .merge();
}

/** Uses it up; null: there is none of this kind, it has expired, or another request has used it. */
export async function takeChallenge(
  db: Queryable,
  hash: string,
  kind: ChallengeKind,
  now: number,
): Promise<Record<string, unknown> | null> {
  const row = await db('account_challenges').where({ hash, kind }).first();
  if (row === undefined || (await db('account_challenges').where({ hash, kind }).delete()) !== 1) return null;
  return row.expires_at > now && row.created_at <= now ? JSON.parse(row.data) : null;
}

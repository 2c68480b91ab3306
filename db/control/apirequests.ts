/** Requests of the HTTP API that carry a key of their client, so that a repetition is not carried out again. */
import type { Queryable } from '../connection.js';

export interface ApiRequest {
  /** Of the token. */
  token: string;
  /** The client's. */
  key: string;
  /** Of the request: a repetition has the same. */
  digest: string;
  at: number;
}

/** `answer`: JSON; null while the request is not answered. */
export type StoredRequest = ApiRequest & { answer: string | null };

/** null: it is stored now; else the request that has the key already. */
export async function claimRequest(
  db: Queryable,
  { token, key, digest, at }: ApiRequest,
): Promise<StoredRequest | null> {
  const row = { token_id: token, key, digest, at };
  for (;;) {
    const inserted = await db('api_requests').insert(row).onConflict(['token_id', 'key']).ignore().returning('key');
    if (inserted.length > 0) return null;
    const found = await db('api_requests').where({ token_id: token, key }).first();
    // Else it was refused meanwhile, and its key is free.
    if (found !== undefined) return { token, key, digest: found.digest, at: found.at, answer: found.answer };
  }
}

export async function storeAnswer(db: Queryable, token: string, key: string, answer: string): Promise<void> {
  await db('api_requests').where({ token_id: token, key }).update({ answer });
}

export async function forgetRequest(db: Queryable, token: string, key: string): Promise<void> {
  await db('api_requests').where({ token_id: token, key }).delete();
}

/** Those of all tokens from before `before` (ms), and all but the newest `most` of one token. */
export async function forgetOldRequests(db: Queryable, token: string, before: number, most: number): Promise<void> {
  await db('api_requests').where('at', '<', before).delete();
  const old = await db('api_requests')
    .where({ token_id: token })
    .orderBy([{ column: 'at', order: 'desc' }, 'key'])
    .offset(most)
    .limit(100)
    .select('key');
  const keys = old.map(({ key }) => key as string);
  if (keys.length > 0) await db('api_requests').where({ token_id: token }).whereIn('key', keys).delete();
}

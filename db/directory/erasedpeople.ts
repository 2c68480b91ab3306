/** Remembers who was erased, so that a later file does not create them again: keyed digests of addresses and identifiers. */
import type { Queryable } from '../connection.js';

/** Keeps digests of one person under the receipt of the erasure. Joins the caller's transaction. */
export async function rememberErased(
  tx: Queryable,
  org: string,
  digests: readonly string[],
  receipt: string,
  at: number,
): Promise<void> {
  for (const digest of new Set(digests))
    await tx('erased_people').insert({ org_id: org, digest, receipt, at }).onConflict(['org_id', 'digest']).ignore();
}

/** The digests of everyone whom the organization erased. */
export async function listErased(db: Queryable, org: string): Promise<string[]> {
  return db('erased_people').where({ org_id: org }).pluck('digest');
}

/** The receipt of the erasure that a digest is from; null: there is none. */
export async function findErased(db: Queryable, org: string, digest: string): Promise<string | null> {
  return (await db('erased_people').where({ org_id: org, digest }).first('receipt'))?.receipt ?? null;
}

/** As findErased, of one of these. */
export async function findErasedAny(db: Queryable, org: string, digests: readonly string[]): Promise<string | null> {
  const found = await db('erased_people').where({ org_id: org }).whereIn('digest', digests).first('receipt');
  return found?.receipt ?? null;
}

/** Forgets all digests of one erasure. Joins the caller's transaction. */
export async function forgetErased(tx: Queryable, org: string, receipt: string): Promise<void> {
  await tx('erased_people').where({ org_id: org, receipt }).delete();
}

/** Whether an erasure has this receipt, and its person was not admitted again. */
export async function hasErasure(db: Queryable, org: string, receipt: string): Promise<boolean> {
  return (await db('erased_people').where({ org_id: org, receipt }).first('receipt')) !== undefined;
}

/**
 * Erasures that have begun and not ended: by whom the rest of the files is found once the user is deleted. The row is removed at
 * the end, so that nothing of the person is left.
 */
import type { Queryable } from '../connection.js';

export interface PendingErasure {
  receipt: string;
  /** The caller's. */
  person: string;
  /** When the user was deleted, in ms. */
  at: number;
}

/** Joins the caller's transaction. Replaces the row of an earlier call. */
export async function keepPending(tx: Queryable, org: string, { receipt, person, at }: PendingErasure): Promise<void> {
  await tx('pending_erasures').insert({ org_id: org, receipt, person, at }).onConflict(['org_id', 'receipt']).merge();
}

/** null: the erasure has ended, or there was none. */
export async function findPending(db: Queryable, org: string, receipt: string): Promise<PendingErasure | null> {
  return (await db('pending_erasures').where({ org_id: org, receipt }).first('receipt', 'person', 'at')) ?? null;
}

/** Of these organizations, oldest first. */
export async function listPending(
  db: Queryable,
  orgs: readonly string[],
): Promise<(PendingErasure & { org: string })[]> {
  return db('pending_erasures')
    .whereIn('org_id', orgs)
    .orderBy('at')
    .select('receipt', 'person', 'at', { org: 'org_id' });
}

export async function dropPending(db: Queryable, org: string, receipt: string): Promise<void> {
  await db('pending_erasures').where({ org_id: org, receipt }).delete();
}

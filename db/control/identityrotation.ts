/** The identity that each blob is sealed to: the progress of a rotation of an organization's identity. */
import type { Queryable } from '../connection.js';
import { type BlobRow, isNeeded } from './blobs.js';

export interface Rewrapped {
  id: string;
  /** The key id of the recipient. */
  sealedTo: string;
  sealedSize: number;
}

/** Blobs whose bytes are needed and that may be sealed to one of these keys, in the order of their ids. */
export async function listSealedTo(
  db: Queryable,
  org: string,
  keyIds: readonly string[],
  afterId: string | null,
  limit: number,
): Promise<Pick<BlobRow, 'id' | 'size'>[]> {
  return selectLive(db, org)
    .where((sealed) => sealed.whereNull('sealed_to').orWhereIn('sealed_to', keyIds))
    .where('id', '>', afterId ?? '')
    .orderBy('id')
    .limit(limit)
    .select('id', 'size');
}

export async function countSealedTo(db: Queryable, org: string, keyIds: readonly string[]): Promise<number> {
  const [row] = await selectLive(db, org)
    .where((sealed) => sealed.whereNull('sealed_to').orWhereIn('sealed_to', keyIds))
    .count({ count: '*' });
  return Number(row!.count);
}

/** Blobs that are known to be sealed to none of these keys: no key opens them. */
export async function countSealedToOthers(db: Queryable, org: string, keyIds: readonly string[]): Promise<number> {
  const sealed = await countSealed(db, [org]);
  return sealed.filter(({ sealedTo }) => !keyIds.includes(sealedTo)).reduce((sum, { count }) => sum + count, 0);
}

/** How many blobs of these organizations are known to be sealed to each key id. */
export async function countSealed(
  db: Queryable,
  orgs: readonly string[],
): Promise<{ org: string; sealedTo: string; count: number }[]> {
  const sealed = selectLive(db, orgs).whereNotNull('sealed_to').groupBy('org_id', 'sealed_to');
  const rows = (await sealed.select({ org: 'org_id', sealedTo: 'sealed_to' }).count({ count: '*' })) as {
    org: string;
    sealedTo: string;
    count: number | string;
  }[];
  return rows.map((row) => ({ ...row, count: Number(row.count) }));
}

/** In the caller's transaction, so that a batch is recorded whole. */
export async function recordRewrapped(tx: Queryable, batch: readonly Rewrapped[]): Promise<void> {
  for (const { id, sealedTo, sealedSize } of batch)
    await tx('blobs').where({ id }).update({ sealed_to: sealedTo, sealed_size: sealedSize });
}

/** Records the recipient of blobs that older versions sealed, before the identity that opens them is deleted. */
export async function recordSealedTo(tx: Queryable, org: string, keyId: string): Promise<void> {
  await tx('blobs').where({ org_id: org }).whereNull('sealed_to').update({ sealed_to: keyId });
}

/** The runs that have not ended, of one organization or of all. */
export async function listUnendedRuns(
  db: Queryable,
  org?: string,
): Promise<{ id: number; org: string; state: 'open' | 'running' }[]> {
  const runs = db('runs').whereIn('state', ['open', 'running']).orderBy('id');
  if (org !== undefined) runs.where({ org_id: org });
  return runs.select('id', 'state', { org: 'org_id' });
}

function selectLive(db: Queryable, org: string | readonly string[]) {
  return db('blobs').whereIn('org_id', [org].flat()).where(isNeeded(db));
}

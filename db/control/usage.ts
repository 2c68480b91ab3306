/** An organization's stored bytes and entries, counted at each request: a stored total could become wrong. */
import type { Queryable } from '../connection.js';

export interface StoredUsage {
  /** Plaintext bytes of its files (drops, archive, reports) and of interrupted uploads. */
  bytes: number;
  /** Files and folders. */
  entries: number;
}

export async function measureUsage(db: Queryable, org: string): Promise<StoredUsage> {
  const stored = await db('entries').where({ org_id: org }).sum({ bytes: 'size' }).count({ entries: 'id' }).first();
  const partial = await db('partials').where({ org_id: org, state: 'kept' }).sum({ bytes: 'size' }).first();
  return { bytes: Number(stored?.bytes ?? 0) + Number(partial?.bytes ?? 0), entries: Number(stored?.entries ?? 0) };
}

/** Of every organization that has stored files or interrupted uploads, in one round: as measureUsage. */
export async function measureAllUsage(db: Queryable): Promise<Map<string, StoredUsage>> {
  const stored = await db('entries').groupBy('org_id').select('org_id').sum({ bytes: 'size' }).count({ entries: 'id' });
  const partials = await db('partials')
    .where({ state: 'kept' })
    .groupBy('org_id')
    .select('org_id')
    .sum({ bytes: 'size' });
  const usage = new Map<string, StoredUsage>();
  for (const { org_id: org, bytes, entries = 0 } of [...stored, ...partials] as Record<string, string | number>[]) {
    const { bytes: before, entries: known } = usage.get(String(org)) ?? { bytes: 0, entries: 0 };
    usage.set(String(org), { bytes: before + Number(bytes), entries: known + Number(entries) });
  }
  return usage;
}

export async function countEntries(db: Queryable, org: string): Promise<number> {
  return Number((await db('entries').where({ org_id: org }).count({ entries: 'id' }).first())?.entries ?? 0);
}

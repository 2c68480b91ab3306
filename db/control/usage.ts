/** An organization's stored bytes and entries, counted at each request: a stored total could become wrong. */
import type { Queryable } from '../connection.js';
import { readAhead } from '../script.js';
import type { OrgLimits } from './orgs.js';

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

/** The numbers of a quota: as measureUsage, with the uploads in progress of other processes, and the organization's own limits. */
export interface QuotaUsage extends StoredUsage {
  /** In progress in other processes, as they have told. */
  othersBytes: number;
  /** null: the organization is gone. */
  limits: OrgLimits | null;
}

/** @param after bytes that were told before that time (ms) are of processes that have ended. @param process does not count */
export async function measureQuota(
  db: Queryable,
  { org, process, after }: { org: string; process: string; after: number },
): Promise<QuotaUsage> {
  const [row] = await readAhead<
    Record<'bytes' | 'entries' | 'partial' | 'others', string | number> & { limits: string | null }
  >(db, quotaQuery, [org, org, process, after, org, org]);
  const { bytes, entries, partial, others, limits } = row!;
  return {
    ...{ bytes: Number(bytes) + Number(partial), entries: Number(entries), othersBytes: Number(others) },
    limits: limits === null ? null : JSON.parse(limits),
  };
}

const quotaQuery = `SELECT stored.bytes, stored.entries,
  (SELECT coalesce(sum(size), 0) FROM partials WHERE org_id = ? AND state = 'kept') AS partial,
  (SELECT coalesce(sum(bytes), 0) FROM open_bytes WHERE org_id = ? AND process <> ? AND told_at > ?) AS others,
  (SELECT limits FROM orgs WHERE id = ?) AS limits
  FROM (SELECT coalesce(sum(size), 0) AS bytes, count(*) AS entries FROM entries WHERE org_id = ?) AS stored`;

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

/** An organization's stored bytes and entries, counted at each request: a stored total could become wrong. */
import type { Queryable } from '../connection.js';
import { readAhead } from '../script.js';
import type { OrgLimits } from './orgs.js';

export interface StoredUsage {
  /** Plaintext bytes of its files (drops, archive, reports) and of interrupted uploads. */
  bytes: number;
  /** Files, folders and interrupted uploads. */
  entries: number;
}

export async function measureUsage(db: Queryable, org: string): Promise<StoredUsage> {
  const stored = await db('entries').where({ org_id: org }).sum({ bytes: 'size' }).count({ entries: 'id' }).first();
  const kept = db('partials').where({ org_id: org, state: 'kept' });
  const partial = await kept.sum({ bytes: 'size' }).count({ entries: 'id' }).first();
  const sum = (name: 'bytes' | 'entries') => Number(stored?.[name] ?? 0) + Number(partial?.[name] ?? 0);
  return { bytes: sum('bytes'), entries: sum('entries') };
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
  const [row] = await readAhead<Record<'bytes' | 'entries' | 'others', string | number> & { limits: string | null }>(
    db,
    quotaQuery,
    [org, process, after, org, org, org],
  );
  const { bytes, entries, others, limits } = row!;
  return {
    ...{ bytes: Number(bytes), entries: Number(entries), othersBytes: Number(others) },
    limits: limits === null ? null : JSON.parse(limits),
  };
}

const quotaQuery = `SELECT stored.bytes + partial.bytes AS bytes, stored.entries + partial.entries AS entries,
  (SELECT coalesce(sum(bytes), 0) FROM open_bytes WHERE org_id = ? AND process <> ? AND told_at > ?) AS others,
  (SELECT limits FROM orgs WHERE id = ?) AS limits
  FROM (SELECT coalesce(sum(size), 0) AS bytes, count(*) AS entries FROM entries WHERE org_id = ?) AS stored,
  (SELECT coalesce(sum(size), 0) AS bytes, count(*) AS entries FROM partials WHERE org_id = ? AND state = 'kept') AS partial`;

/** Of every organization that has stored files or interrupted uploads, in one round: as measureUsage. */
export async function measureAllUsage(db: Queryable): Promise<Map<string, StoredUsage>> {
  const stored = await db('entries').groupBy('org_id').select('org_id').sum({ bytes: 'size' }).count({ entries: 'id' });
  const partials = await db('partials')
    .where({ state: 'kept' })
    .groupBy('org_id')
    .select('org_id')
    .sum({ bytes: 'size' })
    .count({ entries: 'id' });
  const usage = new Map<string, StoredUsage>();
  for (const { org_id: org, bytes, entries } of [...stored, ...partials] as Record<string, string | number>[]) {
    const { bytes: before, entries: known } = usage.get(String(org)) ?? { bytes: 0, entries: 0 };
    usage.set(String(org), { bytes: before + Number(bytes), entries: known + Number(entries) });
  }
  return usage;
}

/** Numbers about all organizations together, for the operator's status. */
import type { Queryable } from '../connection.js';
import type { RunState } from './runs.js';

export interface QueueState {
  files: number;
  /** When the oldest of them was queued, in ms; null: none is. */
  oldestAt: number | null;
}

export async function measureQueue(db: Queryable): Promise<QueueState> {
  const [row] = await db('uploads').where({ state: 'queued' }).count({ files: '*' }).min({ oldest: 'queued_at' });
  return { files: Number(row!.files), oldestAt: row!.oldest === null ? null : Number(row!.oldest) };
}

/** Queued files of some organizations; one without any is left out. */
export async function countQueuedOf(db: Queryable, orgs: readonly string[]): Promise<Map<string, number>> {
  const queued = db('uploads').whereIn('org_id', orgs).where({ state: 'queued' });
  const rows: { org_id: string; files: number | string }[] = await queued
    .groupBy('org_id')
    .select('org_id')
    .count({ files: '*' });
  return new Map(rows.map(({ org_id, files }) => [org_id, Number(files)]));
}

/** When the last file of each organization was complete, in ms; those without one are left out. */
export async function findLastUploadTimes(db: Queryable, orgs: readonly string[]): Promise<Map<string, number>> {
  const rows: { org_id: string; at: number | string }[] = await db('uploads')
    .whereIn('org_id', orgs)
    .groupBy('org_id')
    .select('org_id')
    .max({ at: 'closed_at' });
  return new Map(rows.map(({ org_id: org, at }) => [org, Number(at)]));
}

/**
 * Runs that have not ended, by state, and those that failed since a time (ms). The states stand here as in the indexes
 * `runs_unended` and `runs_failed`, which would not be used with bindings.
 */
export async function countRuns(db: Queryable, failedSince: number): Promise<Partial<Record<RunState, number>>> {
  const rows: { state: RunState; runs: number }[] = await db('runs')
    .whereRaw("state IN ('open', 'running', 'held')")
    .groupBy('state')
    .select('state')
    .count({ runs: '*' });
  const [failed] = await failedRuns(db, failedSince).count({ runs: '*' });
  const counts = Object.fromEntries(rows.map(({ state, runs }) => [state, Number(runs)]));
  return { ...counts, ...(Number(failed!.runs) > 0 && { failed: Number(failed!.runs) }) };
}

/** Organizations with a run that failed since a time (ms). */
export async function listFailedOrgs(db: Queryable, since: number): Promise<string[]> {
  const rows: { org_id: string }[] = await failedRuns(db, since).distinct('org_id');
  return rows.map(({ org_id }) => org_id);
}

function failedRuns(db: Queryable, since: number) {
  return db('runs').whereRaw("state = 'failed'").where('finished_at', '>=', since);
}

/**
 * The longest time (ms) from the opening of a slot's run to its start, of those that started since a time (ms). The kind stands here as
 * in the index `runs_slot_started`.
 */
export async function longestSlotDelay(db: Queryable, since: number): Promise<number> {
  const [row] = await db('runs')
    .whereRaw("kind = 'slot'")
    .where('started_at', '>=', since)
    .max({ delay: db.raw('started_at - opened_at') });
  return Number(row?.delay ?? 0);
}

/**
 * When the last run of each enabled organization was applied (ms), changes by a person left out; those without one are left out.
 * The condition stands here as in the index `runs_applied`.
 */
export async function findLastApplied(db: Queryable): Promise<Map<string, number>> {
  const rows: { id: string; at: number | string | null }[] = await db('orgs')
    .where({ enabled: 1 })
    .select(
      'id',
      db.raw(
        "(SELECT max(finished_at) FROM runs WHERE runs.org_id = orgs.id AND state = 'done' AND kind <> 'edit') AS at",
      ),
    );
  return new Map(rows.flatMap(({ id, at }) => (at === null ? [] : [[id, Number(at)]])));
}

/** The lease of a running run that ends first (ms); null: none runs. The state stands here as in the index `runs_running`. */
export async function findFirstLeaseEnd(db: Queryable): Promise<number | null> {
  const [row] = await db('runs').whereRaw("state = 'running'").min({ until: 'lease_until' });
  return row?.until == null ? null : Number(row.until);
}

/** Addresses that have a penalty now. */
export async function measurePenalties(db: Queryable, now: number): Promise<number> {
  const [row] = await db('penalties').where('until_at', '>', now).countDistinct({ sources: 'source' });
  return Number(row?.sources ?? 0);
}

export interface SubscriberCount {
  kind: string;
  state: string;
  count: number;
  /** Those of them whose last delivery failed. */
  failures: number;
}

export async function measureSubscribers(db: Queryable): Promise<SubscriberCount[]> {
  const rows: Record<string, string>[] = await db('subscribers')
    .groupBy('kind', 'state')
    .select('kind', 'state')
    .count({ count: '*' })
    .sum({ failures: db.raw("CASE WHEN state = 'enabled' AND failures > 0 THEN 1 ELSE 0 END") });
  return rows.map(({ kind, state, count, failures }) => ({
    kind: kind!,
    state: state!,
    count: Number(count),
    failures: Number(failures),
  }));
}

/** How many alarms are open, and how many usable keys expire before a time (ms). */
export async function countWarnings(
  db: Queryable,
  { now, before }: { now: number; before: number },
): Promise<{ alarms: number; keys: number }> {
  const [alarms] = await db('alarms').whereNull('resolved_at').count({ count: '*' });
  const expiring = db('login_keys').whereNull('revoked_at').where('expires_at', '>', now);
  const [keys] = await expiring.where('expires_at', '<', before).count({ count: '*' });
  return { alarms: Number(alarms!.count), keys: Number(keys!.count) };
}

/** When the next usable key expires (ms); null: none does. */
export async function findNextExpiry(db: Queryable, now: number): Promise<number | null> {
  const [row] = await db('login_keys').whereNull('revoked_at').where('expires_at', '>', now).min({ at: 'expires_at' });
  return row?.at == null ? null : Number(row.at);
}

export interface ExpiringKey {
  org: string;
  fingerprint: string;
  label: string;
  expiresAt: number;
}

/** Usable keys that expire before a time (ms), the first ones first; at most `limit`, or all. */
export async function listExpiringKeys(
  db: Queryable,
  { now, before, limit }: { now: number; before: number; limit?: number },
): Promise<ExpiringKey[]> {
  const keys = db('login_keys').whereNull('revoked_at').where('expires_at', '>', now).where('expires_at', '<', before);
  keys.orderBy('expires_at').orderBy('fingerprint').select('org_id', 'fingerprint', 'label', 'expires_at');
  if (limit !== undefined) keys.limit(limit);
  return (await keys).map(({ org_id: org, fingerprint, label, expires_at: at }) => ({
    ...{ org, fingerprint, label, expiresAt: Number(at) },
  }));
}

/** Of the keys of listExpiringKeys, how many each organization has; those without one are left out. */
export async function countExpiringKeys(
  db: Queryable,
  { now, before }: { now: number; before: number },
): Promise<Map<string, number>> {
  const keys = db('login_keys').whereNull('revoked_at').where('expires_at', '>', now).where('expires_at', '<', before);
  return countByOrg(keys);
}

/** Changes of keys that wait for an operator, by organization; those without one are left out. */
export async function countKeyRequests(db: Queryable): Promise<Map<string, number>> {
  return countByOrg(db('key_requests'));
}

/** Keys of these organizations that can log in; those without one are left out. */
export async function countUsableKeys(
  db: Queryable,
  orgs: readonly string[],
  now: number,
): Promise<Map<string, number>> {
  const keys = db('login_keys').whereIn('org_id', orgs).whereNull('revoked_at');
  keys.where((one) => one.whereNull('expires_at').orWhere('expires_at', '>', now));
  return countByOrg(keys.where((one) => one.whereNull('not_before').orWhere('not_before', '<=', now)));
}

async function countByOrg(rows: ReturnType<Queryable>): Promise<Map<string, number>> {
  const counts: { org_id: string; count: number | string }[] = await rows
    .groupBy('org_id')
    .select('org_id')
    .count({ count: '*' });
  return new Map(counts.map(({ org_id: org, count }) => [org, Number(count)]));
}

/** Organizations, and those of them that are enabled. */
export async function countOrgs(db: Queryable): Promise<{ all: number; enabled: number }> {
  const [row] = await db('orgs').count({ all: '*' }).sum({ enabled: 'enabled' });
  return { all: Number(row!.all), enabled: Number(row!.enabled ?? 0) };
}

/** When the last backup was made (ms); null: none was. */
export async function findLastBackup(db: Queryable): Promise<number | null> {
  const row = await db('audit').where('action', db.raw("'backup.made'")).orderBy('seq', 'desc').first('at');
  return row === undefined ? null : Number(row.at);
}

export interface BackupRecord {
  at: number;
  actor: string;
  subject: string;
  /** JSON. */
  detail: string;
}

/** The newest first. */
export async function listBackups(db: Queryable, limit: number): Promise<BackupRecord[]> {
  const rows = await db('audit')
    .where('action', db.raw("'backup.made'"))
    .orderBy('seq', 'desc')
    .limit(limit)
    .select('at', 'actor', 'subject', 'detail');
  return rows.map((row: BackupRecord) => ({ ...row, at: Number(row.at) }));
}

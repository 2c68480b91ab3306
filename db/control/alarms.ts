/** Alarms about an organization's files: opened when something is missing or odd, resolved when the file arrives or is normal again. */
import type { Queryable } from '../connection.js';
import { recordAudit } from './audit.js';

export type AlarmKind = 'missing' | 'shrunk' | 'unchanged';
export type AlarmSubject = 'users' | 'teams';

/** A problem that exists now. */
export interface Trouble {
  kind: AlarmKind;
  subject: AlarmSubject;
  /** Times in ms, sizes; no personal data. */
  detail: Record<string, number>;
}

export interface Alarm extends Trouble {
  id: number;
  org: string;
  openedAt: number;
  resolvedAt: number | null;
  /** Id of the upload that resolved it. */
  resolvedBy: number | null;
}

/** Oldest first. */
export async function listOpenAlarms(db: Queryable, org: string): Promise<Alarm[]> {
  return (await db('alarms').where({ org_id: org }).whereNull('resolved_at').orderBy('id')).map(fromRow);
}

/** Newest first. @param org undefined: of all organizations */
export async function listAlarms(
  db: Queryable,
  { org, resolved, limit }: { org?: string | undefined; resolved: boolean; limit: number },
): Promise<Alarm[]> {
  const alarms = db('alarms').orderBy('id', 'desc').limit(limit);
  if (org !== undefined) alarms.where({ org_id: org });
  if (!resolved) alarms.whereNull('resolved_at');
  return (await alarms).map(fromRow);
}

export async function countOpenAlarms(db: Queryable, org: string): Promise<number> {
  const [row] = await db('alarms').where({ org_id: org }).whereNull('resolved_at').count({ alarms: '*' });
  return Number(row!.alarms);
}

/** The last one that is over; null: there was none. */
export async function findLastAlarm(
  db: Queryable,
  org: string,
  kind: AlarmKind,
  subject: AlarmSubject,
): Promise<Alarm | null> {
  const query = db('alarms').where({ org_id: org, kind, subject }).whereNotNull('resolved_at');
  const row = await query.orderBy('id', 'desc').first();
  return row === undefined ? null : fromRow(row);
}

/** Ids of organizations that have open alarms. */
export async function listAlarmed(db: Queryable): Promise<string[]> {
  return db('alarms').whereNull('resolved_at').distinct().pluck('org_id');
}

/**
 * Opens new alarms and resolves past ones, once, however many nodes look; both are recorded in the audit trail.
 * @param resolvers the newest upload of each kind of file.
 */
export async function followAlarms(
  tx: Queryable,
  org: string,
  troubles: readonly Trouble[],
  resolvers: Partial<Record<AlarmSubject, number>>,
  now: number,
): Promise<{ opened: Trouble[]; resolved: Trouble[] }> {
  const opened: Trouble[] = [];
  const resolved: Trouble[] = [];
  const open = await listOpenAlarms(tx, org);
  const isSame = (one: Trouble) => (other: Trouble) => one.kind === other.kind && one.subject === other.subject;
  for (const trouble of troubles) {
    if (open.some(isSame(trouble))) continue;
    const { kind, subject, detail } = trouble;
    const row = { org_id: org, kind, subject, detail: JSON.stringify(detail), opened_at: now };
    if ((await tx('alarms').insert(row).onConflict().ignore().returning('id')).length > 0) opened.push(trouble);
  }
  for (const alarm of open) {
    if (troubles.some(isSame(alarm))) continue;
    const end = { resolved_at: now, resolved_by: resolvers[alarm.subject] ?? null };
    if ((await tx('alarms').where({ id: alarm.id }).whereNull('resolved_at').update(end)) > 0) resolved.push(alarm);
  }
  for (const [action, all] of Object.entries({ opened, resolved }))
    for (const { kind, subject, detail } of all)
      await recordAudit(tx, {
        at: now,
        org,
        actor: 'system',
        action: `alarm.${action}`,
        subject: `${kind} ${subject}`,
        detail,
      });
  return { opened, resolved };
}

/** A complete file as it was uploaded, in any state. */
export interface Arrival {
  id: number;
  at: number;
  /** null: not read yet, or unknown. */
  type: AlarmSubject | null;
  rows: number | null;
  bytes: number;
  sha256: string;
  state: 'queued' | 'running' | 'held' | 'imported' | 'refused' | 'superseded';
}

/** The newest first, at most `limit`; dry runs and withdrawn files don't count. */
export async function listArrivals(db: Queryable, org: string, limit: number): Promise<Arrival[]> {
  const rows = await db('uploads')
    .join('blobs', 'blobs.id', 'uploads.blob_id')
    .where('uploads.org_id', org)
    .whereIn('state', ['queued', 'running', 'held', 'imported', 'refused', 'superseded'])
    .orderBy('uploads.id', 'desc')
    .limit(limit)
    .select('uploads.id', 'closed_at', 'type', 'rows', 'size', 'sha256', 'state');
  return rows.map(({ closed_at: at, size: bytes, ...row }) => ({ ...row, at, bytes }));
}

// biome-ignore lint/suspicious/noExplicitAny: a row of the table
function fromRow(row: any): Alarm {
  return {
    id: row.id,
    org: row.org_id,
    kind: row.kind,
    subject: row.subject,
    detail: JSON.parse(row.detail),
    openedAt: row.opened_at,
    resolvedAt: row.resolved_at,
    resolvedBy: row.resolved_by,
  };
}

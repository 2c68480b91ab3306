/** Alarms about an organization's files: opened when something is missing or odd, resolved when the file arrives or is normal again. */
import type { Queryable } from '../connection.js';
import { recordAudit } from './audit.js';

export type AlarmKind = 'missing' | 'shrunk' | 'unchanged';
export type AlarmSubject = 'users' | 'teams';

/** Of a source or a watched folder: it fails, or its server shows another host key. Its subject is `source 3` or `folder 3`. */
export const doorAlarmKinds = ['source_failing', 'host_key_changed'] as const;
export type DoorAlarmKind = (typeof doorAlarmKinds)[number];

/** A problem that exists now. */
export interface Trouble<Kind = AlarmKind, Subject = AlarmSubject> {
  kind: Kind;
  subject: Subject;
  /** Times in ms, sizes; no personal data. */
  detail: Record<string, number>;
}

export interface Alarm extends Trouble<AlarmKind | DoorAlarmKind, string> {
  id: number;
  org: string;
  openedAt: number;
  resolvedAt: number | null;
  /** Id of the upload that resolved it. */
  resolvedBy: number | null;
}

/** Of an organization, or of some; oldest first. */
export async function listOpenAlarms(db: Queryable, org: string | readonly string[]): Promise<Alarm[]> {
  return (await db('alarms').whereIn('org_id', [org].flat()).whereNull('resolved_at').orderBy('id')).map(fromRow);
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

/** How many each organization has; those without one are left out. */
export async function countOpenAlarms(db: Queryable): Promise<Map<string, number>> {
  const open = db('alarms').whereNull('resolved_at').groupBy('org_id').select('org_id');
  const rows = (await open.count({ alarms: '*' })) as { org_id: string; alarms: number | string }[];
  return new Map(rows.map(({ org_id: org, alarms }) => [org, Number(alarms)]));
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
  return db('alarms')
    .whereNull('resolved_at')
    .whereNotIn('kind', [...doorAlarmKinds])
    .distinct()
    .pluck('org_id');
}

/** Whether it is about files that an organization expects, and not about a source. */
export function isFileAlarm(alarm: Alarm): alarm is Alarm & Trouble {
  return !(doorAlarmKinds as readonly string[]).includes(alarm.kind);
}

/** Opens or resolves the alarm of a source, once, in a transaction that records it. @returns whether it changed */
export async function setDoorAlarm(
  tx: Queryable,
  org: string,
  { kind, subject, detail }: Trouble<DoorAlarmKind, string>,
  isOn: boolean,
  now: number,
): Promise<boolean> {
  const row = { org_id: org, kind, subject, detail: JSON.stringify(detail), opened_at: now };
  const isChanged = isOn
    ? (await tx('alarms').insert(row).onConflict().ignore().returning('id')).length > 0
    : (await tx('alarms').where({ org_id: org, kind, subject }).whereNull('resolved_at').update({ resolved_at: now })) >
      0;
  if (isChanged) {
    const action = isOn ? 'alarm.opened' : 'alarm.resolved';
    await recordAudit(tx, { at: now, org, actor: 'system', action, subject: `${kind} ${subject}`, detail });
  }
  return isChanged;
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
  const open = (await listOpenAlarms(tx, org)).filter(isFileAlarm);
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
  const arrivals: Arrival[] = rows.map(({ closed_at: at, size: bytes, ...row }) => ({ ...row, at, bytes }));
  const again = await listSeenAgain(db, org);
  if (again.size === 0) return arrivals;
  // The content that a source's sender wrote again is not queued again; for the alarms it arrived.
  const repeated = arrivals
    .filter(({ id }) => again.has(id))
    .map((arrival) => ({ ...arrival, at: again.get(arrival.id)! }));
  return [...repeated, ...arrivals].sort((one, other) => other.at - one.at);
}

/** When the content of an upload came once more from the source of it, by the upload's id. */
async function listSeenAgain(db: Queryable, org: string): Promise<Map<number, number>> {
  const rows = await db('source_files')
    .join('sources', 'sources.id', 'source_files.source_id')
    .where('sources.org_id', org)
    .whereRaw('seen_at > taken_at')
    .orderBy('seen_at', 'desc')
    .limit(100)
    .select('upload_id', 'seen_at');
  return new Map(rows.map((row) => [row.upload_id, row.seen_at]));
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

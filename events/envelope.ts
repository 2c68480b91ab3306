/** The form in which events leave Dropslot: the envelope, and the data that a subscriber may have. */
import type { Queryable } from '../db/connection.js';
import type { StoredEvent } from '../db/control/events.js';
import {
  type DirectoryEvent,
  type EventChange,
  readEventChanges,
  readNamesById,
  readUsersById,
} from '../db/directory/events.js';
import { findType } from './types.js';

/** The version of every event's form. It changes only when a reader of the old form would fail. */
export const eventVersion = 1;

export interface Envelope {
  /** Never changes, also when the event is delivered again. */
  id: string;
  type: string;
  /** null: of the whole installation. */
  org: string | null;
  /** ISO 8601. */
  at: string;
  version: typeof eventVersion;
  /** The run that caused it; left out where none did. */
  run?: number;
  data: Record<string, unknown>;
}

/** Events of users, teams and fields together. */
export interface BatchEnvelope {
  id: string;
  type: 'batch';
  at: string;
  version: typeof eventVersion;
  data: { events: readonly Envelope[] };
}

/** An event of the control database, without the personal data of its type unless `personal`. */
export function envelopeOf(event: StoredEvent, personal: boolean): Envelope {
  const hidden = personal ? [] : (findType(event.type)?.personal ?? []);
  const data = Object.fromEntries(Object.entries(event.data).filter(([key]) => !hidden.includes(key)));
  return { ...frame(event), data };
}

/** Events of the directory: names and values as they are now. Of a person who was erased only the id is left. */
export async function envelopesOf(
  directory: Queryable,
  events: readonly DirectoryEvent[],
  personal: boolean,
): Promise<Envelope[]> {
  const recorded = await readEventChanges(directory, events);
  const idsOf = (entity: string) => events.filter((one) => one.entity === entity).map((one) => one.entityId);
  const users = personal ? await readUsersById(directory, idsOf('user')) : new Map<string, never>();
  const teams = personal ? await readNamesById(directory, 'teams', idsOf('team')) : new Map<string, string>();
  const labels = await readNamesById(directory, 'fields', [...idsOf('field'), ...recorded.flatMap(customIdsOf)]);
  const changes = groupByEntity(recorded.flatMap((change) => expand(change, labels)));
  return events.map((event) => {
    const told = changes.get(`${event.entity} ${event.entityId}`) ?? [];
    const fields = [...new Set(told.map(({ field }) => field))];
    const values = personal && told.length > 0 ? { changes: told.map(toValue) } : {};
    const id = Number(event.entityId);
    const user = users.get(event.entityId);
    const name = teams.get(event.entityId);
    const dataOf = {
      field: () => ({ field: event.entityId, label: labels.get(event.entityId) ?? null }),
      team: () => ({ team: id, fields, ...(name !== undefined && { name }), ...values }),
      user: () => ({
        ...{ user: id, fields },
        ...(user !== undefined && { email: user.email, name: user.name }),
        ...(user !== undefined && values),
      }),
    };
    return { ...frame(event), data: dataOf[event.entity]() };
  });
}

/** One event by itself, several as a batch; the same events have the same id. */
export function bodyOf(events: readonly Envelope[], batchId: string): Envelope | BatchEnvelope {
  if (events.length === 1) return events[0]!;
  return { id: batchId, type: 'batch', at: events.at(-1)!.at, version: eventVersion, data: { events } };
}

function frame({ id, type, org, at, run }: StoredEvent | DirectoryEvent): Omit<Envelope, 'data'> {
  const time = new Date(at).toISOString();
  return { id, type, org, at: time, version: eventVersion, ...(run !== null && { run }) };
}

/** The values of a creation, by label; `custom` has those of custom fields by their ids. */
function valuesOf({ field, after }: EventChange): Record<string, unknown> & { custom?: Record<string, string> } {
  return field === '' && after !== null ? JSON.parse(after) : {};
}

function customIdsOf(change: EventChange): string[] {
  return Object.keys(valuesOf(change).custom ?? {});
}

/** A creation as one change for each value, from nothing. */
function expand(change: EventChange, labels: ReadonlyMap<string, string>): EventChange[] {
  if (change.field !== '') return [change];
  if (change.entity === 'field') return [];
  const { custom = {}, ...standard } = valuesOf(change);
  const ofCustom = Object.entries(custom).map(([id, value]) => [labels.get(id) ?? id, value] as const);
  const values = [...Object.entries(standard), ...ofCustom];
  return values.map(([field, after]) => ({ ...change, field, before: null, after: String(after) }));
}

function toValue({ field, before, after }: EventChange) {
  return { field, before, after };
}

/** The changes of one user in one batch may be of two of its events, which have the same moment: each has all of them. */
function groupByEntity(changes: readonly EventChange[]): Map<string, EventChange[]> {
  const groups = new Map<string, EventChange[]>();
  for (const change of changes) {
    const key = `${change.entity} ${change.entityId}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [change]);
    else group.push(change);
  }
  return groups;
}

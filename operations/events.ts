/** Events: list them, show one as a subscriber gets it, deliver them again, and print their schemas. */

import { insertReplay } from '../db/control/eventdeliveries.js';
import type { EventFilter, StoredEvent } from '../db/control/events.js';
import { findEvent, readEvents, readLastEvents } from '../db/control/events.js';
import { listSubscribers } from '../db/control/eventsubscribers.js';
import {
  type DirectoryEvent,
  findDirectoryEvent,
  readDirectoryEvents,
  readLastDirectoryEvents,
} from '../db/directory/events.js';
import { type Envelope, envelopeOf, envelopesOf } from '../events/envelope.js';
import { schemaOf } from '../events/reference.js';
import { type EventType, eventTypes, findType, matchTypes } from '../events/types.js';
import { OperationError } from './error.js';
import { audit, getSubscriber, readTypes, requireEnabled } from './subscribers.js';
import type { Workplace } from './workplace.js';

export interface EventQuery {
  org?: string;
  /** Patterns, separated by commas. */
  type?: string;
  since?: number;
  until?: number;
}

/** An event as lists show it. */
export interface ListedEvent {
  id: string;
  type: string;
  org: string | null;
  at: number;
  run: number | null;
  subject: string;
}

/** How far a list has come: the last event of each database that it has. */
export interface EventPlace {
  control: number;
  directory: number;
}

const pageRows = 500;

/**
 * Those of both databases, oldest first; by time, since the two have no common order of commits. Each has the place from which
 * another list continues.
 * @throws OperationError `usage`
 */
export async function* walkEvents(
  { control, directory }: Workplace,
  query: EventQuery,
  after: EventPlace = { control: 0, directory: 0 },
): AsyncGenerator<ListedEvent & { place: EventPlace }> {
  const filter = filterOf(query);
  const range = (from: number) => ({ after: from, to: last, limit: pageRows });
  const ofControl = pages(after.control, (from) => readEvents(control.read, range(from), filter));
  const ofDirectory = pages(after.directory, (from) => readDirectoryEvents(directory.read, range(from), filter));
  const place = { ...after };
  let [one, other] = [await ofControl.next(), await ofDirectory.next()];
  while (one.done !== true || other.done !== true) {
    if (other.done === true || (one.done !== true && one.value.at <= other.value.at)) {
      const event = one.value as StoredEvent;
      place.control = event.seq;
      yield { ...list(event), place: { ...place } };
      one = await ofControl.next();
    } else {
      place.directory = other.value.seq;
      yield { ...list(other.value), place: { ...place } };
      other = await ofDirectory.next();
    }
  }
}

/** The last `count`, oldest first; those of one time in the order of walkEvents. */
export async function walkLastEvents({ control, directory }: Workplace, count: number): Promise<ListedEvent[]> {
  const all = [
    ...(await readLastEvents(control.read, count)).reverse(),
    ...(await readLastDirectoryEvents(directory.read, count)).reverse(),
  ];
  return all
    .map(list)
    .sort((one, two) => one.at - two.at)
    .slice(-count);
}

/** As a subscriber gets it. @throws OperationError `not_found` */
export async function showEvent({ control, directory }: Workplace, id: string, personal: boolean): Promise<Envelope> {
  const event = await findEvent(control.read, id);
  if (event !== null) return envelopeOf(event, personal);
  const other = await findDirectoryEvent(directory.read, id);
  if (other === null) throw new OperationError('not_found', `there is no event ${id}, or it is older than eventDays`);
  return (await envelopesOf(directory.read, [other], personal))[0]!;
}

/**
 * Delivers events again, with the same ids: to one subscriber, or to every enabled one. Each gets those that it would have had
 * since the beginning of the time; those that it has not had yet come anyway. @returns the ids of the subscribers
 * @throws OperationError `usage`, `not_found`, `refused` when it is disabled
 */
export async function replayEvents(workplace: Workplace, query: EventQuery, to: string | null): Promise<string[]> {
  const filter = filterOf(query);
  const subscribers =
    to === null ? await listSubscribers(workplace.control.read) : [await getSubscriber(workplace, null, to)];
  if (to !== null) requireEnabled(subscribers[0]!);
  const enabled = subscribers.filter(({ state }) => state === 'enabled');
  await workplace.control.transact(async (tx) => {
    for (const subscriber of enabled) {
      const { control, directory } = subscriber.position;
      const position = { control: 0, directory: 0, batchTo: null };
      await insertReplay(tx, { subscriber: subscriber.id, filter, position, to: { control, directory } });
      await audit(tx, workplace, 'events.replayed', subscriber, { ...filter });
    }
  });
  return enabled.map(({ id }) => id);
}

export function listTypes(): readonly EventType[] {
  return eventTypes;
}

/** The JSON Schema of a type, or with null an object with those of all types. @throws OperationError `usage` */
export function describeSchemas(type: string | null): Record<string, unknown> {
  if (type === null) return Object.fromEntries(eventTypes.map((one) => [one.name, schemaOf(one)]));
  const found = findType(type);
  if (found === null) throw new OperationError('usage', `"${type}" is no type of event; see "dropslot events types"`);
  return schemaOf(found);
}

const last = Number.MAX_SAFE_INTEGER;

function filterOf({ org, type, since, until }: EventQuery): EventFilter {
  return {
    ...(org !== undefined && { org }),
    ...(type !== undefined && { types: matchTypes(readTypes(type))! }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  };
}

async function* pages<T extends { seq: number }>(
  from: number,
  read: (after: number) => Promise<T[]>,
): AsyncGenerator<T, undefined> {
  for (let after = from; ; ) {
    const page = await read(after);
    yield* page;
    if (page.length < pageRows) return undefined;
    after = page.at(-1)!.seq;
  }
}

function list(event: StoredEvent | DirectoryEvent): ListedEvent {
  const { id, type, org, at, run } = event;
  const subject = 'subject' in event ? event.subject : `${event.entity} ${event.entityId}`;
  return { id, type, org, at, run, subject };
}

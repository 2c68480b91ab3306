/**
 * Puts the events of the two databases into one order for one subscriber. Each database has its events in the order of its commits.
 * For each run: run.started, then its users and teams, then run.completed (docs/decisions/events.md).
 */
import { createHash } from 'node:crypto';
import type { Db } from '../db/connection.js';
import { type EventFilter, lastEvent, readEvents } from '../db/control/events.js';
import type { Position } from '../db/control/eventsubscribers.js';
import { lastDirectoryEvent, lastEventOfRun, readDirectoryEvents } from '../db/directory/events.js';
import { type Envelope, envelopeOf, envelopesOf } from './envelope.js';
import { findType, isOfDirectory } from './types.js';

export interface Databases {
  control: Db;
  directory: Db;
}

/** Up to which events of the two databases. */
export interface Bounds {
  control: number;
  directory: number;
}

export interface FeedOptions {
  filter: EventFilter;
  /** Most events of users, teams and fields in one part. */
  batch: number;
  /** Most events of the control database in one part; they are then in one part of their own. */
  together: number;
  /** Whether the subscriber may have personal data. */
  personal: boolean;
}

export interface Part {
  /** Empty: nothing is left up to the bounds. */
  events: Envelope[];
  /** The same for the same events. */
  id: string;
  /** Of several events: the last one, to be stored before they are sent, so that a retry sends the same. */
  batchTo: number | null;
  /** The subscriber's place once it has had the part. */
  next: Position;
}

/**
 * The ends of both outboxes. The directory is read first: of each of its events the run.started, which was committed before, is then
 * within the bound of the control database.
 */
export async function readBounds({ control, directory }: Databases): Promise<Bounds> {
  const last = await lastDirectoryEvent(directory.read);
  return { directory: last, control: await lastEvent(control.read) };
}

/** Whether there are events between two places that fit the filter. */
export async function hasNews(
  { control, directory }: Databases,
  after: Bounds,
  to: Bounds,
  filter: EventFilter,
): Promise<boolean> {
  if (wantsControl(filter)) {
    const range = { after: after.control, to: to.control, limit: 1 };
    if ((await readEvents(control.read, range, filter)).length > 0) return true;
  }
  if (!wantsDirectory(filter)) return false;
  const range = { after: after.directory, to: to.directory, limit: 1 };
  return (await readDirectoryEvents(directory.read, range, filter)).length > 0;
}

function wantsDirectory({ types }: EventFilter): boolean {
  return types === undefined || types.some(isOfDirectory);
}

function wantsControl({ types }: EventFilter): boolean {
  return types === undefined || types.some((type) => !isOfDirectory(type));
}

/** The next events after `position`. */
export async function readPart(
  databases: Databases,
  position: Position,
  to: Bounds,
  options: FeedOptions,
): Promise<Part> {
  const at = { ...position };
  if (at.batchTo !== null) {
    const begun = await readUsers(databases, at, at.batchTo, options);
    if (begun !== null) return begun;
  }
  for (;;) {
    const after = { after: at.control, to: to.control, limit: 1 };
    const [event] = wantsControl(options.filter) ? await readEvents(databases.control.read, after, options.filter) : [];
    if (event === undefined) {
      at.control = Math.max(at.control, to.control);
      return (await readUsers(databases, at, to.directory, options)) ?? { events: [], id: '', batchTo: null, next: at };
    }
    if (event.run !== null && findType(event.type)?.isAfterApply === true && wantsDirectory(options.filter)) {
      const mark = Math.min(await lastEventOfRun(databases.directory.read, event.run), to.directory);
      const users = mark > at.directory ? await readUsers(databases, at, mark, options) : null;
      if (users !== null) return users;
    }
    if (options.together > 1) return readTogether(databases, at, to, options);
    const envelope = envelopeOf(event, options.personal);
    return { events: [envelope], id: event.id, batchTo: null, next: { ...at, control: event.seq } };
  }
}

/** Several events of the control database. A retry may have more of them. */
async function readTogether(
  { control }: Databases,
  at: Position,
  to: Bounds,
  { filter, together, personal }: FeedOptions,
): Promise<Part> {
  const events = await readEvents(control.read, { after: at.control, to: to.control, limit: together }, filter);
  const envelopes = events.map((event) => envelopeOf(event, personal));
  const next = { ...at, control: events.at(-1)!.seq };
  return { events: envelopes, id: envelopes.length === 1 ? envelopes[0]!.id : batchId(envelopes), batchTo: null, next };
}

/** Events of the directory up to `to`; null: there are none, and `at` is behind them. */
async function readUsers(
  { directory }: Databases,
  at: Position,
  to: number,
  { filter, batch, personal }: FeedOptions,
): Promise<Part | null> {
  const range = { after: at.directory, to, limit: batch };
  const rows = wantsDirectory(filter) ? await readDirectoryEvents(directory.read, range, filter) : [];
  at.batchTo = null;
  const last = rows.at(-1);
  if (last === undefined) {
    at.directory = Math.max(at.directory, to);
    return null;
  }
  const events = await envelopesOf(directory.read, rows, personal);
  const next = { ...at, directory: last.seq };
  if (events.length === 1) return { events, id: last.id, batchTo: null, next };
  return { events, id: batchId(events), batchTo: last.seq, next };
}

/** Other events have another id: a receiver that ignores ids that it knows misses none of them. */
function batchId(events: readonly Envelope[]): string {
  const hash = createHash('sha256');
  for (const { id } of events) hash.update(id);
  return `bat_${hash.digest('hex').slice(0, 26)}`;
}

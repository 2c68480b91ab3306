/** Writes rows of the outbox in the control database. `events.ts` records events; this only inserts them. */
import { randomBytes } from 'node:crypto';
import { insertRows, type Script } from '../script.js';

/** An event as the code that causes it records it. */
export interface NewEvent {
  /** In ms. */
  at: number;
  /** null: of the whole installation. */
  org: string | null;
  /** One of the table of types in `events/types.ts`. */
  type: string;
  run?: number | null;
  /** The object that it is about, for lists: a path, a fingerprint, `run 17`. */
  subject: string;
  /** Ids and counts, as the type's schema says. */
  data: Record<string, unknown>;
}

const timeDigits = 12;
const randomBytesOfId = 7;
/** Rows of one statement: it takes a bounded number of values. */
const batchRows = 90;

/**
 * An id that no other event has: `evt_` and 26 hexadecimal digits, of which the first twelve are its time. So the index of the ids
 * grows at its end; random ids are spread all over it, and each costs a page of it.
 * @param at in ms
 */
export function newEventId(at: number): string {
  return `evt_${timePrefix(at)}${randomBytes(randomBytesOfId).toString('hex')}`;
}

/** The digits of an id that have its time. */
export function timePrefix(at: number): string {
  return Math.max(0, Math.trunc(at)).toString(16).padStart(timeDigits, '0').slice(-timeDigits);
}

/** Into a transaction that holds the lock of the audit trail's head: so the numbers have the order of the commits. */
export async function insertEvents(script: Script, events: readonly NewEvent[]): Promise<void> {
  const rows = events.map(({ at, org, type, run, subject, data }) => ({
    ...{ id: newEventId(at), org_id: org, type, at, run_id: run ?? null },
    ...{ subject, data: JSON.stringify(data) },
  }));
  for (let from = 0; from < rows.length; from += batchRows)
    await insertRows(script, 'events', rows.slice(from, from + batchRows));
}

/** Writes rows of the outbox in the control database. `events.ts` records events; this only inserts them. */
import { randomBytes } from 'node:crypto';
import type { Knex } from 'knex';

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

const idBytes = 13;
const batchRows = 90;

/** An id that no other event has: `evt_` and 26 characters. */
export function newEventId(): string {
  return `evt_${randomBytes(idBytes).toString('hex')}`;
}

/** In a transaction that holds the lock of the audit trail's head: so the numbers have the order of the commits. */
export async function insertEvents(tx: Knex, events: readonly NewEvent[]): Promise<void> {
  const rows = events.map(({ at, org, type, run, subject, data }) => ({
    ...{ id: newEventId(), org_id: org, type, at, run_id: run ?? null },
    ...{ subject, data: JSON.stringify(data) },
  }));
  for (let from = 0; from < rows.length; from += batchRows)
    await tx('events').insert(rows.slice(from, from + batchRows));
}

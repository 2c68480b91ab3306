/** The open SSH sessions of all server processes: list them, and end them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { recordAudit } from '../db/control/audit.js';
import { askEnds, countSessions, type ListedSession, listSessions } from '../db/control/sessions.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

export type { ListedSession } from '../db/control/sessions.js';

/** A longer list helps no operator. */
const mostListed = 10_000;
/** Servers look each half second for sessions to end, and clients get two more seconds to close their side. */
const patienceMs = 8000;
const lookMs = 100;

/** Of every server process, oldest first; at most 10,000. @throws OperationError `not_found` when there is no such organization */
export async function listOpenSessions(place: Workplace, org?: string): Promise<ListedSession[]> {
  if (org !== undefined) await place.org(org);
  return listSessions(place.control.read, { now: place.now(), org, limit: mostListed });
}

/** Of every server process. */
export async function countOpenSessions({ control, now }: Workplace): Promise<number> {
  return [...(await countSessions(control.read, now())).values()].reduce((sum, count) => sum + count, 0);
}

export interface EndedSessions {
  ended: ListedSession[];
  /** Their server has not ended them within some seconds. */
  waiting: ListedSession[];
}

/** Which sessions to end: with these ids, or all of an organization. */
export interface SessionChoice {
  ids?: readonly string[];
  org?: string | undefined;
}

/**
 * Ends sessions: uploads in progress publish nothing. Waits until their servers have ended them. The keys may log in again.
 * @throws OperationError `not_found` when a session or the organization does not exist; then none is ended
 */
export async function endSessions(place: Workplace, { ids, org }: SessionChoice): Promise<EndedSessions> {
  if (org !== undefined) await place.org(org);
  const { control, actor, now } = place;
  const chosen = await listSessions(control.read, { now: now(), org, ids, limit: mostListed });
  const missing = ids?.find((id) => !chosen.some((session) => session.id === id));
  if (missing !== undefined)
    throw new OperationError('not_found', `no open session "${missing}"; see "dropslot sessions list"`);
  await control.transact(async (tx) => {
    await askEnds(
      tx,
      chosen.map(({ id }) => id),
      actor,
    );
    for (const { id, org: of, fingerprint, address, client } of chosen)
      await recordAudit(tx, {
        ...{ at: now(), org: of, actor, action: 'session.ended', subject: `session ${id}` },
        detail: { key: fingerprint, address, client },
      });
  });
  const open = await waitForEnds(place, chosen);
  return {
    ended: chosen.filter(({ id }) => !open.has(id)),
    waiting: chosen.filter(({ id }) => open.has(id)),
  };
}

/** The ids of those that are still open in the end. */
async function waitForEnds({ control, now }: Workplace, sessions: readonly ListedSession[]): Promise<Set<string>> {
  const ids = sessions.map(({ id }) => id);
  const until = performance.now() + patienceMs;
  for (;;) {
    const open = await listSessions(control.read, { now: now(), ids, limit: mostListed });
    if (open.length === 0 || performance.now() > until) return new Set(open.map(({ id }) => id));
    await sleep(lookMs);
  }
}

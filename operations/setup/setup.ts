/** Brings organizations, keys, webhooks, hooks and notifications to the state that a file describes, by the operations of the commands. */
import { listOrgs } from '../../db/control/orgs.js';
import { OperationError } from '../error.js';
import { describeFailure } from '../failure.js';
import type { Workplace } from '../workplace.js';
import type { Change } from './change.js';
import type { Setup } from './document.js';
import { compareOrgs } from './orgs.js';
import { compareSubscribers } from './subscribers.js';

export interface Comparison {
  changes: Change[];
  /** Organizations that exist and that the file does not name: `--prune` never removes them, since their data would be lost. */
  unnamed: string[];
}

/**
 * Compares a file that was read with the state; changes nothing.
 * @param prune also removes what the file does not name, in the organizations and lists that it has
 * @throws OperationError `usage` with the place of the mistake in the file; `refused`
 */
export async function compareSetup(
  place: Workplace,
  { organizations, webhooks, hooks }: Setup,
  prune: boolean,
): Promise<Comparison> {
  const known = new Set((await listOrgs(place.control.read)).map(({ id }) => id));
  const named = new Set(organizations.map(({ id }) => id));
  const orgs = new Set([...named].filter((id) => !known.has(id)));
  const changes = await compareOrgs(place, organizations, prune);
  if (webhooks !== null) changes.push(...(await compareSubscribers(place, 'webhooks', webhooks, { prune, orgs })));
  if (hooks !== null) changes.push(...(await compareSubscribers(place, 'hooks', hooks, { prune, orgs })));
  return { changes, unnamed: [...known].filter((id) => !named.has(id)) };
}

export interface Applied {
  /** Changes that were made, from the first one on. */
  made: number;
  /** Sentences for the operator, some with a secret that is shown only once. */
  notes: string[];
  /** Of the change after these; null: all were made. */
  failure: OperationError | null;
}

/**
 * Makes the changes in their order; a failure ends it, and the next call continues.
 * @throws the error of the first change, after which there is nothing to show; a defect of Dropslot
 */
export async function applyChanges(changes: readonly Change[]): Promise<Applied> {
  const notes: string[] = [];
  for (const [made, change] of changes.entries()) {
    try {
      const note = await change.act();
      if (note !== null) notes.push(note);
    } catch (error) {
      const { code, message } = describeFailure(error);
      if (made === 0 || code === 'internal') throw error;
      const advice = `${made} of ${changes.length} changes were made; apply the file again for the rest`;
      return { made, notes, failure: new OperationError(code, `${message} (${advice})`, { cause: error }) };
    }
  }
  return { made: changes.length, notes, failure: null };
}

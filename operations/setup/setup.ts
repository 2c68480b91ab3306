/** Brings organizations, keys, webhooks, hooks and notifications to the state that a file describes, by the operations of the commands. */
import { listOrgs } from '../../db/control/orgs.js';
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

/** Makes the changes in their order; a failure ends it, and the next call continues. @returns sentences for the operator */
export async function applyChanges(changes: readonly Change[]): Promise<string[]> {
  const notes: string[] = [];
  for (const change of changes) {
    const note = await change.act();
    if (note !== null) notes.push(note);
  }
  return notes;
}

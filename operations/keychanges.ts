/** Whether an organization's own people change its login keys at once: its setting `keyChanges`. */
import type { Org } from '../db/control/orgs.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

/** Whether the actor's changes of keys wait for an operator's yes. */
export function requiresYes({ isOfOrg }: Pick<Workplace, 'isOfOrg'>, { options }: Pick<Org, 'options'>): boolean {
  return isOfOrg === true && options.keyChanges === 'operator';
}

/** @throws OperationError `refused` */
export function refuseWithoutYes(place: Pick<Workplace, 'isOfOrg'>, org: Pick<Org, 'id' | 'options'>): void {
  if (requiresYes(place, org))
    throw new OperationError(
      'refused',
      `keys of ${org.id} change after an operator's yes (setting keyChanges): ask for the change on the page Connection of the console`,
    );
}

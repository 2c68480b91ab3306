/** The last connections of an organization's keys, with the reasons of refusals. */
import { type LoginAttempt, listAttempts } from '../db/control/loginattempts.js';
import type { Workplace } from './workplace.js';

export type { LoginAttempt } from '../db/control/loginattempts.js';

/**
 * The newest first; of keys that the organization does not have for operators alone: those may be of another organization, or of
 * anybody who knows its name.
 * @throws OperationError `not_found`
 */
export async function listConnections(place: Workplace, orgId: string, limit: number): Promise<LoginAttempt[]> {
  const { id } = await place.org(orgId);
  return listAttempts(place.control.read, { org: id, withUnknown: place.isOfOrg !== true, limit });
}

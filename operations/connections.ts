/** The last connections of an organization's keys, with the reasons of refusals. */
import { countRefusals, type LoginAttempt, listAttempts, type RefusalCount } from '../db/control/loginattempts.js';
import type { Workplace } from './workplace.js';

export type { LoginAttempt } from '../db/control/loginattempts.js';

/** Of a list that a program reads page by page. */
export const mostConnections = 1_000;

/**
 * The newest first; of keys that the organization does not have for operators alone: those may be of another organization, or of
 * anybody who knows its name.
 * @throws OperationError `not_found`
 */
export async function listConnections(place: Workplace, orgId: string, limit: number): Promise<LoginAttempt[]> {
  const { id } = await place.org(orgId);
  return listAttempts(place.control.read, { org: id, withUnknown: place.isOfOrg !== true, limit });
}

/** Refused logins of the last 7 days by organization and reason: those that are kept. */
export function listRefusals({ control, now }: Workplace): Promise<RefusalCount[]> {
  return countRefusals(control.read, now() - 7 * 86_400_000, 200);
}

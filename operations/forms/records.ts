/** Events as lists show them, as JSON. The command line and the API give the same. */
import type { ListedEvent } from '../events.js';
import { isoTime } from '../format.js';

export function eventToJson({ id, type, org, at, run, subject }: ListedEvent) {
  return { id, type, org, at: isoTime(at), run, subject };
}

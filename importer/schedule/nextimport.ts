/** When the queued files of an organization are imported next. */
import type { Org } from '../../db/control/orgs.js';
import { isOnUpload } from './cadence.js';
import { jitterOf, nextSlotOf } from './jitter.js';

/** In ms; null: at no fixed time, but soon after each upload. */
export function nextImport(org: Org, now: number, jitterMinutes: number): number | null {
  return isOnUpload(org.options) ? null : nextSlotOf(org, now, jitterOf(org, jitterMinutes));
}

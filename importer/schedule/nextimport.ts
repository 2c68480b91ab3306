/** When the queued files of an organization are imported next. */
import type { Org } from '../../db/control/orgs.js';
import { isOnUpload, slotDays } from './cadence.js';
import { nextSlot } from './calendar.js';

/** In ms; null: at no fixed time, but soon after each upload. */
export function nextImport({ timeZone, slot, options }: Org, now: number): number | null {
  return isOnUpload(options) ? null : nextSlot(timeZone, slot, now, slotDays(options)).at;
}

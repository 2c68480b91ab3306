/** Spreads the slots of organizations that have the same time: each begins some whole minutes later, always as many. */
import { createHash } from 'node:crypto';
import type { Org } from '../../db/control/orgs.js';
import { slotDays } from './cadence.js';
import { lastSlot, nextSlot, type Slot } from './calendar.js';

export type SlotsOfOrg = Pick<Org, 'id' | 'timeZone' | 'slot' | 'options'>;

const minuteMs = 60_000;

/** How much later than its time a slot of the organization begins, in ms: the same on every node, and from 0 to below `minutes`. */
export function jitterOf({ id }: Pick<Org, 'id'>, minutes: number): number {
  if (minutes < 2) return 0;
  return (createHash('sha256').update(id).digest().readUInt32BE(0) % minutes) * minuteMs;
}

/** The last slot that has begun, by its time without the jitter: whatever that is later, the slot is the same. */
export function lastSlotOf({ timeZone, slot, options }: SlotsOfOrg, now: number, jitterMs: number): Slot {
  return lastSlot(timeZone, slot, now - jitterMs, slotDays(options));
}

/** When the next slot begins, in ms. */
export function nextSlotOf({ timeZone, slot, options }: SlotsOfOrg, now: number, jitterMs: number): number {
  return nextSlot(timeZone, slot, now - jitterMs, slotDays(options)).at + jitterMs;
}

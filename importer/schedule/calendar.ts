/** Computes dates and slots in an organization's time zone: the only place that knows when a slot begins. */
import { DateTime } from 'luxon';
import { everyDay, type Weekday } from './cadence.js';

/** The date in a time zone, yyyy-mm-dd. `at`: milliseconds since 1970. */
export function dateIn(timeZone: string, at: number): string {
  return DateTime.fromMillis(at, { zone: timeZone }).toISODate()!;
}

/** The time of day in a time zone, HH:MM. */
export function timeIn(timeZone: string, at: number): string {
  return DateTime.fromMillis(at, { zone: timeZone }).toFormat('HH:mm');
}

/** `2026-01-31 02:00 (Europe/Berlin)`. */
export function formatLocal(at: number, timeZone: string, withSeconds = false): string {
  const time = DateTime.fromMillis(at, { zone: timeZone });
  return `${time.toFormat(withSeconds ? 'yyyy-MM-dd HH:mm:ss' : 'yyyy-MM-dd HH:mm')} (${timeZone})`;
}

/** When a day begins in a time zone, in ms since 1970; where the clocks skip midnight, its first moment. */
export function startOfDay(timeZone: string, isoDate: string): number {
  return DateTime.fromISO(isoDate, { zone: timeZone }).startOf('day').toMillis();
}

export interface Slot {
  /** yyyy-mm-dd in the organization's time zone. */
  date: string;
  /** HH:MM, as it is set; on a day whose clocks skip it, the slot begins later. */
  time: string;
  /** Milliseconds since 1970. */
  at: number;
}

/** A week, and a day more for changes of the clocks. */
const farthestDays = 8;

/**
 * The last slot that has begun. Where the clocks skip its time, it begins as much later as they move; where they repeat
 * it, it begins the first time. `slot`: HH:MM, or several, separated by commas.
 */
export function lastSlot(timeZone: string, slot: string, now: number, days: readonly Weekday[] = everyDay): Slot {
  const today = DateTime.fromMillis(now, { zone: timeZone });
  for (let back = 0; back <= farthestDays; back++) {
    const begun = slotsOn(today.minus({ days: back }), slot, days).filter(({ at }) => at <= now);
    if (begun.length > 0) return begun.at(-1)!;
  }
  throw new Error(`no slot of ${slot} has begun for ${farthestDays} days`);
}

/** The next slot that has not begun yet. */
export function nextSlot(timeZone: string, slot: string, now: number, days: readonly Weekday[] = everyDay): Slot {
  const today = DateTime.fromMillis(now, { zone: timeZone });
  for (let ahead = 0; ahead <= farthestDays; ahead++) {
    const coming = slotsOn(today.plus({ days: ahead }), slot, days).find(({ at }) => at > now);
    if (coming !== undefined) return coming;
  }
  throw new Error(`no slot of ${slot} comes for ${farthestDays} days`);
}

/** The slots of a day, in the order in which they begin. */
function slotsOn(day: DateTime, slot: string, days: readonly Weekday[]): Slot[] {
  if (!days.includes(day.weekday as Weekday)) return [];
  const slots = slot.split(',').map((time) => ({ date: day.toISODate()!, time, at: slotOn(day, time) }));
  return slots.sort((one, other) => one.at - other.at || (one.time < other.time ? -1 : 1));
}

function slotOn(day: DateTime, slot: string): number {
  const [hour, minute] = slot.split(':').map(Number);
  const { year, month, day: date, zone } = day;
  const moments = DateTime.fromObject(
    { year, month, day: date, hour: hour!, minute: minute! },
    { zone },
  ).getPossibleOffsets();
  return Math.min(...moments.map((moment) => moment.toMillis()));
}

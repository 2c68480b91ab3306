/** Days and slots in an organization's time zone. */
import { DateTime } from 'luxon';

/** The date in a time zone, yyyy-mm-dd. `at`: milliseconds since 1970. */
export function dateIn(timeZone: string, at: number): string {
  return DateTime.fromMillis(at, { zone: timeZone }).toISODate()!;
}

/** The moment a day begins in a time zone (where clocks skip midnight, the first moment there is), in ms. */
export function startOfDay(timeZone: string, isoDate: string): number {
  return DateTime.fromISO(isoDate, { zone: timeZone }).startOf('day').toMillis();
}

export interface Slot {
  /** yyyy-mm-dd in the organization's time zone. */
  date: string;
  /** Milliseconds since 1970. */
  at: number;
}

/**
 * The last slot that has begun. A wall clock time that a change of clocks skips falls as much later; one that it repeats
 * counts the first time.
 */
export function lastSlot(timeZone: string, slot: string, now: number): Slot {
  const today = DateTime.fromMillis(now, { zone: timeZone });
  const at = slotOn(today, slot);
  return at <= now ? { date: today.toISODate()!, at } : previousSlot(today.minus({ days: 1 }), slot);
}

/** The next slot that has not begun yet. */
export function nextSlot(timeZone: string, slot: string, now: number): Slot {
  const today = DateTime.fromMillis(now, { zone: timeZone });
  const at = slotOn(today, slot);
  const day = at > now ? today : today.plus({ days: 1 });
  return { date: day.toISODate()!, at: slotOn(day, slot) };
}

function previousSlot(day: DateTime, slot: string): Slot {
  return { date: day.toISODate()!, at: slotOn(day, slot) };
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

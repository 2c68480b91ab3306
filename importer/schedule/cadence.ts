/** An organization's cadence: the days with slots, imports on upload instead, and the time after which uploads belong together. */
import type { OrgOptions } from '../../db/control/orgoptions.js';

/** Day of the week by ISO 8601: Monday is 1. */
export type Weekday = 1 | 2 | 3 | 4 | 5 | 6 | 7;

const names = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

export const everyDay: readonly Weekday[] = [1, 2, 3, 4, 5, 6, 7];

/** Reads `daily`, `weekdays` (Monday to Friday), or days such as `mon,wed,fri`; null: it is none of these. */
export function readDays(text: string): readonly Weekday[] | null {
  if (text === 'daily') return everyDay;
  if (text === 'weekdays') return everyDay.slice(0, 5);
  const days = text.split(',').map((name) => names.indexOf(name.trim().toLowerCase()) + 1);
  return days.includes(0) ? null : everyDay.filter((day) => days.includes(day));
}

/** Days that have slots. With cadence `on-upload` that is each day: the slot retries the files of failed imports. */
export function slotDays({ cadence }: Pick<OrgOptions, 'cadence'>): readonly Weekday[] {
  return readDays(cadence ?? 'daily') ?? everyDay;
}

export function isOnUpload({ cadence }: Pick<OrgOptions, 'cadence'>): boolean {
  return cadence === 'on-upload';
}

/** For messages: `each day`, `Mon, Wed`. */
export function describeDays(days: readonly Weekday[]): string {
  if (days.length === 7) return 'each day';
  if (days.join() === '1,2,3,4,5') return 'Monday to Friday';
  return days.map((day) => names[day - 1]!.replace(/^./, (first) => first.toUpperCase())).join(', ');
}

/** Files that arrive within this time of each other are imported together. */
const quietMs = 2_000;
/** The longest wait for a client that continues to upload. */
const longestWaitMs = 30_000;

/**
 * Whether a client has probably uploaded all files that belong together: it sends teams and users one by one.
 * Files that arrived when the clock was ahead have waited long enough.
 * @param came when the first and the last of the files arrived, in ms.
 */
export function isSettled(came: { oldestAt: number; newestAt: number }, now: number): boolean {
  const quiet = now - came.newestAt;
  return quiet >= quietMs || quiet < -longestWaitMs || now - came.oldestAt >= longestWaitMs;
}

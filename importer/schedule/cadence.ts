/** How often an organization's files are imported: on which days, and whether at slots or as soon as a file is there. */
import type { OrgOptions } from '../../db/control/importoptions.js';

/** Of the week, as ISO 8601 counts them: Monday is 1. */
export type Weekday = 1 | 2 | 3 | 4 | 5 | 6 | 7;

const names = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

export const everyDay: readonly Weekday[] = [1, 2, 3, 4, 5, 6, 7];

/** `daily`, `weekdays` (Monday to Friday), or days as `mon,wed,fri`; null: none of these. */
export function readDays(text: string): readonly Weekday[] | null {
  if (text === 'daily') return everyDay;
  if (text === 'weekdays') return everyDay.slice(0, 5);
  const days = text.split(',').map((name) => names.indexOf(name.trim().toLowerCase()) + 1);
  return days.includes(0) ? null : everyDay.filter((day) => days.includes(day));
}

/** Days that have slots. A file that is imported when it comes has a slot each day all the same: for what went wrong. */
export function slotDays({ cadence }: Pick<OrgOptions, 'cadence'>): readonly Weekday[] {
  return readDays(cadence ?? 'daily') ?? everyDay;
}

export function isOnUpload({ cadence }: Pick<OrgOptions, 'cadence'>): boolean {
  return cadence === 'on-upload';
}

/** As people read it: `each day`, `Mon, Wed`. */
export function describeDays(days: readonly Weekday[]): string {
  if (days.length === 7) return 'each day';
  if (days.join() === '1,2,3,4,5') return 'Monday to Friday';
  return days.map((day) => names[day - 1]!.replace(/^./, (first) => first.toUpperCase())).join(', ');
}

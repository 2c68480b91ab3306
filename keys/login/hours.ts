/** Owns the hours in which an organization may log in: reads them, and decides whether a time is within them. */
import { DateTime } from 'luxon';
import { readTimeOfDay } from '../../config/timeofday.js';

const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

export interface TimeWindow {
  /** 0 is Monday. */
  firstDay: number;
  lastDay: number;
  /** Minutes of the day; `until` below `from` is on the next day. */
  from: number;
  until: number;
}

/** Reads `mon-fri 06:00-20:00,sat 08:00-12:00`; without days it means every day. null: the text has another form. */
export function parseHours(text: string): TimeWindow[] | null {
  const windows = text
    .toLowerCase()
    .split(',')
    .map((part) => parseWindow(part.trim()));
  return windows.every((window) => window !== null) ? windows : null;
}

/** Whether `at` (ms) is within `hours`, which was checked when it was set; unreadable hours allow no login. */
export function allowsTime(hours: string, timeZone: string, at: number): boolean {
  const local = DateTime.fromMillis(at, { zone: timeZone });
  const day = local.weekday - 1;
  const minute = local.hour * 60 + local.minute;
  return (parseHours(hours) ?? []).some((window) => {
    const { from, until } = window;
    if (from < until) return hasDay(window, day) && minute >= from && minute < until;
    return (hasDay(window, day) && minute >= from) || (hasDay(window, (day + 6) % 7) && minute < until);
  });
}

function hasDay({ firstDay, lastDay }: TimeWindow, day: number): boolean {
  return firstDay <= lastDay ? day >= firstDay && day <= lastDay : day >= firstDay || day <= lastDay;
}

function parseWindow(text: string): TimeWindow | null {
  const [, first = 'mon', last = text.includes(' ') ? first : 'sun', from = '', until = ''] =
    /^(?:([a-z]{3})(?:-([a-z]{3}))? )?(\d{2}:\d{2})-(\d{2}:\d{2})$/.exec(text) ?? [];
  const window = {
    firstDay: days.indexOf(first as (typeof days)[number]),
    lastDay: days.indexOf(last as (typeof days)[number]),
    from: readTimeOfDay(from) ?? -1,
    until: readTimeOfDay(until) ?? -1,
  };
  return Object.values(window).every((value) => value >= 0) && window.from !== window.until && window.from < 1440
    ? window
    : null;
}

/** Reads dates as files write them, and decides the order of day and month in a column (rule U14). */
import type { DateFormat } from '../../db/control/orgs.js';

/** The two readings of a cell; null: under this one it is not a date that the calendar has. */
export interface DateReadings {
  /** As yyyy-mm-dd, with the month first. A form that can be read one way only has the same date in both. */
  mdy: string | null;
  dmy: string | null;
}

/** Facts about the dates of one column. */
export interface DateFacts {
  onlyMdy: boolean;
  onlyDmy: boolean;
  /** A cell is a different date under each reading. */
  eitherWay: boolean;
}

export type DateOrder = 'mdy' | 'dmy' | 'ambiguous' | 'contradictory';

export type DateProblem = 'date_invalid' | 'date_serial' | 'date_ambiguous' | 'date_contradictory';

/** Longer texts are not dates. */
const longest = 40;
/** After a date: a time of day, a time zone, or both. Neither moves the day: it is the day that the file writes. */
const time =
  '(?:[T ] ?(?:[01]?\\d|2[0-4]):[0-5]\\d(?::[0-5]\\d(?:[.,]\\d{1,9})?)?(?: ?[AP]M)?)?(?: ?(?:Z|UTC|GMT|[+-](?:0\\d|1[0-4]):?[0-5]\\d))?';
const pattern = (date: string) => new RegExp(`^${date}${time}$`, 'i');

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const month =
  '(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)';

const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const weekday = '(?:(sun|mon|tue|wed|thu|fri|sat)[a-z]{0,6}[,.]? )?';
/** A day as English and German write it. */
const ordinal = '(\\d{1,2})(?:st|nd|rd|th|\\.)?';

/**
 * Forms that have one reading, with the places of year, month and day, and of the day of the week. With dots the day is first, in
 * every country that uses them, unless the year is.
 */
const certain: readonly { form: RegExp; year: number; month: number; day: number; weekday?: number }[] = [
  { form: pattern('(\\d{4})([-/.])(\\d{1,2})\\2(\\d{1,2})'), year: 1, month: 3, day: 4 },
  { form: pattern('(\\d{1,2})\\.(\\d{1,2})\\.(\\d{4})'), year: 3, month: 2, day: 1 },
  { form: /^(\d{4})(\d{2})(\d{2})$/, year: 1, month: 2, day: 3 },
  { form: pattern(`(\\d{4})[- ]${month}[- ](\\d{1,2})`), year: 1, month: 2, day: 3 },
  { form: pattern(`${weekday}${ordinal}[-/ ]${month}[-/, ] ?(\\d{4})`), year: 4, month: 3, day: 2, weekday: 1 },
  { form: pattern(`${weekday}${month}[-. ]${ordinal}(?:[- ]|, ?)(\\d{4})`), year: 4, month: 2, day: 3, weekday: 1 },
];
/** Of the form of most dates, 2026-12-31. */
const iso = /^\d{4}-\d{2}-\d{2}$/;
const dash = 45;
const slashed = pattern('(\\d{1,2})([-/])(\\d{1,2})\\2(\\d{4})');
/** The first letters of all of these that do not begin with a digit. */
const named = /^(?:sun|mon|tue|wed|thu|fri|sat|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)/i;

/** Days since the end of 1899, between 1927 and 2173, or 9999-12-31: the form in which Excel stores dates. */
const serial = /^(?:[1-9]\d{4}|2958465)(?:\.\d+)?$/;

/** The form in which a date that means "no end" is stored (rule U12a). */
export const noEnd = '9999-12-31';
const firstNoEnd = '2200';
/** Earlier dates are no days of a deactivation: systems write them where they have no date. */
const firstDay = '1970';

/** null: the text is not written like a date. Both readings are null for a date that the calendar does not have. */
export function readDate(text: string): DateReadings | null {
  // Most cells are not dates: this finds that out at a tenth of the cost.
  const code = text.charCodeAt(0);
  if (text.length > longest || text.length < 8 || ((code < 48 || code > 57) && !named.test(text))) return null;
  if (text.length === 10 && text.charCodeAt(4) === dash && text.charCodeAt(7) === dash) {
    const year = readDigits(text, 0, 4);
    const month = readDigits(text, 5, 7);
    const day = readDigits(text, 8, 10);
    const date = isDay(year, month, day) ? text : null;
    if (!Number.isNaN(year + month + day)) return { mdy: date, dmy: date };
  }
  for (const { form, year, month, day, weekday } of certain) {
    const found = form.exec(text);
    if (found === null) continue;
    const date = toIso(found[year]!, monthNumber(found[month]!), found[day]!);
    const isRight = weekday === undefined || isOn(date, found[weekday]);
    return isRight ? { mdy: date, dmy: date } : { mdy: null, dmy: null };
  }
  const found = slashed.exec(text);
  if (found === null) return null;
  const [, first, , second, year] = found;
  return { mdy: toIso(year!, first!, second!), dmy: toIso(year!, second!, first!) };
}

/** Whether a text is written like a date of the year 0000, as `00/00/0000`: systems write it where they have no date. */
export function isZeroDate(text: string): boolean {
  const isZero =
    text.startsWith('0') && (text.startsWith('0000') || /^0\d?[-/. ][^-/. ]{1,9}[-/. ]0000(?!\d)/.test(text));
  return isZero && readDate(text) !== null;
}

/** Whether a text is written like a date before 1970: as a day of a deactivation it is no value. */
export function isEarly(text: string): boolean {
  const year = yearOf(text);
  return year !== null && year < firstDay;
}

/** Whether a text is a date from 2200 on, in any order of day and month: as a day of a deactivation it means "no end". */
export function isNoEnd(text: string): boolean {
  const year = yearOf(text);
  return year !== null && year >= firstNoEnd;
}

/** null: the text is not a date that the calendar has. */
function yearOf(text: string): string | null {
  const readings = readDate(text);
  return (readings?.mdy ?? readings?.dmy ?? null)?.slice(0, 4) ?? null;
}

const midnight = /^(?:0?0:00(?::00(?:[.,]0+)?)?|12:00(?::00(?:[.,]0+)?)? ?AM)(?: ?(?:Z|UTC|GMT))?$/i;

/**
 * Whether a text is nothing more than a date, so that a new field may be one of dates: digits alone may be a number, and a time
 * of day would be lost. @param readings of the text, where they are known.
 */
export function isPlainDate(text: string, readings: DateReadings | null = readDate(text)): boolean {
  if (readings === null || (readings.mdy === null && readings.dmy === null)) return false;
  if (text.length === 10 && iso.test(text)) return true;
  if (/^\d+$/.test(text)) return false;
  const clock = /\d{1,2}:.*$/.exec(text.replace(/[+-]\d\d:?\d\d$/, ''))?.[0];
  return clock === undefined || midnight.test(clock);
}

export function noFacts(): DateFacts {
  return { onlyMdy: false, onlyDmy: false, eitherWay: false };
}

export function addFact(facts: DateFacts, { mdy, dmy }: DateReadings): void {
  if (mdy !== null && dmy === null) facts.onlyMdy = true;
  else if (dmy !== null && mdy === null) facts.onlyDmy = true;
  else if (mdy !== dmy) facts.eitherWay = true;
}

export function decideOrder(format: DateFormat, facts: DateFacts): DateOrder {
  if (format !== 'auto') return format;
  if (facts.onlyMdy && facts.onlyDmy) return 'contradictory';
  if (facts.onlyMdy) return 'mdy';
  if (facts.onlyDmy) return 'dmy';
  return 'ambiguous';
}

/** The date as yyyy-mm-dd, or the problem of the cell. */
export function resolveDate(text: string, order: DateOrder): { iso: string } | { problem: DateProblem } {
  const readings = readDate(text);
  if (readings === null || (readings.mdy === null && readings.dmy === null))
    return { problem: serial.test(text) ? 'date_serial' : 'date_invalid' };
  if (order === 'mdy' || order === 'dmy') {
    const iso = readings[order];
    return iso === null ? { problem: 'date_invalid' } : { iso };
  }
  if (readings.mdy !== null && readings.mdy === readings.dmy) return { iso: readings.mdy };
  return { problem: order === 'ambiguous' ? 'date_ambiguous' : 'date_contradictory' };
}

/** A date as files of the organization write it; yyyy-mm-dd where they decide the order themselves. */
export function formatDate(isoDate: string, format: DateFormat): string {
  if (format === 'auto') return isoDate;
  const [year, month, day] = isoDate.split('-');
  return format === 'mdy' ? `${month}/${day}/${year}` : `${day}/${month}/${year}`;
}

function monthNumber(text: string): string {
  const index = months.indexOf(text.slice(0, 3).toLowerCase());
  return index < 0 ? text : String(index + 1);
}

/** Whether the date is a day of the week that is written before it. */
function isOn(date: string | null, name: string | undefined): boolean {
  if (name === undefined || date === null) return true;
  return new Date(`${date}T00:00:00Z`).getUTCDay() === weekdays.indexOf(name.toLowerCase());
}

function toIso(year: string, month: string, day: string): string | null {
  if (!isDay(Number(year), Number(month), Number(day))) return null;
  return `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
}

/** Whether the calendar has the day. */
function isDay(year: number, month: number, day: number): boolean {
  return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month);
}

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** The number that the characters from one place to before another are; NaN: they are not all digits. */
function readDigits(text: string, from: number, to: number): number {
  let number = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    number = number * 10 + digit;
  }
  return number;
}

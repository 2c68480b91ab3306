/** Numbers, times and states in the words of the console's language. */

const language = 'en-GB';

export function amount(count: number): string {
  return count.toLocaleString('en-US');
}

/** `1 row`, `2,000 rows` */
export function many(count: number, one: string, several = `${one}s`): string {
  return `${amount(count)} ${count === 1 ? one : several}`;
}

/** `Tue 10 Mar 2026, 02:00` in a time zone; a dash for null. */
export function moment(ms: number | null, timeZone: string): string {
  if (ms === null) return '–';
  return `${formatsOf(timeZone).day.format(ms).replace(',', '')}, ${clock(ms, timeZone)}`;
}

const longestWeekMs = 6 * 86_400_000;

/** `Tuesday 02:00`; further away than six days, where a weekday could be another week's, `Tue 10 Mar 2026, 02:00`. */
export function dayAndTime(ms: number, timeZone: string, now: number): string {
  if (Math.abs(ms - now) > longestWeekMs) return moment(ms, timeZone);
  return `${formatsOf(timeZone).weekday.format(ms)} ${clock(ms, timeZone)}`;
}

/** `02:00` */
export function clock(ms: number, timeZone: string): string {
  return formatsOf(timeZone).clock.format(ms);
}

interface Formats {
  day: Intl.DateTimeFormat;
  weekday: Intl.DateTimeFormat;
  clock: Intl.DateTimeFormat;
}

/** A format costs a tenth of a millisecond to make, and a page has hundreds of times. There are some 600 zones. */
const formats = new Map<string, Formats>();

function formatsOf(timeZone: string): Formats {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const make = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(language, { timeZone, ...options });
  const made: Formats = {
    day: make({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' }),
    weekday: make({ weekday: 'long' }),
    clock: make({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }),
  };
  formats.set(timeZone, made);
  return made;
}

/** `Europe/Berlin` is `Berlin`. */
export function city(timeZone: string): string {
  return timeZone.slice(timeZone.lastIndexOf('/') + 1).replaceAll('_', ' ');
}

/** `3 days`, `2 hours`, `1 minute` */
export function duration(ms: number): string {
  const minutes = Math.max(1, Math.round(ms / 60_000));
  if (minutes < 120) return many(minutes, 'minute');
  if (minutes < 2 * 1440) return many(Math.round(minutes / 60), 'hour');
  return many(Math.round(minutes / 1440), 'day');
}

export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10));
  const value = count / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

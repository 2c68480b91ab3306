/** The time of day as settings, slots and login hours write it: HH:MM. */

/** Minutes since midnight of `00:00` to `23:59`, and 1440 for `24:00`, the end of a day. null: it is no time of day. */
export function readTimeOfDay(text: string): number | null {
  const [, hour, minute] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  if (text === '24:00') return 24 * 60;
  return hour === undefined ? null : Number(hour) * 60 + Number(minute);
}

/** Whether it is a time at which something can begin each day, 00:00 to 23:59. */
export function isTimeOfDay(text: string): boolean {
  const minutes = readTimeOfDay(text);
  return minutes !== null && minutes < 24 * 60;
}

/** Marks of events by the calendar, `<of>:<yyyy-mm-dd>`: each date is noted once, also by nodes whose clocks differ. */

/** Something that comes every so many days. */
export interface Due {
  of: string;
  /** yyyy-mm-dd */
  date: string;
  everyDays: number;
}

const dayMs = 86_400_000;
/** Marks of so many dates before the last one are kept: a node whose clock is behind asks for them. */
const keptDates = 3;
const dateLength = 10;

export function nameMark({ of, date }: Pick<Due, 'of' | 'date'>): string {
  return `${of}:${date}`;
}

/** Whether it was noted, or the next date was: by a node whose clock is ahead. */
export function isNoted(marks: ReadonlySet<string>, { of, date, everyDays }: Due): boolean {
  return marks.has(nameMark({ of, date })) || marks.has(nameMark({ of, date: addDays(date, everyDays) }));
}

/**
 * The marks that no node asks for any more: far from the last date, or of something that is removed.
 * @param dateOf the last date; undefined: it is removed.
 */
export function listOver(
  marks: ReadonlySet<string>,
  dateOf: (of: string) => string | undefined,
  everyDays: number,
): string[] {
  return [...marks].filter((name) => {
    const last = dateOf(name.slice(0, -dateLength - 1));
    if (last === undefined) return true;
    return Math.abs(Date.parse(name.slice(-dateLength)) - Date.parse(last)) > keptDates * everyDays * dayMs;
  });
}

function addDays(date: string, days: number): string {
  return new Date(Date.parse(date) + days * dayMs).toISOString().slice(0, dateLength);
}

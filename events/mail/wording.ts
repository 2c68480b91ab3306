/** Numbers, times and requests for help, as mails word them. */
import { DateTime } from 'luxon';
import type { SectionContext } from './section.js';

/** `1 file`, `2 files`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** @param ms since 1970 */
export function formatTime(ms: number, timeZone: string): string {
  return DateTime.fromMillis(ms, { zone: timeZone }).setLocale('en-GB').toFormat('cccc d LLLL yyyy, HH:mm ZZZZ');
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** For readers without the command line. @param request `to approve it`, `if the next import fails too` */
export function askContact({ contact }: Pick<SectionContext, 'contact'>, request: string): string {
  return `Ask ${contact ?? 'your operator'} ${request}.`;
}

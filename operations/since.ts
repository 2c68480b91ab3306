/** Reads a point in time that a person names: a date, a time, or how long ago. */
import { DateTime } from 'luxon';
import { readDuration } from '../config/units.js';
import { OperationError } from './error.js';

/**
 * `2026-11-29`, `2026-11-29T02:00:00Z` or `24h` (so long ago), in ms; a date begins at 00:00 in UTC.
 * @param option its name, for the message
 * @throws OperationError `usage`
 */
export function readSince(option: string, text: string, now: number): number {
  const ago = readDuration(text);
  if (ago !== null) return now - ago;
  const time = DateTime.fromISO(text.trim(), { zone: 'utc' });
  if (!time.isValid || !/^\d{4}-\d{2}-\d{2}/.test(text.trim()))
    throw new OperationError(
      'usage',
      `${option} must be a date (2026-11-29), a time (2026-11-29T02:00Z) or how long ago (24h, 7d), not "${text}"`,
    );
  return time.toMillis();
}

/** Days and times of the week, in a time zone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DateTime } from 'luxon';
import { allowsTime, parseHours } from '../../../keys/login/hours.js';

const zone = 'Europe/Berlin';

/** `2026-03-13 05:59` is a Friday. */
function isOpen(hours: string, local: string): boolean {
  return allowsTime(hours, zone, DateTime.fromFormat(local, 'yyyy-MM-dd HH:mm', { zone }).toMillis());
}

test('windows of the week, their ends, and those over midnight and over Sunday', () => {
  const office = 'mon-fri 06:00-20:00,sat 08:00-12:00';
  const at: [string, string, boolean][] = [
    [office, '2026-03-13 05:59', false],
    [office, '2026-03-13 06:00', true],
    [office, '2026-03-13 19:59', true],
    [office, '2026-03-13 20:00', false],
    [office, '2026-03-14 07:00', false],
    [office, '2026-03-14 11:59', true],
    [office, '2026-03-15 11:00', false],
    ['22:00-02:00', '2026-03-13 23:00', true],
    ['22:00-02:00', '2026-03-13 01:59', true],
    ['22:00-02:00', '2026-03-13 02:00', false],
    ['fri 22:00-02:00', '2026-03-14 01:00', true],
    ['fri 22:00-02:00', '2026-03-13 01:00', false],
    ['sat-mon 00:00-24:00', '2026-03-15 12:00', true],
    ['sat-mon 00:00-24:00', '2026-03-16 23:59', true],
    ['sat-mon 00:00-24:00', '2026-03-17 00:00', false],
    // The clocks go forward at 02:00.
    ['sun 03:00-04:00', '2026-03-29 03:00', true],
    ['nonsense', '2026-03-13 12:00', false],
  ];
  for (const [hours, local, expected] of at) assert.equal(isOpen(hours, local), expected, `${hours} at ${local}`);
});

test('what is no window is none', () => {
  for (const text of [
    '',
    '06:00',
    '6:00-20:00',
    '06:00-06:00',
    '24:00-06:00',
    '06:00-24:01',
    '06:60-07:00',
    'mon 06:00',
    'foo 06:00-07:00',
    'mon-foo 06:00-07:00',
    'mon-fri',
    '06:00-20:00,',
  ])
    assert.equal(parseHours(text), null, text);
});

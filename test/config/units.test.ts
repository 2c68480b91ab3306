/** Sizes, durations, shares and times of day, in every form that people write. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTimeOfDay, readTimeOfDay } from '../../config/timeofday.js';
import { readDuration, readDurationIn, readShare, readSize, writeSize } from '../../config/units.js';

test('sizes', () => {
  const sizes = {
    '0': 0,
    '500': 500,
    '7b': 7,
    '2KB': 2000,
    '64kib': 65_536,
    '20GB': 20e9,
    '4 GiB': 4 * 1024 ** 3,
    ' 1TB ': 1e12,
  };
  for (const [text, bytes] of Object.entries(sizes)) assert.equal(readSize(text), bytes, text);
  for (const wrong of ['', 'GB', '-1', '1.5GiB', '4G', '4GiBB', '9999999TiB', '1e9', '4  GiB'])
    assert.equal(readSize(wrong), null, wrong);
});

test('a written size is read as the same number of bytes', () => {
  for (const [bytes, text] of [
    [0, '0'],
    [255, '255'],
    [1000, '1KB'],
    [4 * 1024 ** 3, '4GiB'],
    [20e9, '20GB'],
  ] as const)
    assert.equal(writeSize(bytes), text);
  for (const bytes of [1, 999, 1023, 1025, 1_000_000, 1_048_576, 1_234_567, 5 * 1024 ** 4, Number.MAX_SAFE_INTEGER])
    assert.equal(readSize(writeSize(bytes)), bytes);
});

test('durations', () => {
  const durations = {
    '0s': 0,
    '90s': 90_000,
    '30m': 1_800_000,
    '24H': 86_400_000,
    '7 d': 604_800_000,
    '2w': 1_209_600_000,
  };
  for (const [text, ms] of Object.entries(durations)) assert.equal(readDuration(text), ms, text);
  for (const wrong of ['', '30', 'm', '-1d', '1y', '1.5h', '40000d', '5ms'])
    assert.equal(readDuration(wrong), null, wrong);
  assert.deepEqual(
    [readDurationIn('minutes', '90s'), readDurationIn('minutes', '30'), readDurationIn('days', '2w')],
    [1.5, 30, 14],
  );
  for (const wrong of ['', 'x', 'Infinity', '1h1']) assert.equal(readDurationIn('hours', wrong), null, wrong);
});

test('shares', () => {
  assert.deepEqual(['0', '0.5', '1', '50%', '100%', '12.5%'].map(readShare), [0, 0.5, 1, 0.5, 1, 0.125]);
  for (const wrong of ['', '2', '101%', '-1', 'half', '.5', '50 %%']) assert.equal(readShare(wrong), null, wrong);
});

test('times of day', () => {
  assert.deepEqual(['00:00', '09:05', '23:59', '24:00'].map(readTimeOfDay), [0, 545, 1439, 1440]);
  for (const wrong of ['', '9:05', '24:01', '12:60', '12:5', ' 12:00', '12:00\n'])
    assert.equal(readTimeOfDay(wrong), null);
  assert.deepEqual(['23:59', '24:00'].map(isTimeOfDay), [true, false]);
});

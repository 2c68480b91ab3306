/** Dates: every day of the calendar in every form, and what a column's values tell of its order (rule U14). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addFact, decideOrder, isPlainDate, noFacts, readDate, resolveDate } from '../../../importer/read/dates.js';
import { readDays } from '../../../importer/schedule/cadence.js';
import { dateIn, lastSlot, nextSlot, startOfDay } from '../../../importer/schedule/calendar.js';
import { fc } from '../../support/properties.js';

const day = fc.date({
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T00:00:00Z'),
  noInvalidDate: true,
});

describe('dates', () => {
  test('every day is read back in every form', () => {
    fc.assert(
      fc.property(day, (date) => {
        const iso = date.toISOString().slice(0, 10);
        const [year, month, date_] = iso.split('-') as [string, string, string];
        assert.deepEqual(resolveDate(iso, 'ambiguous'), { iso });
        assert.deepEqual(resolveDate(`${Number(month)}/${date_}/${year}`, 'mdy'), { iso });
        assert.deepEqual(resolveDate(`${date_}/${Number(month)}/${year}`, 'dmy'), { iso });
        const name = date.toLocaleString('en', { month: 'short', timeZone: 'UTC' });
        const long = date.toLocaleString('en', { month: 'long', timeZone: 'UTC' });
        for (const order of ['mdy', 'dmy', 'ambiguous', 'contradictory'] as const)
          for (const text of [
            `${iso}T00:00:00Z`,
            `${iso}T23:59:59.999+05:30`,
            `${iso} 12:30`,
            `${iso}-08:00`,
            `${iso}Z`,
            `${year}/${month}/${date_}`,
            `${year}${month}${date_}`,
            `${date_}.${Number(month)}.${year}`,
            `${date_}.${month}.${year} 00:00:00`,
            `${date_}-${name}-${year}`,
            `${Number(date_)} ${long.toUpperCase()} ${year}`,
            `${year}.${month}.${date_}`,
            `${year}-${name}-${date_}`,
            `${long} ${Number(date_)}, ${year}`,
            `${name} ${date_} ${year}`,
            `${name}-${date_}-${year}`,
            `${Number(date_)}. ${name} ${year}`,
            `${date.toLocaleString('en', { weekday: 'long', timeZone: 'UTC' })}, ${long} ${Number(date_)}, ${year}`,
            `${date.toLocaleString('en', { weekday: 'short', timeZone: 'UTC' })} ${name} ${date_} ${year} 00:00:00`,
          ])
            assert.deepEqual(resolveDate(text, order), { iso }, text);
        assert.deepEqual(resolveDate(`${month}/${date_}/${year} 12:00:00 AM`, 'mdy'), { iso });
        assert.deepEqual(resolveDate(`${month}-${date_}-${year}`, 'mdy'), { iso });
        assert.deepEqual(resolveDate(`${date_}-${month}-${year}`, 'dmy'), { iso });
        assert.deepEqual(resolveDate(`${date_}/${month}/${year} 00:00:00`, 'dmy'), { iso });
      }),
    );
  });

  for (const text of [
    '30/02/2026',
    '2026-02-30',
    '31/04/2026',
    '0/1/2026',
    '1/0/2026',
    '29/02/2025',
    '2026-13-01',
    'Feb 30, 2026',
    'Friday, December 31, 2026',
  ]) {
    test(`${text} is on no calendar`, () => {
      for (const order of ['mdy', 'dmy', 'ambiguous'] as const)
        assert.deepEqual(resolveDate(text, order), { problem: 'date_invalid' });
    });
  }

  test('leap days', () => {
    assert.deepEqual(resolveDate('29/02/2024', 'dmy'), { iso: '2024-02-29' });
    assert.deepEqual(resolveDate('29/02/1900', 'dmy'), { problem: 'date_invalid' });
    assert.deepEqual(resolveDate('29/02/2000', 'dmy'), { iso: '2000-02-29' });
  });

  test('what is not written like a date', () => {
    for (const text of [
      ...[
        '',
        'tomorrow',
        '01/02/26',
        '1-2/2026',
        '2026-01/02',
        'Dec 2026',
        'December',
        '31-Dec-26',
        '31-Dez-2026',
        '2026-12',
      ],
      ...['2026-01-02T25:00', '2026-01-02 10', '2026-01-02x', '2026-01-02+99:00', '1/2/2026 00:61', '202601021'],
    ])
      assert.equal(readDate(text), null, text);
  });

  test('a number by which Excel stores a date is named as one', () => {
    for (const text of ['46387', '46387.5', '10000'])
      assert.deepEqual(resolveDate(text, 'mdy'), { problem: 'date_serial' });
    for (const text of ['1234', '04638', '463870', '46387.'])
      assert.deepEqual(resolveDate(text, 'mdy'), { problem: 'date_invalid' });
  });

  test('a new field is one of dates where nothing of its values would be lost', () => {
    for (const text of [
      '2026-12-31',
      '2026-12-31T00:00:00.000Z',
      '2026-12-31-08:00',
      '12/31/2026 0:00',
      '31.12.2026',
      '12/31/2026 00:00:00',
    ])
      assert.ok(isPlainDate(text), text);
    for (const text of [
      '20261231',
      '2026-12-31T08:00:00Z',
      '12/31/2026 00:00:01',
      '2026-02-30',
      '00:00',
      '12/31/2026 00:00 PM',
    ])
      assert.ok(!isPlainDate(text), text);
  });

  for (const [values, order] of [
    [['13/02/2026', '01/02/2026'], 'dmy'],
    [['02/13/2026', '01/02/2026'], 'mdy'],
    [['01/02/2026', '2026-02-01'], 'ambiguous'],
    [['02/13/2026', '13/02/2026'], 'contradictory'],
    [['05/05/2026'], 'ambiguous'],
    [['01/02/2026 00:00:00', '13/02/2026 00:00:00'], 'dmy'],
    [['01/02/2026', '31.12.2026', '20261231', '31-Dec-2026'], 'ambiguous'],
  ] as const) {
    test(`${values.join(' and ')} make a column ${order}`, () => {
      const facts = noFacts();
      for (const value of values) addFact(facts, readDate(value)!);
      assert.equal(decideOrder('auto', facts), order);
      assert.equal(decideOrder('mdy', facts), 'mdy');
    });
  }
});

describe('slots', () => {
  const berlin = 'Europe/Berlin';
  const at = (text: string) => Date.parse(text);

  test('the last slot is today’s once it has begun', () => {
    assert.deepEqual(lastSlot(berlin, '02:00', at('2026-01-15T01:00:00Z')), {
      time: '02:00',
      date: '2026-01-15',
      at: at('2026-01-15T01:00:00Z'),
    });
    assert.deepEqual(lastSlot(berlin, '02:00', at('2026-01-15T00:59:59Z')), {
      time: '02:00',
      date: '2026-01-14',
      at: at('2026-01-14T01:00:00Z'),
    });
    assert.deepEqual(nextSlot(berlin, '02:00', at('2026-01-15T01:00:00Z')), {
      time: '02:00',
      date: '2026-01-16',
      at: at('2026-01-16T01:00:00Z'),
    });
  });

  test('a slot that summer time skips comes later that night; one that winter time repeats comes once', () => {
    assert.deepEqual(lastSlot(berlin, '02:30', at('2026-03-29T12:00:00Z')), {
      time: '02:30',
      date: '2026-03-29',
      at: at('2026-03-29T01:30:00Z'),
    });
    assert.deepEqual(lastSlot(berlin, '02:30', at('2026-10-25T12:00:00Z')), {
      time: '02:30',
      date: '2026-10-25',
      at: at('2026-10-25T00:30:00Z'),
    });
  });

  test('every day has one slot, in every zone, whatever the clocks do', () => {
    const zone = fc.constantFrom(
      berlin,
      'America/New_York',
      'Australia/Lord_Howe',
      'Pacific/Apia',
      'Asia/Kolkata',
      'UTC',
      'Africa/Cairo',
    );
    const minute = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }));
    fc.assert(
      fc.property(
        zone,
        minute,
        fc.integer({ min: at('2024-01-01T00:00:00Z'), max: at('2027-01-01T00:00:00Z') }),
        (timeZone, [h, m], now) => {
          const slot = `${String(h).padStart(2, '0')}:${String(m).padStart(2, '0')}`;
          const last = lastSlot(timeZone, slot, now);
          const next = nextSlot(timeZone, slot, now);
          assert.ok(last.at <= now && now < next.at);
          assert.ok(last.date < next.date);
          assert.ok(next.at - last.at <= 27 * 3_600_000);
          assert.deepEqual(lastSlot(timeZone, slot, next.at), next);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('several slots a day, and days of the week', () => {
    const weekdays = readDays('weekdays')!;
    // 16 January 2026 is a Friday.
    const friday = at('2026-01-16T14:00:00Z');
    const next = nextSlot(berlin, '02:00,14:00', friday, weekdays);
    assert.deepEqual([next.date, next.time], ['2026-01-19', '02:00']);
    const last = lastSlot(berlin, '02:00,14:00', friday, weekdays);
    assert.deepEqual([last.date, last.time], ['2026-01-16', '14:00']);
    assert.deepEqual(lastSlot(berlin, '02:00,14:00', next.at - 1, weekdays), last);
    const rare = nextSlot(berlin, '02:00', at('2026-01-14T12:00:00Z'), readDays('wed')!);
    assert.equal(rare.date, '2026-01-21');
    // Clocks jump from two to three: both slots of that night begin at once, and it is one import.
    const night = lastSlot(berlin, '02:30,03:30', at('2026-03-29T01:30:00Z'));
    assert.equal(night.time, '03:30');
    assert.equal(readDays('mon,noday'), null);
  });

  test('days begin where the organization is', () => {
    assert.equal(dateIn('Asia/Tokyo', at('2026-01-15T15:00:00Z')), '2026-01-16');
    assert.equal(startOfDay('America/New_York', '2026-07-04'), at('2026-07-04T04:00:00Z'));
    // Clocks in Cairo skip midnight: the day begins at one.
    assert.equal(startOfDay('Africa/Cairo', '2026-04-24'), at('2026-04-23T22:00:00Z'));
  });
});

/** Words and dates that mean that there is no value, or no end (rules U6a, U12a). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isEarly, isNoEnd, isZeroDate } from '../../../importer/read/dates.js';
import { defaultNullWords, isNull } from '../../../importer/read/nullwords.js';
import { valueRulesOf } from '../../../importer/read/valuerules.js';

const rules = valueRulesOf({});

test('U6a the usual words are null words in any case, and are all on the page of the rules', () => {
  const page = readFileSync(new URL('../../../docs/import-rules.md', import.meta.url), 'utf8');
  for (const word of defaultNullWords) {
    assert.ok(page.includes(`\`${word}\``), word);
    for (const text of [word, word.toUpperCase(), word.toLowerCase()]) assert.ok(isNull(text, rules), text);
  }
  for (const text of ['', 'NA', 'Nils', 'no', '0', 'N', 'Noneta', 'null null', '#', '00', '- -', 'x'.repeat(100_000)])
    assert.equal(isNull(text, rules), false, text.slice(0, 20));
});

test('U6a U12a dates of the year 0 in every form', () => {
  for (const text of ['00/00/0000', '0000-00-00', '00.00.0000', '00000000', '0000/00/00', '0/0/0000'])
    assert.ok(isZeroDate(text), text);
  for (const text of ['0000-00-00T00:00:00Z', '0000-00-00 00:00:00', '00/00/0000 00:00', '00-Jan-0000', '01/01/0000'])
    assert.ok(isZeroDate(text), text);
  for (const text of [
    '',
    '0',
    '0000',
    '00000',
    '000000000',
    '2026-01-01T00:00-0000',
    '01/01/2000',
    '0000-000',
    '00:00:0000',
  ])
    assert.equal(isZeroDate(text), false, text);
});

test('U12a dates before 1970 and from 2200 on, in any order of day and month', () => {
  for (const text of ['12/31/1969', '31/12/1969', '1900-01-01', '0001-01-01', '01-Jan-1753', '02/01/1900', '18991230'])
    assert.ok(isEarly(text) && !isNoEnd(text), text);
  for (const text of [
    '12/31/9999',
    '31.12.9999',
    '2200-01-01',
    '01/02/3000',
    '99991231',
    '9999-12-31T23:59:59.9999999Z',
  ])
    assert.ok(isNoEnd(text) && !isEarly(text), text);
  for (const text of ['1970-01-01', '2199-12-31', '31/02/9999', '99/99/9999', 'soon', '', '2958465', '30/02/1900'])
    assert.ok(!isNoEnd(text) && !isEarly(text), text);
});

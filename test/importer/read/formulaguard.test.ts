/** Guards against formulas: a spreadsheet sees a text, an import sees what was there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guardCell, guardFormula, keepText, readCell, unguardFormula } from '../../../importer/read/formulaguard.js';
import { trimCell } from '../../../importer/read/normalize.js';
import { fc } from '../../support/properties.js';

test('whatever is guarded begins like no formula and reads back as it was', () => {
  const tricky = fc.stringMatching(/^[-'=+@\t\r0a ]{0,6}$/);
  fc.assert(
    fc.property(fc.oneof(tricky, fc.string({ unit: 'grapheme' })), (text) => {
      const guarded = guardFormula(text);
      assert.doesNotMatch(guarded, /^[=+\-@\t\r]/);
      assert.equal(unguardFormula(guarded), text);
    }),
  );
});

test('R1 a cell of a file that is guarded reads as it read before, and is no formula but a text that is kept', () => {
  const signs = [
    '=',
    '"',
    '""',
    "'",
    '+',
    '-',
    '@',
    '\t',
    '\r',
    '\n',
    '0',
    'a',
    ' ',
    '&',
    '\u00a0',
    '\u202a',
    '\u202c',
    '\u0338',
  ];
  const tricky = fc.array(fc.constantFrom(...signs)).map((parts) => parts.join(''));
  const quoted = fc
    .tuple(fc.constantFrom('="', ' ="', '\'="', '\u200b="'), tricky)
    .map(([start, text]) => `${start}${text}"`);
  const any = fc.oneof(tricky, quoted, fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }));
  fc.assert(
    fc.property(any, (cell) => {
      const written = guardCell(cell);
      assert.equal(readCell(written), readCell(cell));
      assert.equal(guardCell(written), written);
      if (!/^="(?:[^"]|"")*"$/.test(trimCell(written))) assert.doesNotMatch(written, /^\s*[=+\-@]|^[\t\r]/);
      if (!/[=+\-@\t\r]/.test(cell)) assert.equal(written, cell);
    }),
    { numRuns: 3000 },
  );
});

test('R1 what a spreadsheet runs gets an apostrophe; what it shows as a text stays', () => {
  for (const [cell, written] of [
    ['=1+1', "'=1+1"],
    [' =1+1', "'=1+1"],
    ['\t=1+1', "'=1+1"],
    ['+49 30 1234', "'+49 30 1234"],
    ['-', "'-"],
    ['="a"&cmd|\'/C calc\'!A0&"b"', 'a"&cmd|\'/C calc\'!A0&"b'],
    ['="=1"&HYPERLINK("x")&""', '\'=1"&HYPERLINK("x")&"'],
  ] as const) {
    assert.equal(guardCell(cell), written);
    assert.equal(readCell(written), readCell(cell));
  }
  const harmless = [
    '="00123"',
    ' ="00123" ',
    '="=1+1"',
    '="a ""b"""',
    "'=1+1",
    "'00123",
    "''=1",
    "'t Hooft",
    ' x ',
    'a=1',
  ];
  for (const cell of harmless) assert.equal(guardCell(cell), cell);
});

test('a value for a spreadsheet reads back as it was, and is a text for it where it may be a number, a date or a truth value', () => {
  const tricky = fc.stringMatching(/^[-'="@.,:/%eE0-9a ]{0,8}$/).map(trimCell);
  const any = fc.oneof(
    tricky,
    fc.constantFrom('true', 'FALSCH', '1e400', '٣'),
    fc.string({ unit: 'grapheme' }).map(trimCell),
  );
  fc.assert(
    fc.property(any, (text) => {
      const written = keepText(text);
      assert.equal(readCell(written), text);
      assert.doesNotMatch(written, /^=(?!"[^"]*"$)|^[+\-@\t\r]/);
    }),
    { numRuns: 2000 },
  );
  for (const text of [
    '00003',
    '1-2',
    '3/4',
    '12:30',
    '1E5',
    '123456789012',
    '2026-01-31',
    '31.12.2026',
    'MAR1',
    '5 %',
    'TRUE',
  ])
    assert.equal(keepText(text), `="${text}"`);
  for (const text of ['42', 'Ann', 'u1@acme.test', '"1", 2', 'Yes', "'t Hooft"]) assert.equal(keepText(text), text);
});

test('apostrophes that guard nothing stay', () => {
  for (const text of ["'t Hooft", "'", "''", "'n'"]) {
    assert.equal(unguardFormula(text), text);
    assert.equal(guardFormula(text), text);
  }
  assert.equal(unguardFormula("'00042"), '00042');
  assert.equal(unguardFormula("'=1+1"), '=1+1');
});

/** Trimmed cells: the ends that are cut off, and texts with more combining marks than any language has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelKey, nameKey, trimCell } from '../../../importer/read/normalize.js';
import { fc } from '../../support/properties.js';

const invisible = ['\u00ad', '\u180e', '\u200b', '\u200e', '\u200f', '\u2060', '\ufeff'];
const spaces = [' ', '\t', '\n', '\r', '\u00a0', '\u2007', '\u3000'];
const edge = fc.constantFrom(...invisible, ...spaces);
const text = fc.array(fc.oneof(edge, fc.constantFrom('a', 'é', 'e\u0301', '"', '😀')), { maxLength: 12 });

test('a cell loses all spaces and invisible characters at both ends, and none inside', () => {
  const around = new RegExp(`^[${[...invisible, ...spaces].join('')}]+|[${[...invisible, ...spaces].join('')}]+$`, 'g');
  fc.assert(
    fc.property(text, (units) => {
      const cell = units.join('');
      assert.equal(trimCell(cell), cell.replace(around, '').normalize('NFC'));
    }),
  );
});

test('a text is in composed form, unless it has more combining marks in a row than any language writes', () => {
  const words = 'Zoe\u0308 '.repeat(1000);
  assert.equal(trimCell(words), words.trim().normalize('NFC'));
  const marked = `Zoe\u0308${'\u0301\u0323'.repeat(14)}`;
  assert.equal(trimCell(marked), marked.normalize('NFC'));
  const long = `Zoe\u0308${'\u0301\u0323'.repeat(20)}`;
  assert.equal(trimCell(` ${long} `), long);
  assert.equal(nameKey(trimCell(long)), nameKey(long));
  assert.equal(labelKey(trimCell(long)), labelKey(long));
});

/** Guards against formulas: a spreadsheet sees a text, an import sees what was there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { guardFormula, unguardFormula } from '../../src/importer/formula.js';

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

test('apostrophes that guard nothing stay', () => {
  for (const text of ["'t Hooft", "'", "''", "'n'"]) {
    assert.equal(unguardFormula(text), text);
    assert.equal(guardFormula(text), text);
  }
  assert.equal(unguardFormula("'00042"), '00042');
  assert.equal(unguardFormula("'=1+1"), '=1+1');
});

/** A short run of the crash matrix; `npm run crash` runs it at any length. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Kill, planKills, runMatrix, sequence, steps } from './matrix.js';

test('killed at each named step and at random moments: what was acknowledged is imported once, nothing else is', async (t) => {
  const random = sequence(3);
  const named = steps.map(
    (step, n): Kill => ({ step, after: n < 4 ? 4 + Math.floor(random() * 8) : 1, victim: 'both' }),
  );
  const surprises = planKills(4, random).filter(({ step }) => step === null);
  const tally = await runMatrix(t, [...named, ...surprises], random, (line) => t.diagnostic(line));
  t.diagnostic(JSON.stringify(tally));
  assert.equal(tally.kills, steps.length + surprises.length);
  assert.ok(tally.acknowledged > 0 && tally.imported > 0);
});

/** A short run of the matrix of the importers; `npm run crash -- --rounds N` runs it at any length. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runPool } from './pool.js';

/** Two of each kind. */
const rounds = 10;

test('kills and hangs of the pool, import commands and jumps of the clock: each file is imported once, and nothing is stuck', async (t) => {
  const tally = await runPool(t, { seed: 20261129, rounds }, (line) => t.diagnostic(line));
  t.diagnostic(JSON.stringify(tally));
  assert.ok(tally.files > 0 && tally.runs > 0);
});

/** A short run of each fuzzer, the same cases each time. `npm run fuzz` goes on for as long as one likes. */
import { test } from 'node:test';
import { fuzz, type Target } from './fuzz.js';
import { findObstacle } from './mounted.js';

const seed = 20261122;
const cases: Readonly<Record<Target, number>> = {
  codec: 400,
  session: 60,
  ssh: 60,
  together: 12,
  mounted: 3,
  api: 300,
};

for (const [target, mostCases] of Object.entries(cases) as [Target, number][]) {
  test(`${target}: ${mostCases} cases (seed ${seed})`, { skip: target === 'mounted' && findObstacle() }, async (t) => {
    t.diagnostic(`npm run fuzz -- --target ${target} --seed ${seed}`);
    await fuzz(t, { target, seed, only: null, mostCases });
  });
}

/** `npm run fuzz -- [--target codec|session|ssh|together|mounted|api] [--seconds N] [--seed S] [--case C]`: fuzzes until the time is over. */
import { parseArgs } from 'node:util';
import type { Scope } from '../support/temporary.js';
import { fuzz, isTarget, targetNames } from './fuzz.js';
import { findObstacle } from './mounted.js';

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
    case: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const chosen = values.target === undefined ? targetNames : [values.target];
const cleanups: Parameters<Scope['after']>[0][] = [];
const scope: Scope = { after: (cleanup) => void cleanups.push(cleanup) };
try {
  for (const target of chosen) {
    if (!isTarget(target)) throw new Error(`--target is one of ${targetNames.join(', ')}`);
    const obstacle = target === 'mounted' ? findObstacle() : false;
    if (obstacle !== false) {
      console.log(`mounted: skipped, ${obstacle}`);
      continue;
    }
    const only = values.case === undefined ? null : Number(values.case);
    const plan = { target, seed: Number(values.seed), only, mostMs: (seconds * 1000) / chosen.length };
    console.log(`${target}: seed ${plan.seed}`);
    const { cases, mostBytes } = await fuzz(scope, plan);
    console.log(`${target}: ${cases} cases, nothing found; ${Math.round(mostBytes / 1e6)} MB of memory at most`);
  }
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  for (const cleanup of cleanups.reverse()) await cleanup();
}

/**
 * `npm run crash -- [--kills N] [--seed S]`: the crash matrix at any length, in stages of a data folder each; with `--writers` all
 * rounds of two writers of one file; with `--rounds N` the matrix of the importers.
 */
import { parseArgs } from 'node:util';
import { openScope, type Scope } from '../support/temporary.js';
import { planKills, runMatrix, sequence, type Tally } from './matrix.js';
import { runPool } from './pool.js';
import { planRounds, runRounds } from './writers.js';

/** What is checked after each kill grows with what was sent before. */
const killsOfStage = 36;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '90' },
    seed: { type: 'string', default: String(Date.now() % 1e6) },
    writers: { type: 'boolean', default: false },
    rounds: { type: 'string' },
  },
});
if (values.writers) {
  const scope = openScope();
  await runRounds(scope, planRounds(), console.log).finally(() => scope.close());
  console.log('\nEvery CLOSE that was answered is published, and nothing else.');
  process.exit();
}
if (values.rounds !== undefined) {
  const scope = openScope();
  const plan = { seed: Number(values.seed), rounds: Number(values.rounds) };
  console.log(`${plan.rounds} rounds, seed ${plan.seed}`);
  const tally = await runPool(scope, plan, console.log).finally(() => scope.close());
  console.log(`\nEach file was imported once, and nothing is stuck. ${JSON.stringify(tally)}`);
  process.exit();
}
const kills = Number(values.kills);
const random = sequence(Number(values.seed));
console.log(`${kills} kills, seed ${values.seed}`);

const total: Partial<Tally> = {};
const plan = planKills(kills, random);
for (let from = 0; from < plan.length; from += killsOfStage) {
  const cleanups: Parameters<Scope['after']>[0][] = [];
  const scope: Scope = { after: (cleanup) => void cleanups.push(cleanup) };
  try {
    const tally = await runMatrix(scope, plan.slice(from, from + killsOfStage), random, console.log);
    for (const [name, count] of Object.entries(tally))
      total[name as keyof Tally] = (total[name as keyof Tally] ?? 0) + count;
    console.log(`stage kept every promise: ${JSON.stringify(tally)}`);
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}
console.log(`\nEvery promise was kept. ${JSON.stringify(total)}`);

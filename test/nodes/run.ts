/**
 * `npm run nodes -- [--rounds N] [--seed S] [--beside FOLDER] [--store]`: rounds of three nodes on a PostgreSQL with a standby, with faults
 * of every kind. `--beside`: some nodes run the built version in FOLDER, and change from or to it. `--store`: without a shared folder.
 */
import { parseArgs } from 'node:util';
import { lacksCluster } from '../support/cluster.js';
import { lacksPooler } from '../support/pooler.js';
import { missingSwift, startSwift } from '../support/swift.js';
import { openScope } from '../support/temporary.js';
import { openBuild } from './build.js';
import { ReplicatedDatabase } from './databases.js';
import { lacksFaketime } from './node.js';
import { playRound, type RoundTally } from './round.js';
import { addWork, type Work } from './work.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1e6) },
    minutes: { type: 'string', default: 'Infinity' },
    beside: { type: 'string' },
    store: { type: 'boolean', default: false },
  },
});
const lacks = lacksCluster || lacksFaketime || lacksPooler || (values.store && missingSwift);
if (lacks) {
  console.error(lacks);
  process.exit(1);
}
const other = values.beside === undefined ? null : openBuild(values.beside);
const end = performance.now() + Number(values.minutes) * 60_000;
const scope = openScope();
const total: Omit<RoundTally, 'faults' | 'work'> = {
  ...{ acknowledged: 0, imported: 0, runs: 0, slots: 0, events: 0, takeovers: 0 },
};
const faults: Record<string, number> = {};
const work: Work = {};
let played = 0;
try {
  const database = await ReplicatedDatabase.start(scope);
  const store = values.store ? await startSwift(scope) : null;
  for (let round = 0; round < Number(values.rounds) && performance.now() < end; round++) {
    const seed = Number(values.seed) + round;
    const begun = performance.now();
    const inner = openScope();
    try {
      const tally = await playRound(inner, database, seed, {
        ...{ other, store },
        tell: (line) => console.log(`     ${line}`),
      });
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += tally[key];
      for (const [name, count] of Object.entries(tally.faults)) faults[name] = (faults[name] ?? 0) + count;
      addWork(work, tally.work);
    } catch (error) {
      console.error(`round of seed ${seed} failed`);
      throw error;
    } finally {
      await inner.close();
    }
    played++;
    console.log(
      `${String(played).padStart(4)} seed ${seed}, ${Math.round((performance.now() - begun) / 1000)} s: ${JSON.stringify(total)}`,
    );
  }
} finally {
  await scope.close();
}
console.log(`\n${played} rounds, each kept every promise. ${JSON.stringify({ ...total, faults, work })}`);

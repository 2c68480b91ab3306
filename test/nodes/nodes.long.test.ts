/** Some rounds of three nodes; `npm run nodes` plays any number. */
import { test } from 'node:test';
import { lacksCluster } from '../support/cluster.js';
import { lacksPooler } from '../support/pooler.js';
import { openScope } from '../support/temporary.js';
import { ReplicatedDatabase } from './databases.js';
import { lacksFaketime } from './node.js';
import { playRound } from './round.js';

const rounds = Number(process.env.TEST_NODE_ROUNDS ?? 2);

test('three nodes keep every promise, whatever happens to them, their network and their database', {
  skip: lacksCluster || lacksFaketime || lacksPooler,
}, async (t) => {
  const database = await ReplicatedDatabase.start(t);
  for (let seed = 1; seed <= rounds; seed++) {
    const scope = openScope();
    try {
      await playRound(scope, database, seed, { tell: (line) => t.diagnostic(`${seed}: ${line}`) });
    } finally {
      await scope.close();
    }
  }
});

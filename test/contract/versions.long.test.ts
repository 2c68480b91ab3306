/**
 * The tests of all stores on the oldest supported PostgreSQL, with those of several nodes, and through a pooler in transaction mode; `npm test` runs
 * them on 18. On the versions between these two the stores with the most SQL; all stores on each version with TEST_ALL_ROUNDS=1.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { lacksCluster, lacksVersion, startCluster } from '../support/cluster.js';
import { lacksPooler, startPooler } from '../support/pooler.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const stores = ['test/contract/*.test.ts', '!test/contract/*.long.test.ts', 'test/importer/run/fence.test.ts'];
const most = ['audit', 'directory', 'schema', 'uploads'].map((name) => `test/contract/${name}.test.ts`);
const between = process.env.TEST_ALL_ROUNDS === undefined ? [...most, 'test/importer/run/fence.test.ts'] : stores;
const nodes = ['test/journeys/postgres.test.ts', 'test/nodes/example.long.test.ts', 'test/operations/migrate.test.ts'];

async function runTests(files: readonly string[], env: Record<string, string>): Promise<void> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(NODE_TEST|TEST_TEMPLATES)/.test(name));
  const child = spawn(process.execPath, ['scripts/test.mjs', ...files], {
    cwd: root,
    env: { ...Object.fromEntries(inherited), TEST_DATABASES: 'postgres', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const [code] = await once(child, 'close');
  assert.equal(code, 0, output.slice(-20_000));
  assert.match(output, /\(postgres\)/);
}

for (const version of [15, 16, 17])
  test(`PostgreSQL ${version}`, { skip: lacksVersion(version) }, async (t) => {
    const { url } = await startCluster(t, [], version);
    await runTests(version === 15 ? [...stores, ...nodes] : between, { TEST_POSTGRES_URL: url });
  });

test('PostgreSQL 15 behind PgBouncer', { skip: lacksCluster || lacksPooler }, async (t) => {
  const { url } = await startCluster(t);
  const pooled = new URL(await startPooler(t, url, 10));
  await runTests(stores, { TEST_POSTGRES_URL: url, TEST_POOLER_PORT: pooled.port });
});

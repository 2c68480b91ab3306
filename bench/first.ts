/**
 * Processor time and peak memory of a users file's first import, of the same file again, and with one row of a hundred changed; the time
 * beside csv-parse alone.
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
import { readPeak, readProcessorTime } from './memory.js';
import { plotLines } from './pointplot.js';
import { mebibytes, type Section } from './report.js';
import type { Workbench } from './workbench.js';

const lookEveryMs = 20;
const changedEvery = 100;
const steps = ['first', 'again', '1 % changed'] as const;

interface Spent {
  seconds: number;
  peakBytes: number;
}

interface Measured {
  rows: number;
  /** Of csv-parse alone. */
  parsing: Spent;
  /** In the order of `steps`. */
  imports: Spent[];
}

export async function benchFirst(bench: Workbench): Promise<Section> {
  const all: Measured[] = [];
  for (const rows of bench.flags.rows) all.push(await measure(bench, rows));
  await plot(bench, all);
  return {
    title: 'Processor time and memory of an import',
    about:
      'Seconds of user and system time of `dropslot import` with all its threads, on the embedded database, and how many times as much as csv-parse alone ' +
      'needs for the same file (as arrays, without columns). Wall clocks depend on what else the machine does; these depend on it less. Memory: ' +
      'the highest resident memory of that process, whose heap has the limit that the server gives its importers.',
    header: ['rows', 'csv-parse s', ...steps.flatMap((step) => [`${step} s`, 'ratio', 'memory'])],
    rows: all.map(({ rows, parsing, imports }) => [
      String(rows),
      parsing.seconds.toFixed(2),
      ...imports.flatMap(({ seconds, peakBytes }) => [
        seconds.toFixed(1),
        `${(seconds / parsing.seconds).toFixed(1)}×`,
        mebibytes(peakBytes),
      ]),
    ]),
    notes: ['`npm run bench -- first --rows 300000`.'],
  };
}

async function measure({ folder, say }: Workbench, rows: number): Promise<Measured> {
  const cleanups: (() => unknown)[] = [];
  const scope = { after: (cleanup: () => unknown) => void cleanups.push(cleanup) };
  try {
    const databases = await openFresh(scope, 'sqlite');
    const company = await Company.join(databases, { options: { earlyCheck: false } });
    const { data, importerMemoryBytes } = databases.settings;
    // As the server starts its importers: V8 collects earlier in a heap with a limit.
    const heap = `--max-old-space-size=${importerMemoryBytes / 1024 ** 2}`;
    const file = join(folder, `users-${rows}.csv`);
    await generateUsers(file, rows);
    const parsed = await run(['--import', 'tsx', fileURLToPath(new URL('./parse.ts', import.meta.url)), file]);
    const { processorSeconds, peakBytes } = JSON.parse(parsed.stdout) as {
      processorSeconds: number;
      peakBytes: number;
    };
    const imports: Spent[] = [];
    for (const step of steps) {
      if (step === '1 % changed') await generateUsers(file, rows, changedEvery);
      company.clock = Date.now();
      await company.drop('/users.csv', await readFile(file));
      const spent = await run([heap, programPath, 'import', 'acme'], { DROPSLOT_DATA: data });
      const times = (spent.seconds / processorSeconds).toFixed(1);
      say(
        `first ${rows}: ${step} ${spent.seconds.toFixed(1)} s, ${times} times csv-parse, ${mebibytes(spent.peakBytes)}`,
      );
      imports.push(spent);
    }
    await rm(file);
    return { rows, parsing: { seconds: processorSeconds, peakBytes }, imports };
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
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`);
  return { stdout, seconds, peakBytes };
}

/** Processor time of a users file's first import, of the same file again, and with one row of a hundred changed, beside csv-parse alone. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { programPath } from '../demo/program.js';
import { Company } from '../test/support/company.js';
import { openFresh } from '../test/support/databases.js';
import { generateUsers } from './generate.js';
import { readProcessorTime } from './memory.js';
import type { Section } from './report.js';
import type { Workbench } from './workbench.js';

const lookEveryMs = 20;
const changedEvery = 100;

export async function benchFirst({ folder, flags, say }: Workbench): Promise<Section> {
  const section: Section = {
    title: 'Processor time of an import',
    about:
      'Seconds of user and system time of `dropslot import` with all its threads, on the embedded database, and how many times as much as csv-parse alone ' +
      'needs for the same file (as arrays, without columns). Wall clocks depend on what else the machine does; these depend on it less.',
    header: ['rows', 'csv-parse s', 'first s', 'ratio', 'again s', 'ratio', '1 % changed s', 'ratio'],
    rows: [],
    notes: ['`npm run bench -- first --rows 300000`.'],
  };
  for (const rows of flags.rows) section.rows.push([String(rows), ...(await measure(folder, rows, say))]);
  return section;
}

async function measure(folder: string, rows: number, say: (text: string) => void): Promise<string[]> {
  const cleanups: (() => unknown)[] = [];
  const scope = { after: (cleanup: () => unknown) => void cleanups.push(cleanup) };
  try {
    const databases = await openFresh(scope, 'sqlite');
    const company = await Company.join(databases, { options: { earlyCheck: false } });
    const { data } = databases.settings;
    const file = join(folder, `users-${rows}.csv`);
    await generateUsers(file, rows);
    const text = await readFile(file, 'utf8');
    const changed = text.split('\n').map((line, n) => (n % changedEvery === 1 ? line.replace('Berlin', 'Bern') : line));
    const parsed = await run(['--import', 'tsx', fileURLToPath(new URL('./parse.ts', import.meta.url)), file]);
    const baseline = (JSON.parse(parsed.stdout) as { processorSeconds: number }).processorSeconds;
    const results = [baseline.toFixed(2)];
    for (const [name, content] of [
      ['first', text],
      ['again', text],
      ['changed', changed.join('\n')],
    ] as const) {
      company.clock = Date.now();
      await company.drop('/users.csv', content);
      const { seconds } = await run([programPath, 'import', 'acme'], { DROPSLOT_DATA: data });
      say(`first ${rows}: ${name} ${seconds.toFixed(1)} s, ${(seconds / baseline).toFixed(1)} times csv-parse`);
      results.push(seconds.toFixed(1), `${(seconds / baseline).toFixed(1)}×`);
    }
    await writeFile(file, '');
    return results;
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

/** @throws where the program fails */
async function run(args: string[], env: Record<string, string> = {}): Promise<{ stdout: string; seconds: number }> {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  let seconds = 0;
  const timer = setInterval(() => {
    seconds = readProcessorTime(child.pid!) ?? seconds;
  }, lookEveryMs);
  const [code] = (await once(child, 'close')) as [number | null];
  clearInterval(timer);
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`);
  return { stdout, seconds };
}

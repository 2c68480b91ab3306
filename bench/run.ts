/** `npm run bench [-- name…] [flags]`: measures the built program beside its peers, and prints the results as markdown. */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { benchArrivals } from './arrivals.js';
import { benchAttack } from './attack.js';
import { benchCheck } from './check.js';
import { ciphers } from './client.js';
import { benchDaily } from './daily.js';
import { benchFiles } from './files.js';
import { benchFirst } from './first.js';
import { benchFolder } from './folder.js';
import { benchIdle } from './idle.js';
import { benchImport } from './import.js';
import { benchLimits } from './limits.js';
import { describeMachine } from './machine.js';
import { benchPgp } from './pgp.js';
import { formatSection, type Section } from './report.js';
import { benchSealed } from './sealed.js';
import { benchSessions } from './sessions.js';
import { benchTransfer } from './transfer.js';
import {
  type BenchDatabase,
  benchDatabases,
  defaultPlace,
  type Flags,
  onWorkbench,
  type Workbench,
} from './workbench.js';

const benches: Record<string, (bench: Workbench) => Promise<Section | Section[]>> = {
  limits: benchLimits,
  transfer: benchTransfer,
  sessions: benchSessions,
  arrivals: benchArrivals,
  idle: benchIdle,
  files: benchFiles,
  import: benchImport,
  first: benchFirst,
  daily: benchDaily,
  check: benchCheck,
  attack: benchAttack,
  sealed: benchSealed,
  folder: benchFolder,
  pgp: benchPgp,
};

const usage = `npm run bench [-- NAME… FLAGS]

  NAME…            ${Object.keys(benches).join(', ')}; all of them without one
  --size MIB       of the large file (1024)
  --ciphers C,…    of the large file (${ciphers.join(',')})
  --runs N         of each contest, after one that is not counted (7)
  --sessions N     in a run (80)
  --visits N       in a run (1000)
  --files N        small ones in a run (500)
  --rows N,…       of the users files (100000,1000000)
  --databases D,…  of \`first\` (sqlite; or sqlite,postgres)
  --company N      users of the daily file (200000)
  --folder DIR     where servers keep their data (${defaultPlace})
  --plots DIR      idle and first draw how the costs grow, as SVG (docs)
  --out FILE       writes the markdown there too
`;

// So that what was started is stopped.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

try {
  await main();
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      size: { type: 'string', default: '1024' },
      ciphers: { type: 'string', default: ciphers.join(',') },
      runs: { type: 'string', default: '7' },
      sessions: { type: 'string', default: '80' },
      visits: { type: 'string', default: '1000' },
      files: { type: 'string', default: '500' },
      rows: { type: 'string', default: '100000,1000000' },
      databases: { type: 'string', default: 'sqlite' },
      company: { type: 'string', default: '200000' },
      folder: { type: 'string', default: defaultPlace },
      plots: { type: 'string' },
      out: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(usage);
  const names = positionals.length > 0 ? positionals : Object.keys(benches);
  const unknown = names.find((name) => !(name in benches));
  if (unknown !== undefined) throw new Error(`no bench "${unknown}"; there are ${Object.keys(benches).join(', ')}`);
  const flags: Flags = {
    size: readCount('size', values.size),
    ciphers: values.ciphers.split(','),
    runs: readCount('runs', values.runs),
    sessions: readCount('sessions', values.sessions),
    visits: readCount('visits', values.visits),
    files: readCount('files', values.files),
    company: readCount('company', values.company),
    databases: values.databases.split(',').map(readDatabase),
    plots: values.plots ?? null,
    rows: values.rows.split(',').map((text) => readCount('rows', text)),
  };
  const sections: Section[] = [];
  for (const name of names) {
    const measured = await onWorkbench(values.folder, flags, (text) => console.error(text), benches[name]!);
    sections.push(...[measured].flat());
  }
  const machine = await describeMachine(values.folder, new Date());
  const text = `${['# Measured', '', ...machine, '', ...sections.map(formatSection)].join('\n').trimEnd()}\n`;
  process.stdout.write(`\n${text}`);
  if (values.out !== undefined) await writeFile(values.out, text);
}

function readCount(flag: string, text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new Error(`--${flag} takes a whole number above 0`);
  return count;
}

function readDatabase(text: string): BenchDatabase {
  const found = benchDatabases.find((name) => name === text);
  if (found === undefined) throw new Error(`--databases takes ${benchDatabases.join(', ')}`);
  return found;
}

/**
 * `npx tsx bench/pair.ts [--pairs N] [--files N] NAME=MAIN…`: small files to several built versions in turn, in processor time of the
 * server for each file beside the wall clock: what other programs do at the same time changes the first much less.
 * MAIN: the `main.js` of a built version.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { writeLoginKey } from '../demo/folder.js';
import { runProgram } from '../demo/program.js';
import { type Endpoint, runSftp } from './client.js';

const org = 'bench';
const bytesEach = 2_048;
/** Of /proc, on each Linux of today. */
const ticksPerSecond = 100;
/** Uploads before the first measurement. */
const warmFiles = 100;

interface Version extends Endpoint {
  name: string;
  server: ChildProcess;
  /** Milliseconds for each file, of each round. */
  wall: number[];
  processor: number[];
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pairs: { type: 'string', default: '5' },
    files: { type: 'string', default: '400' },
    folder: { type: 'string', default: tmpdir() },
  },
});
const files = Number(values.files);
const folder = await mkdtemp(join(values.folder, 'dropslot-pair-'));
const versions: Version[] = [];
try {
  const source = join(folder, 'small');
  await mkdir(source);
  for (let index = 0; index < files; index++)
    await writeFile(join(source, `part-${String(index).padStart(4, '0')}.csv`), randomBytes(bytesEach));
  for (const argument of positionals) versions.push(await start(argument));
  for (let round = 0; round < Number(values.pairs); round++)
    for (const version of round % 2 === 0 ? versions : [...versions].reverse()) await measure(version, source, round);
  for (const { name, wall, processor } of versions)
    console.log(`${name}: median of ${wall.length}: wall ${median(wall)} ms, processor ${median(processor)} ms a file`);
} finally {
  for (const { server } of versions) {
    const ended = once(server, 'exit');
    server.kill('SIGTERM');
    await ended;
  }
  await rm(folder, { recursive: true, force: true });
}

async function start(argument: string): Promise<Version> {
  const [name, main] = argument.split('=') as [string, string | undefined];
  if (main === undefined) throw new Error(`"${argument}": write NAME=MAIN, as in new=dist/app/main.js`);
  const own = join(folder, name);
  await mkdir(own);
  const login = await writeLoginKey(own);
  const command = [main, '--data', join(own, 'data')];
  const server = spawn(process.execPath, [...command, 'serve', '--host', '127.0.0.1', '--port', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, DROPSLOT_LOG_FORMAT: 'json' },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.once('exit', () => reject(new Error(`${name} did not start`)));
    // Reads on: a full pipe would stop the server.
    createInterface({ input: server.stderr! }).on('line', (line) => {
      if (!line.startsWith('{')) return;
      const { message, port: opened } = JSON.parse(line) as { message: string; port?: number };
      if (message === 'listening' && opened !== undefined) resolve(opened);
    });
  });
  const slot = `${String((new Date().getUTCHours() + 12) % 24).padStart(2, '0')}:00`;
  const options = ['--owner', 'owner@bench.test', '--slot', slot, '--time-zone', 'UTC', '--enable'];
  await runProgram(process.execPath, [...command, 'orgs', 'add', org, ...options]);
  await runProgram(process.execPath, [...command, 'keys', 'add', org, login.publicKey]);
  return { name, server, port, user: org, privateKey: login.privateKey, folder: own, wall: [], processor: [] };
}

async function measure(version: Version, source: string, round: number): Promise<void> {
  const warm = `put "${source}/part-0000.csv"`;
  await runSftp(version, `mkdir r${round}`, ...Array.from({ length: round === 0 ? warmFiles : 1 }, () => warm));
  const before = processorMs(version.server.pid!);
  const seconds = await runSftp(version, `cd r${round}`, `put "${source}/"*`);
  const processor = (processorMs(version.server.pid!) - before) / files;
  version.wall.push((seconds * 1000) / files);
  version.processor.push(processor);
  const wall = version.wall.at(-1)!;
  console.log(
    `round ${round} ${version.name}: wall ${wall.toFixed(2)} ms, processor ${processor.toFixed(2)} ms a file`,
  );
}

/** User and system time of a process, all threads; not of its children. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
}

function median(numbers: readonly number[]): string {
  return [...numbers].sort((one, other) => one - other)[numbers.length >> 1]!.toFixed(2);
}

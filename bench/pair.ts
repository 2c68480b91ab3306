/**
 * `npx tsx bench/pair.ts [--pairs N] [--files N] [--sessions N] [--folder DIR] NAME=MAIN… [openssh]`: small files to several built
 * versions in turn, in processor time of the server for each file beside the wall clock: what other programs do at the same time
 * changes the first much less. MAIN: the `main.js` of a built version. `openssh`: internal-sftp, to which the client sends
 * `put -f`, so that each of its files is synced too; its folders and its answers to CLOSE are not.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { writeLoginKey } from '../demo/folder.js';
import { runProgram } from '../demo/program.js';
import { type Endpoint, runSftp } from './client.js';
import { startOpenssh } from './peers.js';

const org = 'bench';
const bytesEach = 2_048;
/** Of /proc, on each Linux of today. */
const ticksPerSecond = 100;
/** Uploads before the first measurement. */
const warmFiles = 100;

interface Version extends Endpoint {
  name: string;
  pid: number;
  stop(): Promise<void>;
  /** Prefix of remote paths. */
  root: string;
  put: string;
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
    sessions: { type: 'string', default: '1' },
  },
});
const sessions = Number(values.sessions);
/** Of each session, and of all. */
const share = Math.ceil(Number(values.files) / sessions);
const files = share * sessions;
const folder = await mkdtemp(join(values.folder, 'dropslot-pair-'));
const versions: Version[] = [];
try {
  const source = join(folder, 'small');
  await mkdir(source);
  for (let index = 0; index < files; index++) {
    const own = join(source, String(Math.floor(index / share)));
    if (index % share === 0) await mkdir(own);
    await writeFile(join(own, `part-${String(index).padStart(4, '0')}.csv`), randomBytes(bytesEach));
  }
  for (const argument of positionals)
    versions.push(await (argument === 'openssh' ? startPeer(argument) : start(argument)));
  for (let round = 0; round < Number(values.pairs); round++)
    for (const version of round % 2 === 0 ? versions : [...versions].reverse()) await measure(version, source, round);
  for (const { name, wall, processor } of versions)
    console.log(`${name}: median of ${wall.length}: wall ${median(wall)} ms, processor ${median(processor)} ms a file`);
} finally {
  for (const { stop } of versions) await stop();
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
  const stop = async () => {
    const ended = once(server, 'exit');
    server.kill('SIGTERM');
    await ended;
  };
  const endpoint = { port, user: org, privateKey: login.privateKey, folder: own };
  return { name, pid: server.pid!, stop, root: '/', put: 'put', ...endpoint, wall: [], processor: [] };
}

async function startPeer(name: string): Promise<Version> {
  const peer = await startOpenssh(join(folder, name));
  if (peer === null) throw new Error('OpenSSH has no sshd here');
  return { ...peer, name, put: 'put -f', wall: [], processor: [] };
}

async function measure(version: Version, source: string, round: number): Promise<void> {
  const { root, put, pid } = version;
  const shares = Array.from({ length: sessions }, (_, index) => ({
    from: `${source}/${index}`,
    to: `${root}r${round}-${index}`,
  }));
  const warm = `${put} "${source}/0/part-0000.csv" "${root}r${round}-0/"`;
  const folders = shares.map(({ to }) => `mkdir "${to}"`);
  await runSftp(version, ...folders, ...Array.from({ length: round === 0 ? warmFiles : 1 }, () => warm));
  const before = processorMs(pid);
  const begunAt = performance.now();
  await Promise.all(shares.map(({ from, to }) => runSftp(version, `cd "${to}"`, `${put} "${from}/"*`)));
  const wallMs = performance.now() - begunAt;
  // The processes of OpenSSH's sessions are counted once they have ended.
  if (put !== 'put') await sleep(500);
  const processor = (processorMs(pid) - before) / files;
  version.wall.push(wallMs / files);
  version.processor.push(processor);
  const wall = version.wall.at(-1)!;
  console.log(
    `round ${round} ${version.name}: wall ${wall.toFixed(2)} ms, processor ${processor.toFixed(2)} ms a file`,
  );
}

/** User and system time of a process, all threads, and of its children that have ended. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return (ticks * 1000) / ticksPerSecond;
}

function median(numbers: readonly number[]): string {
  return [...numbers].sort((one, other) => one - other)[numbers.length >> 1]!.toFixed(2);
}

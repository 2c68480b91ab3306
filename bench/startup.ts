/**
 * `node --import tsx bench/startup.ts [--runs N] [--organizations N]`: the processor time of short commands of the built program, in turn with
 * `node -e 0`, and of `serve` until its port answers, on a data folder of many organizations. What other programs do at the same
 * time changes it much less than the wall clock.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '7' }, organizations: { type: 'string', default: '1000' } },
});
const runs = Number(values.runs);
const organizations = Number(values.organizations);
/** Of /proc, on each Linux of today. */
const msPerTick = 10;
const main = 'dist/app/main.js';

const folder = await mkdtemp(join(tmpdir(), 'dropslot-startup-'));
const data = join(folder, 'data');
try {
  const ids = Array.from({ length: organizations }, (_, index) => `org-${index + 1}`);
  const setup = {
    version: 1,
    organizations: Object.fromEntries(ids.map((id) => [id, { settings: { owner: `owner@${id}.test` } }])),
  };
  await writeFile(join(folder, 'setup.json'), JSON.stringify(setup));
  spend(main, '--data', data, 'apply', join(folder, 'setup.json'));
  await untilPort(); // makes the host keys
  const measures: [name: string, measure: () => number | Promise<number>][] = [
    ['`node -e 0`', () => spend('-e', '0')],
    ['`dropslot --version`', () => spend(main, '--version')],
    ['`dropslot keys list ORG`', () => spend(main, '--data', data, 'keys', 'list', 'org-1')],
    ['`dropslot serve` until its port answers', untilPort],
  ];
  const taken = measures.map((): number[] => []);
  for (let run = 0; run < runs; run++)
    for (const [index, [, measure]] of measures.entries()) taken[index]!.push(await measure());
  const least = median(taken[0]!);
  console.log(
    `| ${organizations} organizations, ${runs} runs in turn | processor time, median | × \`node -e 0\` |\n| --- | --- | --- |`,
  );
  for (const [index, [name]] of measures.entries()) {
    const ms = median(taken[index]!);
    console.log(`| ${name} | ${ms.toFixed(0)} ms | ${(ms / least).toFixed(1)} |`);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** Milliseconds of processor time of one run of Node.js, all threads. */
function spend(...args: string[]): number {
  const timed = spawnSync('/usr/bin/time', ['-f', '%U %S', process.execPath, ...args], { encoding: 'utf8' });
  if (timed.status !== 0) throw new Error(`${args.join(' ')}: ${timed.stderr}`);
  const [user, system] = timed.stderr.trim().split('\n').at(-1)!.split(' ').map(Number);
  return (user! + system!) * 1000;
}

/** Milliseconds of processor time of the server and of its processes, until it listens. */
async function untilPort(): Promise<number> {
  const server = spawn(process.execPath, [main, '--data', data, 'serve', '--host', '127.0.0.1', '--port', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, DROPSLOT_LOG_FORMAT: 'json' },
  });
  const ended = once(server, 'exit');
  try {
    await untilListening(server);
    return spentBy(server.pid!);
  } finally {
    server.kill('SIGKILL');
    await ended;
  }
}

async function untilListening(server: ChildProcess): Promise<void> {
  for await (const line of createInterface({ input: server.stderr! })) if (line.includes('"listening"')) return;
  throw new Error('the server ended before it listened');
}

function spentBy(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  const own = (Number(fields[11]) + Number(fields[12])) * msPerTick;
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
  );
  return children.reduce((sum, child) => sum + spentBy(Number(child)), own);
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((one, other) => one - other)[numbers.length >> 1]!;
}

/** How long a legitimate client's uploads take during an attack: over an open session, and from connecting to CLOSE. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import SftpClient from 'ssh2-sftp-client';
import { writeLoginKey } from '../demo/folder.js';
import { startDropslot } from '../demo/program.js';
import { type AttackKind, attackKinds, type Tally, type Target } from './attackers.js';
import { readPeak } from './memory.js';
import { summarizeLatencies } from './neighbour.js';
import { addOrg } from './peers.js';
import { mebibytes, type Section } from './report.js';
import type { Workbench } from './workbench.js';

const phaseMs = 15_000;
const pauseMs = 100;
const uploadBytes = 20_000;
const attackers = 200;

interface Visits {
  /** Milliseconds each. */
  anew: number[];
  kept: number[];
  failures: number;
}

/** The attacks, and the number of their addresses. */
const plans: { kind: AttackKind; sources: number; what: string }[] = [
  { kind: 'half-open', sources: 200, what: 'half-open connections, from 200 addresses' },
  { kind: 'slow', sources: 200, what: 'a byte a second, from 200 addresses' },
  { kind: 'malformed', sources: 200, what: 'malformed packets, from 200 addresses' },
  { kind: 'guesses', sources: 1, what: 'wrong keys, from one address' },
  { kind: 'guesses', sources: 200, what: 'wrong keys, from 200 addresses' },
  { kind: 'guesses', sources: 20_000, what: 'wrong keys, from 20,000 addresses' },
  { kind: 'flooding', sources: 1, what: 'another customer, opening sessions and files' },
];

export async function benchAttack(bench: Workbench): Promise<Section> {
  const data = join(bench.folder, 'attacked');
  await mkdir(data, { recursive: true });
  // The loopback is exempt unless it is told otherwise: here the attackers are on it.
  await writeFile(join(data, 'dropslot.json'), JSON.stringify({ exemptAddresses: [] }), { mode: 0o600 });
  const server = await startDropslot(data);
  const login = await writeLoginKey(bench.folder);
  await addOrg(data, 'acme', login);
  const mallory = await writeLoginKey(bench.folder, 'mallory_key');
  await addOrg(data, 'mallory', mallory);
  const privateKey = await readFile(login.privateKey, 'utf8');
  const target = { port: server.port, user: 'mallory', privateKey: await readFile(mallory.privateKey, 'utf8') };
  const section: Section = {
    title: 'Under attack',
    about:
      `A legitimate client uploads 20 kB over an open session, and by connecting, logging in, uploading and leaving (ssh2-sftp-client), in turn, with pauses of ${pauseMs} ms, ` +
      `before and while ${attackers} attackers attack at once, each with 20 ms between its attempts. They share the machine's processors, at the lowest priority. Milliseconds; no loopback address is exempt from penalties.`,
    header: [
      'meanwhile',
      'connections',
      'refused',
      'upload',
      'count',
      'median',
      '99 %',
      'longest',
      'failed',
      'server, peak resident memory',
    ],
    rows: [],
    notes: [
      'Attackers speak SSH by ssh2, or write to sockets. `hydra` and the like guess passwords, and end at once where no organization has one.',
    ],
  };
  const measure = async (what: string, tally: Tally | null, visits: Visits) => {
    const peak = mebibytes(readPeak(server.pid) ?? 0);
    for (const [name, values] of [
      ['open session', visits.kept],
      ['new connection', visits.anew],
    ] as const)
      section.rows.push([
        what,
        tally === null ? '–' : String(tally.visits),
        tally === null ? '–' : String(tally.turnedAway),
        name,
        ...summarizeLatencies(values),
        String(visits.failures),
        peak,
      ]);
    bench.say(`attack: ${what}: ${section.rows.at(-1)!.join(' | ')}`);
  };
  await visitFor(server.port, privateKey, 3000); // warm
  await measure('nothing else', null, await visitFor(server.port, privateKey, phaseMs));
  for (const { kind, sources, what } of plans) {
    const stop = startAttackers(kind, { ...target, workers: attackers, sources, pauseMs: 20 });
    await sleep(2000);
    const visits = await visitFor(server.port, privateKey, phaseMs);
    await measure(what, await stop(), visits);
  }
  await server.stop();
  if (attackKinds.some((kind) => !plans.some((plan) => plan.kind === kind))) throw new Error('an attack was left out');
  return section;
}

function startAttackers(kind: AttackKind, target: Target): () => Promise<Tally> {
  const script = fileURLToPath(new URL('./attacker.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, kind, JSON.stringify(target)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const endWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', endWithUs);
  return async () => {
    child.kill('SIGTERM');
    await once(child, 'close');
    process.off('exit', endWithUs);
    return JSON.parse(said) as Tally;
  };
}

async function visitFor(port: number, privateKey: string, forMs: number): Promise<Visits> {
  const login = { host: '127.0.0.1', port, username: 'acme', privateKey, readyTimeout: 60_000 };
  const bytes = randomBytes(uploadBytes);
  const visits: Visits = { anew: [], kept: [], failures: 0 };
  const kept = new SftpClient();
  await kept.connect(login);
  const time = async (work: () => Promise<unknown>, values: number[]): Promise<void> => {
    const started = performance.now();
    try {
      await work();
      values.push(performance.now() - started);
    } catch {
      visits.failures++;
    }
  };
  for (const end = performance.now() + forMs; performance.now() < end; ) {
    await time(() => kept.put(bytes, '/kept.bin'), visits.kept);
    await time(async () => {
      const client = new SftpClient();
      await client.connect(login);
      await client.put(bytes, '/anew.bin');
      await client.end();
    }, visits.anew);
    await sleep(pauseMs);
  }
  await kept.end();
  return visits;
}

/** Sessions by their number: what a login costs, and memory of the server while they are idle. One client process opens them all, each over a connection of its own. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'ssh2';
import { readServerTime } from './memory.js';
import type { Dropslot } from './peers.js';
import { type Point, plotPoints } from './pointplot.js';
import { mebibytes, type Section } from './report.js';
import type { Workbench } from './workbench.js';

const counts = [1, 10, 100, 300, 1_000];
/** Logins at once; far fewer than connections without a login that one address may have. */
const parallel = 4;
/** The collector frees what logins have left behind within a minute in which little happens. */
const settleMs = 3_000;
const idleMs = 60_000;
/** The defaults are lower. */
const environment = {
  DROPSLOT_MAX_CONNECTIONS: '2000',
  DROPSLOT_MAX_CONNECTIONS_PER_ORG: '2000',
  DROPSLOT_MAX_SESSIONS_PER_ORG: '2000',
};

export async function benchIdle({ startOurs, say, writePlot }: Workbench): Promise<Section> {
  Object.assign(process.env, environment);
  const ours = await startOurs();
  for (const name of Object.keys(environment)) Reflect.deleteProperty(process.env, name);
  const privateKey = await readFile(ours.privateKey);
  const clients: Client[] = [];
  const rows: string[][] = [];
  const [memory, rates, times]: [Point[], Point[], Point[]] = [[], [], []];
  await sleep(settleMs);
  const before = readResident(ours.pid);
  const add = (name: string, count: number, { rate, ms }: Partial<LoginCost> = {}): void => {
    const bytes = readResident(ours.pid);
    say(`idle ${name}: ${mebibytes(bytes)}, ${rate?.toFixed(0) ?? '–'} logins/s, ${ms?.toFixed(1) ?? '–'} ms each`);
    const each = count === 0 ? '–' : ((bytes - before) / count / 1024).toFixed(0);
    const login = [rate?.toFixed(0) ?? '–', ms?.toFixed(1) ?? '–'];
    rows.push([name, ...login, mebibytes(bytes), mebibytes(bytes - before), each]);
  };
  add('0', 0);
  for (const count of counts) {
    const cost = await openMany(ours, privateKey, clients, count);
    await sleep(settleMs);
    add(String(count), count, cost);
    memory.push({ x: count, y: readResident(ours.pid) / 1024 ** 2 });
    rates.push({ x: count, y: cost.rate });
    times.push({ x: count, y: cost.ms });
  }
  await sleep(idleMs);
  add(`${counts.at(-1)}, a minute later`, counts.at(-1)!);
  for (const client of clients) client.destroy();
  await ours.stop();
  const title = 'Idle sessions: resident memory of dropslot serve';
  const x = 'sessions';
  await writePlot('idle-sessions.svg', plotPoints(memory, { title, x, y: 'MiB, 3 s after the last login' }));
  const label = { x: 'sessions that are open afterwards', title: 'Logins by the number of open sessions' };
  await writePlot('login-rate.svg', plotPoints(rates, { ...label, y: `logins a second, ${parallel} at once` }));
  await writePlot('login-time.svg', plotPoints(times, { ...label, y: 'ms of processor time of the server for each' }));
  return {
    title: 'Idle sessions',
    about:
      'Sessions of SFTP that have listed the root and do nothing more, each over a connection of its own. Logins since the row before, ' +
      `${parallel} at once: how many a second, with the work of the client, and the processor time of the server for each (the first ones run code that is not compiled yet). ` +
      'Resident memory of `dropslot serve`, without its importer, 3 s after the last login.',
    header: ['sessions', 'logins /s', 'processor ms', 'resident memory', 'of it for the sessions', 'KiB each'],
    rows,
    notes: [],
  };
}

interface LoginCost {
  /** A second. */
  rate: number;
  /** Of processor time of the server, for each. */
  ms: number;
}

/** Opens sessions until there are `count`. */
async function openMany(ours: Dropslot, privateKey: Buffer, clients: Client[], count: number): Promise<LoginCost> {
  const added = count - clients.length;
  const [began, before] = [performance.now(), readServerTime(ours.pid)];
  while (clients.length < count)
    clients.push(
      ...(await Promise.all(
        Array.from({ length: Math.min(parallel, count - clients.length) }, () => open(ours, privateKey)),
      )),
    );
  const seconds = (performance.now() - began) / 1000;
  return { rate: added / seconds, ms: ((readServerTime(ours.pid) - before) * 1000) / added };
}

function open({ port, user }: Dropslot, privateKey: Buffer): Promise<Client> {
  return new Promise((resolve, reject) => {
    const client = new Client();
    client.once('error', reject).once('ready', () =>
      client.sftp((failure, sftp) => {
        if (failure !== undefined && failure !== null) reject(failure);
        else sftp.readdir('/', (error) => (error === undefined || error === null ? resolve(client) : reject(error)));
      }),
    );
    client.connect({ host: '127.0.0.1', port, username: user, privateKey, readyTimeout: 120_000 });
  });
}

/** Bytes. */
function readResident(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1];
  return Number(kibibytes) * 1024;
}

/** Attackers: each keeps at one thing from many addresses of the loopback, until it is told to stop. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import ssh2 from 'ssh2';

export interface Target {
  port: number;
  /** Attackers that work side by side. */
  workers: number;
  /** Addresses that they share: 127.1.0.1 and on. */
  sources: number;
  /** Between two visits of one attacker, in milliseconds. */
  pauseMs: number;
  /** Of the organization whose key `flooding` has. */
  user: string;
  privateKey: string;
}

export interface Tally {
  visits: number;
  /** Not even the server's identification came. */
  turnedAway: number;
}

export interface Attack {
  stop(): Promise<Tally>;
}

interface Worker extends Target {
  /** Its address for this visit. */
  source: string;
  keys: string[];
  /** Aborted when the attack ends. */
  signal: AbortSignal;
}

/** Each resolves when the visit is over: whether the server spoke at all. */
const visits = {
  /** Connects and says nothing. */
  'half-open': (worker: Worker) => talk(worker, () => {}),
  /** A byte a second. */
  slow: (worker: Worker) =>
    talk(worker, (socket) => {
      let sent = 0;
      const timer = setInterval(
        () => socket.write('SSH-2.0-slow_1.0 and so on, without an end'.charAt(sent++) || 'x'),
        1000,
      );
      socket.once('close', () => clearInterval(timer));
    }),
  /** Broken packets of every kind, after an identification or without one. */
  malformed: (worker: Worker) =>
    talk(worker, (socket) => {
      const beginning = Math.random() < 0.5 ? 'SSH-2.0-x\r\n' : '';
      socket.write(Buffer.concat([Buffer.from(beginning), randomBytes(1 + Math.floor(Math.random() * 2000))]));
      setTimeout(() => socket.destroy(), 2000).unref();
    }),
  /** Keys that nobody knows, for names that may be there. */
  guesses: guess,
  /** A customer who opens what can be opened, again and again. */
  flooding: flood,
} satisfies Record<string, (worker: Worker) => Promise<boolean>>;

export type AttackKind = keyof typeof visits;
export const attackKinds = Object.keys(visits) as AttackKind[];

export function attack(kind: AttackKind, target: Target): Attack {
  const ending = new AbortController();
  setMaxListeners(0, ending.signal);
  const tally = { visits: 0, turnedAway: 0 };
  const keys = kind === 'guesses' ? Array.from({ length: 10 }, newKey) : [];
  const work = async (index: number): Promise<void> => {
    for (let visit = index; !ending.signal.aborted; visit += target.workers) {
      const number = visit % target.sources;
      const source = `127.1.${Math.floor(number / 250)}.${1 + (number % 250)}`;
      const wasHeard = await visits[kind]({ ...target, source, keys, signal: ending.signal });
      tally.visits++;
      if (!wasHeard) tally.turnedAway++;
      await sleep(target.pauseMs);
    }
  };
  const workers = Array.from({ length: target.workers }, (_, index) => work(index));
  return {
    stop: async () => {
      ending.abort();
      await Promise.all(workers);
      return tally;
    },
  };
}

function dial({ port, source, signal }: Worker): Socket {
  const socket = connect({ port, host: '127.0.0.1', localAddress: source });
  const leave = () => socket.destroy();
  signal.addEventListener('abort', leave);
  socket.on('error', () => {}).once('close', () => signal.removeEventListener('abort', leave));
  return socket;
}

function talk(worker: Worker, say: (socket: Socket) => void): Promise<boolean> {
  const socket = dial(worker);
  let wasHeard = false;
  socket.on('data', () => {
    wasHeard = true;
  });
  socket.once('connect', () => say(socket));
  return new Promise((resolve) => socket.once('close', () => resolve(wasHeard)));
}

function logIn(
  worker: Worker,
  username: string,
  privateKey: string,
): Promise<{ client: ssh2.Client; isIn: boolean; wasHeard: boolean }> {
  const client = new ssh2.Client();
  const sock = dial(worker);
  let wasHeard = false;
  sock.on('data', () => {
    wasHeard = true;
  });
  return new Promise((resolve) => {
    client
      .on('error', () => {})
      .once('ready', () => resolve({ client, isIn: true, wasHeard }))
      .once('close', () => resolve({ client, isIn: false, wasHeard }));
    client.connect({ sock, username, privateKey, readyTimeout: 60_000 });
  });
}

async function guess(worker: Worker): Promise<boolean> {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)]!;
  const { client, wasHeard } = await logIn(worker, pick([worker.user, 'root', 'admin', 'sftp']), pick(worker.keys));
  client.destroy();
  return wasHeard;
}

async function flood(worker: Worker): Promise<boolean> {
  const { client, isIn, wasHeard } = await logIn(worker, worker.user, worker.privateKey);
  if (!isIn) return wasHeard;
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  const sessions = await Promise.all(Array.from({ length: 20 }, () => openSession(client, closed)));
  const opening = sessions.flatMap((sftp) =>
    sftp === null ? [] : Array.from({ length: 200 }, (_, index) => openFile(sftp, `/flood-${index}.csv`, closed)),
  );
  await Promise.race([Promise.all(opening), closed]);
  client.destroy();
  return wasHeard;
}

/** null: refused. */
function openSession(client: ssh2.Client, closed: Promise<void>): Promise<ssh2.SFTPWrapper | null> {
  const opened = new Promise<ssh2.SFTPWrapper | null>((resolve) => {
    client.sftp((error, sftp) => resolve(error === undefined ? sftp : null));
  });
  return Promise.race([opened, closed.then(() => null)]);
}

function openFile(sftp: ssh2.SFTPWrapper, path: string, closed: Promise<void>): Promise<void> {
  return Promise.race([closed, new Promise<void>((resolve) => sftp.open(path, 'r', () => resolve()))]);
}

function newKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'sec1', format: 'pem' })
    .toString();
}

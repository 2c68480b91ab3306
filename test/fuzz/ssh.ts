/** One case of the transport's fuzzer: an SSH client that is broken from some point on, beside one that is not. */
import { connect as connectTcp, type Socket } from 'node:net';
import ssh2 from 'ssh2';
import { sendPayload } from '../support/packets.js';
import { connect, startTestServer, type TestServer } from '../support/server.js';
import { keepingLogger, until } from '../support/session.js';
import type { Scope } from '../support/temporary.js';
import { Wire } from '../support/wire.js';
import { message } from './messages.js';
import { mutate } from './mutate.js';
import { Random } from './random.js';
import { Unexpected } from './script.js';

const patienceMs = 60_000;
/** What one connection may leave in the log, and in one line of it. */
const mostLines = 8;
const mostLineBytes = 1500;

export interface SshBench {
  server: TestServer;
  lines: string[];
  /** What a client sends up to its first encrypted packet. */
  handshake: Buffer;
  /** The session of a client that behaves. */
  good: Wire;
}

export async function openSshBench(scope: Scope): Promise<SshBench> {
  const { logger, lines } = keepingLogger('info');
  const server = await startTestServer(scope, { loginSeconds: 600, maxConnections: 100 }, logger);
  const good = await openSftpWire(await connect(scope, server.login));
  return { server, lines, handshake: await recordHandshake(server), good };
}

function openSftpWire(client: ssh2.Client): Promise<Wire> {
  return new Promise((resolve, reject) => {
    client.subsys('sftp', (error, channel) => {
      if (error !== undefined) return reject(error);
      const wire = new Wire(channel);
      wire.initialize().then(() => resolve(wire), reject);
    });
  });
}

async function recordHandshake({ host, port }: TestServer): Promise<Buffer> {
  const sent: Buffer[] = [];
  const socket = connectTcp(port, host);
  const write = socket.write.bind(socket);
  socket.write = ((data: Buffer | string, ...rest: []) => {
    sent.push(Buffer.from(data as Buffer));
    return write(data, ...rest);
  }) as Socket['write'];
  const client = new ssh2.Client();
  await new Promise<void>((resolve) => {
    client.once('handshake', () => resolve()).on('error', () => {});
    client.connect({ sock: socket, username: 'acme', authHandler: () => {} });
  });
  client.destroy();
  return Buffer.concat(sent);
}

type Attack = (bench: SshBench, random: Random) => Promise<string>;

/** Each leaves when it has said what it has to say; the text is what it did. */
const attacks: readonly Attack[] = [
  (bench, random) => sendBytes(bench, someGreeting(random)),
  (bench, random) => sendBytes(bench, mutate(random, bench.handshake)),
  (bench, random) => sendBytes(bench, Buffer.concat([bench.handshake, random.bytes(random.below(400))])),
  (bench, random) => sendMessages(bench, random, { isLoggedIn: false }),
  (bench, random) => sendMessages(bench, random, { isLoggedIn: true }),
];

/** @throws Unexpected */
export async function fuzzSsh(bench: SshBench, seed: number): Promise<void> {
  const random = new Random(seed);
  bench.lines.length = 0;
  const done = await random.pick(attacks)(bench, random);
  try {
    checkLog(bench.lines);
    const status = await within(
      bench.good.put(`/case-${seed % 50}.csv`, `User Email\n${seed}@acme.test\n`),
      'an upload',
    );
    if (status.code !== 0) throw new Unexpected(`the other client's upload: ${status.sentence}`);
  } catch (error) {
    throw new Unexpected(`${(error as Error).message}\n${done}\n${bench.lines.join('')}`);
  }
}

function someGreeting(random: Random): Buffer {
  const line = random.pick([
    'SSH-2.0-x\r\n',
    'SSH-1.99-x\n',
    'SSH-1.5-x\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    '\x16\x03\x01\x02',
  ]);
  const start = Buffer.concat([Buffer.from(line), random.bytes(random.below(300))]);
  return random.oneIn(3) ? start : mutate(random, start);
}

async function sendBytes({ server }: SshBench, bytes: Buffer): Promise<string> {
  const socket = connectTcp(server.port, server.host).on('error', () => {});
  socket.resume();
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  socket.end(bytes);
  await within(closed, 'the server to close a broken connection');
  return `sent ${bytes.toString('hex')}`;
}

async function sendMessages(
  { server }: SshBench,
  random: Random,
  { isLoggedIn }: { isLoggedIn: boolean },
): Promise<string> {
  const client = new ssh2.Client();
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  client.on('error', () => {});
  await within(
    new Promise<void>((resolve) => {
      client.once('close', () => resolve());
      if (isLoggedIn) client.once('ready', () => resolve());
      else client.once('handshake', () => resolve());
      client.connect({ ...server.login, ...(isLoggedIn ? {} : { authHandler: () => {} }) });
    }),
    'a connection beside a broken one',
  );
  const sent: string[] = [];
  if (isLoggedIn && random.oneIn(2)) await openSftpWire(client).catch(() => {});
  for (let count = 1 + random.below(12); count > 0; count--) {
    const payload = message(random);
    sent.push(payload.toString('hex'));
    try {
      sendPayload(client, payload);
    } catch {
      break;
    }
  }
  // What was sent leaves before the end does.
  await new Promise((resolve) => setTimeout(resolve, 2));
  client.end();
  setTimeout(() => client.destroy(), 50).unref();
  await within(closed, 'a broken connection to close');
  return `${isLoggedIn ? 'logged in' : 'not logged in'}, sent ${sent.join(' ')}`;
}

/** Whatever it was, the log stays readable: few lines, short, without a stack, and none that says the server failed. */
function checkLog(lines: readonly string[]): void {
  if (lines.length > mostLines) throw new Unexpected(`${lines.length} lines in the log for one connection`);
  for (const line of lines) {
    if (line.length > mostLineBytes) throw new Unexpected(`a line of ${line.length} bytes in the log`);
    if (/TypeError|not a function|Cannot read|Cannot set|Invalid channel id/.test(line))
      throw new Unexpected('a request made an exception that is not ours');
    if (/"level":"error"|"stack"/.test(line)) throw new Unexpected('the server says that it failed');
    if (/\\u00|\\n/.test(line.trimEnd())) throw new Unexpected('control characters in the log');
  }
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Unexpected(`waited in vain for ${what}`)), patienceMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Every connection but the good one has ended. */
export async function checkIdle({ server }: SshBench): Promise<void> {
  await until(() => server.intake.openUploads() === 0, 'uploads to end', patienceMs);
}

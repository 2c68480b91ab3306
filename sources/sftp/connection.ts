/** Connects to the SFTP server of a source: to a checked address, with a confirmed host key, under a deadline. */
import { connect as connectSocket, type Socket } from 'node:net';
import ssh2, { type Client, type SFTPWrapper } from 'ssh2';
import type { SftpConfig } from '../../db/control/sources.js';
import { fingerprintOf } from '../../keys/login/fingerprint.js';
import { SourceError } from '../error.js';
import type { SourceSecret } from '../secret.js';
import { type Resolve, resolveHost, systemResolve } from './address.js';
import { offersOf } from './algorithms.js';

export interface Connection {
  sftp: SFTPWrapper;
  address: string;
  /** Rejects when the connection ends. */
  ended: Promise<never>;
  close(): void;
}

/** Where to connect, and by which host keys. */
export type Remote = Pick<
  SftpConfig,
  'host' | 'port' | 'user' | 'auth' | 'hostKeys' | 'allowPrivate' | 'legacyAlgorithms'
>;

export interface ConnectOptions {
  /** Most time without an answer. */
  idleMs: number;
  resolve?: Resolve;
}

export interface ShownHostKey {
  fingerprint: string;
  /** ssh-ed25519, ssh-rsa, … */
  type: string;
}

/** @throws SourceError */
export async function connect(config: Remote, secret: SourceSecret, options: ConnectOptions): Promise<Connection> {
  const shown: ShownHostKey[] = [];
  for (const algorithms of offersOf(config.legacyAlgorithms)) {
    const attempt = await open(config, secret, options, algorithms);
    if ('sftp' in attempt) return attempt;
    if ('shown' in attempt) shown.push(attempt.shown);
    // A server that has no key of a family ends the exchange.
    else if (shown.length === 0) throw attempt.failure;
  }
  const [{ fingerprint, type }] = shown as [ShownHostKey];
  throw new SourceError(
    'host_key',
    `the server ${config.host} shows the host key ${fingerprint} (${type}), which is not the confirmed one`,
  );
}

/** The host key that the server shows first, without a login. @throws SourceError */
export async function readHostKey(
  config: Remote,
  options: ConnectOptions,
): Promise<ShownHostKey & { address: string }> {
  const [algorithms] = offersOf(config.legacyAlgorithms);
  const attempt = await open({ ...config, hostKeys: [] }, null, options, algorithms!);
  if ('shown' in attempt) return { ...attempt.shown, address: attempt.address };
  throw 'failure' in attempt ? attempt.failure : new SourceError('host_key', 'the server showed no host key');
}

type Attempt = Connection | { shown: ShownHostKey; address: string } | { failure: SourceError };

async function open(
  config: Remote,
  secret: SourceSecret | null,
  { idleMs, resolve = systemResolve }: ConnectOptions,
  algorithms: ReturnType<typeof offersOf>[number],
): Promise<Attempt> {
  const { host, port, user } = config;
  const socket = await openSocket(await resolveHost(host, config.allowPrivate, resolve), port, idleMs);
  const address = socket.remoteAddress ?? host;
  const client = new ssh2.Client();
  let shown: ShownHostKey | null = null;
  let isRefused = false;
  const close = () => {
    client.destroy();
    socket.destroy();
  };
  let fail: (error: Error) => void = () => {};
  const ended = new Promise<never>((_, reject) => {
    fail = reject;
  });
  ended.catch(() => {});
  client.on('error', (error) => fail(toSourceError(error, host, config.auth)));
  client.on('close', () => fail(new SourceError('unreachable', `the server ${host} ended the connection`)));
  const ready = new Promise<void>((done) => client.once('ready', () => done()));
  client.connect({
    sock: socket,
    username: user,
    algorithms,
    readyTimeout: idleMs,
    keepaliveInterval: Math.max(1_000, Math.floor(idleMs / 3)),
    keepaliveCountMax: 3,
    tryKeyboard: secret?.password !== undefined,
    ...(secret?.privateKey !== undefined && { privateKey: secret.privateKey }),
    ...(secret?.privateKey !== undefined && secret.passphrase !== undefined && { passphrase: secret.passphrase }),
    ...(secret?.password !== undefined && { password: secret.password }),
    hostVerifier: (key: Buffer) => {
      shown = { fingerprint: fingerprintOf(key), type: typeOf(key) };
      isRefused = !config.hostKeys.includes(shown.fingerprint);
      return !isRefused;
    },
  });
  client.on('keyboard-interactive', (_name, _instructions, _language, prompts, answer) =>
    // A question that the terminal may show is not for a password.
    answer(prompts.map(({ echo }) => (echo === true ? '' : (secret?.password ?? '')))),
  );
  try {
    await Promise.race([ready, ended]);
    const sftp = await within(idleMs, Promise.race([openSftp(client), ended]), `the server ${host}`);
    return { sftp, address, ended, close };
  } catch (cause) {
    close();
    if (isRefused && shown !== null) return { shown, address };
    return { failure: cause instanceof SourceError ? cause : toSourceError(cause as Error, host, config.auth) };
  }
}

async function openSocket(addresses: readonly string[], port: number, idleMs: number): Promise<Socket> {
  let failure: unknown = null;
  for (const host of addresses) {
    const socket = connectSocket({ host, port });
    socket.setNoDelay(true);
    try {
      await within(
        idleMs,
        new Promise<void>((done, fail) => socket.once('connect', done).once('error', fail)),
        `${host} port ${port}`,
      );
      socket.removeAllListeners('error');
      return socket;
    } catch (cause) {
      socket.on('error', () => {});
      socket.destroy();
      failure = cause;
    }
  }
  if (failure instanceof SourceError) throw failure;
  const { code, message } = failure as NodeJS.ErrnoException;
  throw new SourceError('unreachable', `no connection to ${addresses[0]} port ${port} (${code ?? message})`, {
    cause: failure,
  });
}

function openSftp(client: Client): Promise<SFTPWrapper> {
  return new Promise((done, fail) => {
    client.sftp((error, sftp) => {
      if (error) return fail(new SourceError('incompatible', `the server offers no SFTP (${error.message})`));
      sftp.on('error', () => {}); // the connection ends, and its end is reported
      done(sftp);
    });
  });
}

function toSourceError(error: Error & { level?: string }, host: string, auth: Remote['auth']): SourceError {
  if (error.level === 'client-authentication')
    return new SourceError('login', `the server ${host} does not accept the user name with this ${auth}`, {
      cause: error,
    });
  if (error.level === 'client-timeout')
    return new SourceError('timeout', `the server ${host} did not answer in time`, { cause: error });
  if (/no matching/i.test(error.message))
    return new SourceError(
      'incompatible',
      `the server ${host} and Dropslot have no algorithm in common (${error.message.replace(/^Handshake failed: /, '')}): for an old server, see --legacy-algorithms`,
      { cause: error },
    );
  return new SourceError('unreachable', `the connection to ${host} failed (${error.message})`, { cause: error });
}

/** @throws SourceError `timeout` */
export async function within<T>(ms: number, work: Promise<T>, who: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new SourceError('timeout', `${who} did not answer for ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {}); // after the time it has no listener
  }
}

/** The type in a public key of SSH's wire format. */
function typeOf(key: Buffer): string {
  return key.subarray(4, 4 + key.readUInt32BE(0)).toString('latin1');
}

/** Logs in to another SFTP server: by its pinned host key, at an allowed address, and never without an end. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Client, type SFTPWrapper } from 'ssh2';
import { createPublicLookup, isPrivateHost, privateAddress } from '../../events/webhook/address.js';
import { fingerprintOf } from '../../keys/login/fingerprint.js';
import type { SftpTarget } from './options.js';

/** The server proved itself with another key than the pinned one. */
export class HostKeyChanged extends Error {
  override name = 'HostKeyChanged';
}

export interface SftpSession {
  sftp: SFTPWrapper;
  /** Settles as the call does, and rejects when the connection ends before, or takes longer than a minute. */
  call<T>(start: (done: (error: Error | null | undefined, value: T) => void) => void): Promise<T>;
  close(): Promise<void>;
}

const timeLimitMs = 60_000;
const loginLimitMs = 20_000;

/** A server has a key of each algorithm: the pinned one may be of any. */
const hostKeyAlgorithms = [
  ['ssh-ed25519'],
  ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'],
  ['rsa-sha2-512', 'rsa-sha2-256'],
] as const;

/** @throws HostKeyChanged; Error that says which part failed */
export async function openSftp(target: SftpTarget, privateKey: string, signal: AbortSignal): Promise<SftpSession> {
  const seen: string[] = [];
  let refused: Error | null = null;
  for (const algorithms of hostKeyAlgorithms) {
    try {
      return await login(target, privateKey, [...algorithms], seen, signal);
    } catch (error) {
      const isOther =
        (error as { level?: string }).level === 'handshake' &&
        /host key format|host denied/i.test((error as Error).message);
      if (!isOther) throw error;
      refused = error as Error;
    }
  }
  if (seen.length === 0) throw refused!;
  throw new HostKeyChanged(
    `${target.host} has another host key (${seen.join(', ')}) than ${target.hostKey}: ask who runs that server; if the key was changed on purpose, remove this export and add it with the new fingerprint`,
  );
}

async function login(
  target: SftpTarget,
  privateKey: string,
  serverHostKey: string[],
  seen: string[],
  signal: AbortSignal,
): Promise<SftpSession> {
  const sock = await openSocket(target, signal);
  const client = new Client();
  let failure: Error | null = null;
  const ended = new Promise<never>((_resolve, reject) => {
    client.on('error', (error) => {
      failure ??= error;
      reject(error);
    });
    client.on('close', () => reject(failure ?? new Error('the connection ended')));
  });
  ended.catch(() => {});
  const abort = () => client.destroy();
  signal.addEventListener('abort', abort);
  const close = async () => {
    signal.removeEventListener('abort', abort);
    client.end();
    sock.destroySoon();
  };
  const call: SftpSession['call'] = async (start) => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${timeLimitMs / 1000} s`)), timeLimitMs);
    });
    const answer = new Promise<never>((resolve, reject) => {
      start((error, value) => (error == null ? resolve(value as never) : reject(error)));
    });
    try {
      return await Promise.race([answer, ended, late]);
    } finally {
      clearTimeout(timer);
    }
  };
  try {
    const ready = once(client, 'ready');
    ready.catch(() => {});
    client.connect({
      ...{ sock, username: target.user, privateKey, readyTimeout: loginLimitMs, keepaliveInterval: 10_000 },
      hostVerifier: (key: Buffer) => {
        const fingerprint = fingerprintOf(key);
        if (fingerprint === target.hostKey) return true;
        seen.push(fingerprint);
        return false;
      },
      algorithms: { serverHostKey: serverHostKey as never },
    });
    await Promise.race([ready, ended]);
    const sftp = await call<SFTPWrapper>((done) => client.sftp(done));
    return { sftp, call, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openSocket({ host, port, allowPrivate }: SftpTarget, signal: AbortSignal): Promise<Socket> {
  if (!allowPrivate && isPrivateHost(host)) throw new Error(refusal(host));
  const socket = connect({ host, port, ...(!allowPrivate && { lookup: createPublicLookup() }) });
  socket.setNoDelay(true);
  try {
    await once(socket, 'connect', { signal: AbortSignal.any([signal, AbortSignal.timeout(loginLimitMs)]) });
    return socket;
  } catch (error) {
    socket.destroy();
    const { code, name } = error as NodeJS.ErrnoException;
    if (code === privateAddress) throw new Error(refusal(host), { cause: error });
    if (name === 'AbortError') throw new Error(`${host} did not answer in time`, { cause: error });
    throw error;
  }
}

function refusal(host: string): string {
  return `${host} is a private address: add the export with --allow-private if that is meant`;
}

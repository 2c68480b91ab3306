/** OpenSSH's `sftp` as every bench drives it: the same client, the same algorithms, nothing of the user's configuration. */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { runProgram } from '../demo/program.js';

export const cipher = 'aes128-gcm@openssh.com';
/** The ciphers that OpenSSH's clients and the SFTP clients of HR systems use most. */
export const ciphers = [cipher, 'aes256-ctr', 'chacha20-poly1305@openssh.com'] as const;

/** A server and how to log in to it. */
export interface Endpoint {
  port: number;
  user: string;
  privateKey: string;
  /** Folder for the client's files. */
  folder: string;
}

/** Runs one `sftp` process with a batch of commands. Seconds of the whole of it, login included. @throws ProgramError */
export function runSftp(endpoint: Endpoint, ...commands: string[]): Promise<number> {
  return runSftpWith(cipher, endpoint, ...commands);
}

export async function runSftpWith(chosen: string, endpoint: Endpoint, ...commands: string[]): Promise<number> {
  const batch = join(endpoint.folder, `batch-${randomBytes(4).toString('hex')}`);
  await writeFile(batch, `${commands.join('\n')}\n`);
  const options = {
    // One of each for all servers: their own preferences differ, and cost more or less.
    Ciphers: chosen,
    MACs: 'hmac-sha2-256-etm@openssh.com',
    KexAlgorithms: 'curve25519-sha256',
    IdentityFile: endpoint.privateKey,
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    UserKnownHostsFile: join(endpoint.folder, 'known_hosts'),
    GlobalKnownHostsFile: '/dev/null',
    StrictHostKeyChecking: 'accept-new',
    LogLevel: 'ERROR',
  };
  const flags = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const started = performance.now();
  await runProgram('sftp', [
    '-q',
    ...['-F', '/dev/null', ...flags, '-P', String(endpoint.port), '-b', batch],
    `${endpoint.user}@127.0.0.1`,
  ]);
  const seconds = (performance.now() - started) / 1000;
  await rm(batch);
  return seconds;
}

/** Hex. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

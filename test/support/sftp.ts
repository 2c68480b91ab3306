/** OpenSSH's sftp as a customer runs it, against a server of a test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Scope } from './temporary.js';

export interface SftpLogin {
  port: number;
  user?: string;
  /** A private key's file. */
  key?: string;
  /** As in ssh_config, `CertificateFile=…`. */
  options?: string[];
  env?: Record<string, string>;
  /** Transfers no faster than this. */
  limitKbit?: number;
}

export interface SftpRun {
  /** Writes a command; `end` when there are no more. */
  say(line: string): void;
  end(): void;
  ended: Promise<{ code: number | null; output: string }>;
  output(): string;
}

/** Starts it in a folder, with nothing of this user's settings; it reads its commands as they come. */
export function startSftp(
  scope: Scope,
  folder: string,
  { port, user = 'acme', key, options = [], env = {}, limitKbit }: SftpLogin,
): SftpRun {
  const ours = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', ...options];
  if (key !== undefined) ours.unshift('IdentitiesOnly=yes', `IdentityFile=${key}`);
  const isBatch = !options.some((one) => one.startsWith('BatchMode'));
  const args = ['-F', 'none', ...(isBatch ? ['-oBatchMode=yes'] : []), ...ours.flatMap((one) => ['-o', one])];
  const limit = limitKbit === undefined ? [] : ['-l', String(limitKbit)];
  const child = spawn(
    'sftp',
    ['-q', ...limit, ...(isBatch ? ['-b', '-'] : []), ...args, '-P', String(port), `${user}@127.0.0.1`],
    {
      cwd: folder,
      env: { PATH: process.env.PATH ?? '', HOME: folder, LC_ALL: 'C.UTF-8', ...env },
    },
  );
  scope.after(() => void child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => {
      output += text;
    });
  child.stdin.on('error', () => {});
  const timer = setTimeout(() => child.kill('SIGKILL'), 120_000);
  const ended = once(child, 'close').then(([code]) => {
    clearTimeout(timer);
    return { code: code as number | null, output };
  });
  return {
    say: (line) => void child.stdin.write(`${line}\n`),
    end: () => void child.stdin.end(),
    ended,
    output: () => output,
  };
}

/** Runs commands to their end. */
export function runSftp(scope: Scope, folder: string, login: SftpLogin, ...commands: string[]) {
  const run = startSftp(scope, folder, login);
  for (const command of commands) run.say(command);
  run.end();
  return run.ended;
}

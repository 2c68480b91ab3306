/** An OpenSSH sshd of the test's own, on a free port of the loopback, that the current user may log in to. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Scope } from './temporary.js';

export interface Sshd {
  port: number;
  user: string;
  /** The processes that it started for its sessions. */
  sessions(): number[];
  /** What it logged, for a test that failed. */
  log(): string;
}

/** For a test's `skip`: false when there is one, else what to install. It is in a folder that not every user searches. */
export function missingSshd(): string | false {
  if (!existsSync(program)) return 'sshd is NOT INSTALLED: apt-get install openssh-server';
  return existsSync(userInfo().shell ?? '') ? false : 'sshd NOT TESTED: this user has no shell';
}

const program = '/usr/sbin/sshd';

/** `keys`: lines of authorized_keys; `config`: further lines of sshd_config. */
export async function startSshd(scope: Scope, folder: string, keys: string[], config: string[]): Promise<Sshd> {
  // As root it gives up its rights in this folder, which Debian's unit makes.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  newKey(join(folder, 'host_key'));
  writeFileSync(join(folder, 'authorized_keys'), `${keys.join('\n')}\n`, { mode: 0o600 });
  const port = await freePort();
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${join(folder, 'host_key')}`,
    `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin yes',
    'ExposeAuthInfo yes',
    ...config,
  ];
  writeFileSync(join(folder, 'sshd_config'), `${lines.join('\n')}\n`);
  const child = spawn(program, ['-D', '-e', '-f', join(folder, 'sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const exited = once(child, 'exit');
  scope.after(async () => {
    for (const pid of descendants(child.pid!)) kill(pid);
    child.kill('SIGKILL');
    await exited;
  });
  while (!(await answers(port))) if (child.exitCode !== null) throw new Error(`sshd ended: ${log}`);
  return { port, user: userInfo().username, sessions: () => descendants(child.pid!), log: () => log };
}

/** A key pair in OpenSSH's format at `path` and `path`.pub; the public key's line. */
export function newKey(path: string): string {
  const { status, stderr } = spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`ssh-keygen: ${stderr}`);
  return readFileSync(`${path}.pub`, 'utf8').trim();
}

export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Of a process, its children and theirs, as the kernel lists them. */
function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const parent = parentOf(name);
    if (parent !== null) parents.set(Number(name), parent);
  }
  const below = (one: number): number[] =>
    [...parents].filter(([, parent]) => parent === one).flatMap(([child]) => [child, ...below(child)]);
  return below(pid);
}

/** null: it is gone. The second field is the program's name in brackets, and may have blanks. */
function parentOf(pid: string): number | null {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[1]);
  } catch {
    return null;
  }
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('data', () => resolve(true)).once('error', () => setTimeout(() => resolve(false), 20));
    socket.once('data', () => socket.destroy());
  });
}

/** The servers that are measured: the built Dropslot, and the peers that are installed here. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LoginKey, writeLoginKey } from '../demo/folder.js';
import { runDropslot, runProgram, startDropslot } from '../demo/program.js';
import type { Endpoint } from './client.js';

export interface Peer extends Endpoint {
  name: string;
  version: string;
  /** What lies on the disk. */
  atRest: string;
  /** Prefix of remote paths. */
  root: string;
  pid: number;
  /** It has processes for each connection, which end with it. */
  hasProcesses?: boolean;
  /** It makes files durable for a client that asks for it (`put -f`), and not by itself. */
  syncsOnRequest?: boolean;
  stop(): Promise<void>;
}

/** Dropslot's peer has a data folder that the command line can work on. */
export interface Dropslot extends Peer {
  data: string;
}

export const benchOrg = 'bench';

export async function startOurs(folder: string, version: string): Promise<Dropslot> {
  await mkdir(folder, { recursive: true });
  const login = await writeLoginKey(folder);
  const data = join(folder, 'data');
  const server = await startDropslot(data, []);
  await addOrg(data, benchOrg, login);
  return {
    ...{ name: 'Dropslot', version, atRest: 'age, sealed to the organization', root: '/', folder, data },
    ...{ port: server.port, user: benchOrg, privateKey: login.privateKey, pid: server.pid },
    stop: server.stop,
  };
}

/** An organization whose daily slot is half a day away, so that it opens nothing by itself. */
export async function addOrg(data: string, org: string, login: LoginKey): Promise<void> {
  const slot = `${String((new Date().getUTCHours() + 12) % 24).padStart(2, '0')}:00`;
  const options = ['--owner', `owner@${org}.test`, '--slot', slot, '--time-zone', 'UTC', '--enable'];
  await runDropslot(data, ['orgs', 'add', org, ...options]);
  await runDropslot(data, ['keys', 'add', org, login.publicKey]);
}

/** OpenSSH's own server under a private sshd. null: not installed. */
export async function startOpenssh(folder: string): Promise<Peer | null> {
  const sshd = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/opt/homebrew/sbin/sshd'].find((path) => existsSync(path));
  if (sshd === undefined) return null;
  const { login, hostKey, root, port } = await prepare(folder);
  if (userInfo().uid === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 }); // its privilege separation needs it
  const config = join(folder, 'sshd_config');
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${login.publicKey}`,
    `PidFile ${join(folder, 'sshd.pid')}`,
    'UsePAM no',
    'StrictModes no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
    'MaxStartups 100',
    'Subsystem sftp internal-sftp',
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  const running = await startServer(sshd, ['-D', '-e', '-f', config], port);
  const version = (await runProgram('ssh', ['-V'])).stderr.trim().split(/[ ,]/)[0]!;
  return {
    ...{ name: 'OpenSSH internal-sftp', version, atRest: 'plaintext', root: `${root}/`, folder, port },
    ...{
      user: userInfo().username,
      privateKey: login.privateKey,
      ...running,
      hasProcesses: true,
      syncsOnRequest: true,
    },
  };
}

/** rclone's SFTP server over its crypt backend. null: not installed. */
export async function startRclone(folder: string): Promise<Peer | null> {
  const version = await runProgram('rclone', ['version']).catch(() => null);
  if (version === null) return null;
  const { login, hostKey, root, port } = await prepare(folder);
  const password = (await runProgram('rclone', ['obscure', 'bench'])).stdout.trim();
  const config = join(folder, 'rclone.conf');
  await writeFile(config, `[sealed]\ntype = crypt\nremote = ${root}\npassword = ${password}\n`);
  const running = await startServer(
    'rclone',
    [
      ...['--config', config, 'serve', 'sftp', 'sealed:', '--addr', `127.0.0.1:${port}`],
      ...['--authorized-keys', login.publicKey, '--key', hostKey, '--user', 'bench'],
    ],
    port,
  );
  return {
    ...{ name: 'rclone serve sftp, crypt', version: version.stdout.split('\n')[0]!, atRest: 'XSalsa20-Poly1305' },
    ...{ root: '/', folder, port, user: 'bench', privateKey: login.privateKey, ...running },
  };
}

async function prepare(folder: string): Promise<{ login: LoginKey; hostKey: string; root: string; port: number }> {
  const root = join(folder, 'root');
  await mkdir(root, { recursive: true });
  await mkdir(join(folder, 'host'));
  const { privateKey: hostKey } = await writeLoginKey(join(folder, 'host'));
  return { login: await writeLoginKey(folder), hostKey, root, port: await findFreePort() };
}

async function startServer(command: string, args: string[], port: number): Promise<Pick<Peer, 'pid' | 'stop'>> {
  const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    said = `${said}${bytes}`.slice(-2_000);
  });
  const endWithUs = (): void => void child.kill('SIGTERM');
  process.once('exit', endWithUs);
  const ended = once(child, 'exit').finally(() => process.off('exit', endWithUs));
  const deadline = performance.now() + 15_000;
  while (!(await isListening(port))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${command} did not start: ${said.trim()}`);
    }
    await sleep(50);
  }
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  return { pid: child.pid!, stop };
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

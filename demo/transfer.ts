/** The SFTP client of the demo: OpenSSH's `sftp` where it is installed, else ssh2-sftp-client. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import SftpClient from 'ssh2-sftp-client';
import { runProgram } from './program.js';

export interface Target {
  port: number;
  org: string;
  /** Folder of the server's host keys: its first key is the one that the client must meet. */
  hostKeys: string;
  /** Files of the demo's own: nothing of the user's SSH configuration is read or written. */
  folder: string;
  privateKey: string;
}

export interface Client {
  name: string;
  /** Uploads local files into the root, one after the other. */
  push(files: readonly string[]): Promise<void>;
  fetch(remote: string, local: string): Promise<void>;
  /** Long listing of a folder, a line each. */
  list(folder: string): Promise<string[]>;
}

export async function chooseClient(target: Target): Promise<Client> {
  const openssh = await versionOf('ssh');
  return openssh === null ? npmClient(target) : opensshClient(target, openssh);
}

/** The version that `ssh -V` prints; null: not installed. */
async function versionOf(command: string): Promise<string | null> {
  try {
    const { stderr } = await runProgram(command, ['-V']);
    await runProgram('sh', ['-c', 'command -v sftp']);
    return stderr.trim().split(/[ ,]/)[0] ?? null;
  } catch {
    return null;
  }
}

/** The wire form of the server's Ed25519 host key, as an operator would give it to a customer. */
async function readHostKey(folder: string): Promise<Buffer> {
  const key = ssh2.utils.parseKey(await readFile(join(folder, 'ssh_host_ed25519_key')));
  if (key instanceof Error) throw key;
  return key.getPublicSSH();
}

async function opensshClient(target: Target, version: string): Promise<Client> {
  const config = join(target.folder, 'ssh_config');
  const known = join(target.folder, 'known_hosts');
  const lines = [
    `Host ${target.org}`,
    '  HostName 127.0.0.1',
    `  Port ${target.port}`,
    `  User ${target.org}`,
    `  IdentityFile "${target.privateKey}"`,
    '  IdentitiesOnly yes',
    '  IdentityAgent none',
    `  UserKnownHostsFile "${known}"`,
    '  GlobalKnownHostsFile /dev/null',
    '  StrictHostKeyChecking yes',
    '  LogLevel ERROR',
  ];
  const hostKey = (await readHostKey(target.hostKeys)).toString('base64');
  await writeFile(known, `[127.0.0.1]:${target.port} ssh-ed25519 ${hostKey}\n`);
  await writeFile(config, `${lines.join('\n')}\n`);
  const run = async (...commands: string[]): Promise<string> => {
    const batch = join(target.folder, 'batch');
    await writeFile(batch, `${commands.join('\n')}\n`);
    const { stdout } = await runProgram('sftp', ['-q', '-F', config, '-b', batch, target.org]);
    return stdout;
  };
  return {
    name: `sftp of ${version}`,
    push: async (files) => void (await run(...files.map((file) => `put "${file}"`))),
    fetch: async (remote, local) => void (await run(`get "${remote}" "${local}"`)),
    // `ls` of another folder prints names with their path.
    list: async (folder) => (await run(`cd "${folder}"`, 'ls -l')).split('\n').filter((line) => /^[-d]/.test(line)),
  };
}

async function npmClient(target: Target): Promise<Client> {
  const privateKey = await readFile(target.privateKey);
  const hostKey = await readHostKey(target.hostKeys);
  const { port, org: username } = target;
  const run = async <T>(work: (client: SftpClient) => Promise<T>): Promise<T> => {
    const client = new SftpClient();
    try {
      const hostVerifier = (shown: Buffer): boolean => shown.equals(hostKey);
      const algorithms: ssh2.Algorithms = { serverHostKey: ['ssh-ed25519'] };
      await client.connect({ host: '127.0.0.1', port, username, privateKey, algorithms, hostVerifier });
      return await work(client);
    } finally {
      await client.end();
    }
  };
  return {
    name: 'ssh2-sftp-client (OpenSSH is not installed)',
    push: (files) =>
      run(async (client) => {
        for (const file of files) await client.put(file, `/${file.split('/').at(-1)}`);
      }),
    fetch: async (remote, local) => void (await run((client) => client.get(remote, local))),
    list: (folder) =>
      run(async (client) => (await client.list(folder)).map((entry) => `${entry.type}  ${entry.size}  ${entry.name}`)),
  };
}

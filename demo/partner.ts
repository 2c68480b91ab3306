/** The demo's second half: an organization whose file Dropslot fetches from the organization's own SFTP server, encrypted with PGP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as openpgp from 'openpgp';
import { generatePair } from '../keys/host/pair.js';
import { fingerprintOf } from '../keys/login/fingerprint.js';
import { askDropslot, runDropslot } from './program.js';
import type { Stage } from './show.js';

const org = 'globex';
const sshd = '/usr/sbin/sshd';
const usersCsv = `User Email,User Name,Manager Email,Teams
hank@globex.test,Hank Scorpio,,Board
homer@globex.test,Homer Simpson,hank@globex.test,Motivation
`;

/** Leaves a word where there is no sshd. @throws Error when a step fails */
export async function fetchFromPartner(data: string, folder: string, { step, say }: Stage): Promise<void> {
  step(`A second organization, ${org}: its file is fetched from its own SFTP server, encrypted with PGP`);
  if (!existsSync(sshd))
    return say("Left out: OpenSSH's server is not installed (Debian: apt-get install openssh-server).");
  await runDropslot(data, ['orgs', 'add', org, '--owner', 'hank@globex.test', '--name', 'Globex', '--enable']);
  const key = await askDropslot<{ fingerprint: string }>(data, ['pgp', 'generate', org, '--type', 'curve25519']);
  const { stdout: publicKey } = await runDropslot(data, ['pgp', 'export-public', org]);
  say(`PGP key for ${org}: ${key.fingerprint}; it is in /templates, too`);

  const out = join(folder, 'partner', 'out');
  await mkdir(join(out, 'done'), { recursive: true });
  await writeFile(join(out, 'users.csv.pgp'), await encrypt(usersCsv, publicKey));
  const server = await startPartner(join(folder, 'partner'));
  try {
    const where = ['--host', '127.0.0.1', '--port', String(server.port), '--user', userInfo().username];
    const source = await askDropslot<{ source: number; publicKey: string }>(data, [
      ...['sources', 'add', org, ...where, '--generate-key', '--host-key', server.hostKey],
      // Only for this demo: a customer's server is not on this machine.
      ...['--path', out, '--after-fetch', `move:${join(out, 'done')}`, '--allow-private'],
    ]);
    await server.allow(source.publicKey);
    say(
      `${org} has an OpenSSH server on port ${server.port} with ${(await readdir(out)).filter((name) => name !== 'done')}`,
    );
    await runDropslot(data, ['sources', 'run', String(source.source)], { onLine: say });
    await runDropslot(data, ['import', org], { onLine: say });
  } finally {
    server.stop();
  }
  const users = await askDropslot<{ email: string }[]>(data, ['users', 'list', org]);
  if (!users.some(({ email }) => email === 'homer@globex.test')) throw new Error('the fetched file was not imported');
  const left = await readdir(join(out, 'done'));
  say(`on the server of ${org} the file is now in done: ${left.join(', ')}`);
}

async function encrypt(text: string, publicKey: string): Promise<Uint8Array> {
  const message = await openpgp.createMessage({ text });
  return openpgp.encrypt({
    message,
    encryptionKeys: await openpgp.readKey({ armoredKey: publicKey }),
    format: 'binary',
  });
}

interface Partner {
  port: number;
  /** `SHA256:…` */
  hostKey: string;
  /** Lets a public key log in. */
  allow(publicKey: string): Promise<void>;
  stop(): void;
}

/** An sshd on a free port of the loopback, for the user of this demo and for file transfer alone. */
async function startPartner(folder: string): Promise<Partner> {
  // As root it gives up its rights in this folder.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  const pair = generatePair('ed25519');
  await writeFile(join(folder, 'host_key'), pair.private, { mode: 0o600 });
  const port = await freePort();
  const keys = join(folder, 'authorized_keys');
  const config = [
    ...[`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${join(folder, 'host_key')}`, `AuthorizedKeysFile ${keys}`],
    ...['PidFile none', 'StrictModes no', 'UsePAM no', 'PasswordAuthentication no', 'KbdInteractiveAuthentication no'],
    ...['PermitRootLogin yes', 'Subsystem sftp internal-sftp', 'ForceCommand internal-sftp', ''],
  ];
  await writeFile(join(folder, 'sshd_config'), config.join('\n'));
  const child = spawn(sshd, ['-D', '-e', '-f', join(folder, 'sshd_config')], { stdio: 'ignore' });
  const end = () => void child.kill('SIGTERM');
  process.once('exit', end);
  await untilOpen(child, port);
  return {
    port,
    hostKey: fingerprintOf(Buffer.from(pair.public.split(' ')[1]!, 'base64')),
    allow: (publicKey) => writeFile(keys, `restrict ${publicKey}\n`, { mode: 0o600 }),
    stop() {
      process.off('exit', end);
      end();
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/** @throws Error when it does not listen within ten seconds, or ended */
async function untilOpen(child: ChildProcess, port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null) break;
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await sleep(50);
  }
  throw new Error("the demo's OpenSSH server did not start");
}

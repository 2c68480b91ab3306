/** Real SFTP clients against a real server: finding them, running them, and a place for their files. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Logger } from '../../config/logger.js';
import { listQueue } from '../../db/control/uploads.js';
import type { ServerSettings } from '../../server/types.js';
import type { KeyPair } from './keys.js';
import { writeKeyFile } from './keys.js';
import { startTestServer, type TestServer } from './server.js';
import { temporaryFolder } from './temporary.js';

/** For a test's `skip`: false when the program is there, else what to install. */
export function missing(program: string, debianPackage: string): string | false {
  const found = (process.env.PATH ?? '').split(delimiter).some((folder) => isExecutable(join(folder, program)));
  return found ? false : `${program} is NOT INSTALLED: apt-get install ${debianPackage}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface PeerTable extends TestServer {
  /** The client's folder, which is its home, too. */
  folder: string;
  keyFile: string;
  /** Puts a file into the client's folder; its path. */
  file(name: string, content: string | Buffer): string;
  /** What the client has in its folder. */
  fetched(name: string): Buffer;
  /** What the server has, as it would be read back. */
  stored(path: string): Promise<Buffer>;
  /** Paths that wait for the importer, oldest first. */
  queued(): Promise<string[]>;
  /** Starts a client program in its folder, with nothing of this user's settings. */
  start(program: string, args: readonly string[], input?: string): { child: ChildProcess; ended: Promise<Ran> };
  /** Runs it to its end; one that hangs is killed after a minute. */
  run(program: string, args: readonly string[], input?: string): Promise<Ran>;
  /** Options that make OpenSSH's programs ask nobody. */
  sshOptions(key?: KeyPair): string[];
}

export async function layPeerTable(
  t: TestContext,
  logger?: Logger,
  change: Partial<ServerSettings> = {},
): Promise<PeerTable> {
  const server = await startTestServer(t, change, logger);
  const folder = temporaryFolder(t);
  const keyFile = writeKeyFile(folder, server.key);
  mkdirSync(join(folder, '.ssh'), { mode: 0o700 });
  const start: PeerTable['start'] = (program, args, input = '') => {
    const child = spawn(program, args, {
      cwd: folder,
      env: { PATH: process.env.PATH ?? '', HOME: folder, LC_ALL: 'C.UTF-8', TZ: 'UTC' },
    });
    t.after(() => void child.kill('SIGKILL'));
    return { child, ended: gather(child, input) };
  };
  return {
    ...server,
    folder,
    keyFile,
    file: (name, content) => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    },
    fetched: (name) => readFileSync(join(folder, name)),
    stored: async (path) => {
      const reader = await server.space.openRead(path);
      const content = await reader.read(0, reader.entry.size);
      await reader.close();
      return content;
    },
    queued: async () => (await listQueue(server.control.read, 'acme')).map(({ path }) => path),
    start,
    run: (program, args, input) => start(program, args, input).ended,
    sshOptions: (key) => optionsFor(key === undefined ? keyFile : writeKeyFile(folder, key, 'other_key')),
  };
}

function optionsFor(keyFile: string): string[] {
  const options = [
    'BatchMode=yes',
    'IdentitiesOnly=yes',
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'LogLevel=ERROR',
  ];
  return ['-F', 'none', '-i', keyFile, ...options.flatMap((option) => ['-o', option])];
}

async function gather(child: ChildProcess, input: string): Promise<Ran> {
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const texts = { stdout: '', stderr: '' };
  child.stdout!.on('data', (chunk: Buffer) => {
    texts.stdout += chunk.toString();
  });
  child.stderr!.on('data', (chunk: Buffer) => {
    texts.stderr += chunk.toString();
  });
  child.stdin!.on('error', () => {}).end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { code, ...texts };
}

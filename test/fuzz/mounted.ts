/** One case of programs on a folder that sshfs mounts, against the same programs on a folder of this machine. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, readFile, rename, truncate, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeKeyFile } from '../support/keys.js';
import { missing } from '../support/peers.js';
import { startTestServer } from '../support/server.js';
import { keepingLogger } from '../support/session.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';
import { Random } from './random.js';
import { Unexpected } from './script.js';

export interface MountedBench {
  mount: string;
  local: string;
  lines: string[];
}

const names = ['a.csv', 'b.csv', 'c.tmp'];
const openModes = ['r', 'r+', 'w', 'w+', 'a', 'a', 'a+', 'wx'];
const mostHandles = 4;

/** Why no file system can be mounted here; false: it can. */
export function findObstacle(): string | false {
  const absent = missing('sshfs', 'sshfs') || missing('fusermount', 'fuse3') || missing('ssh', 'openssh-client');
  if (absent !== false) return absent;
  const folder = mkdtempSync(join(tmpdir(), 'dropslot-mount-'));
  try {
    mkdirSync(join(folder, 'at'));
    const args = ['nobody@127.0.0.1:/', join(folder, 'at'), '-p', '1', '-o', 'delay_connect'];
    const { status, stderr } = spawnSync('sshfs', args, { encoding: 'utf8' });
    spawnSync('fusermount', ['-u', '-z', join(folder, 'at')]);
    return status === 0 ? false : `this machine does not let us mount: ${stderr.trim()}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function openMountedBench(scope: Scope): Promise<MountedBench> {
  const { logger, lines } = keepingLogger('info');
  const server = await startTestServer(scope, {}, logger);
  const folder = temporaryFolder(scope);
  const [mount, local] = [join(folder, 'mount'), join(folder, 'local')];
  for (const path of [mount, local]) await mkdir(path);
  const key = writeKeyFile(folder, server.key);
  const options = [
    `IdentityFile=${key}`,
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'LogLevel=ERROR',
    'BatchMode=yes',
  ];
  const args = ['acme@127.0.0.1:/', mount, '-f', '-p', String(server.port), '-F', '/dev/null'];
  const daemon = spawn('sshfs', [...args, ...options.flatMap((option) => ['-o', option])], { stdio: 'ignore' });
  const ended = once(daemon, 'close');
  scope.after(async () => {
    spawnSync('fusermount', ['-u', '-z', mount]);
    daemon.kill();
    await ended;
  });
  for (let tries = 0; !(await isMounted(mount)); tries++) {
    if (daemon.exitCode !== null || tries > 200) throw new Error('sshfs does not mount');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { mount, local, lines };
}

async function isMounted(mount: string): Promise<boolean> {
  return (await lstat(mount)).dev !== (await lstat(join(mount, '..'))).dev;
}

/** @throws Unexpected with the steps that were done */
export async function fuzzMounted({ mount, local, lines }: MountedBench, seed: number): Promise<void> {
  lines.length = 0;
  const folders = { mount: join(mount, `case-${seed}`), local: join(local, `case-${seed}`) };
  for (const path of Object.values(folders)) await mkdir(path);
  const subject = new Case(folders, new Random(seed));
  try {
    await subject.run();
    const errors = lines.filter((line) => line.includes('"level":"error"'));
    if (errors.length > 0) throw new Unexpected(`the server says that it failed: ${errors.join('')}`);
  } catch (error) {
    throw new Unexpected(`${subject.steps.slice(-40).join('\n')}\n${(error as Error).message}`);
  } finally {
    await subject.clear();
  }
}

interface OpenPair {
  name: string;
  mode: string;
  number: number;
  mount: FileHandle;
  local: FileHandle;
  isRemoved: boolean;
  /** Opened for reading alone, and changed by others since: it reads the version that it was opened on, unless the kernel has the new bytes. */
  isBehind: boolean;
}

class Case {
  readonly steps: string[] = [];
  readonly #open: OpenPair[] = [];
  readonly #folders: { mount: string; local: string };
  readonly #random: Random;
  #opened = 0;

  constructor(folders: { mount: string; local: string }, random: Random) {
    this.#folders = folders;
    this.#random = random;
  }

  async run(): Promise<void> {
    for (let left = 10 + this.#random.below(50); left > 0; left--) {
      await this.#step();
      if (this.#random.oneIn(6)) await this.#checkAll();
    }
    while (this.#open.length > 0) await this.#close();
    await this.#checkAll();
  }

  async clear(): Promise<void> {
    for (const { mount, local } of this.#open) {
      await mount.close().catch(() => {});
      await local.close();
    }
  }

  async #step(): Promise<void> {
    const withHandle = [this.#write, this.#write, this.#write, this.#read, this.#resize, this.#close, this.#close];
    const withName = [
      this.#openFile,
      this.#openFile,
      this.#addLine,
      this.#addLine,
      this.#cut,
      this.#remove,
      this.#rename,
    ];
    if (this.#open.length > 0 && (this.#open.length === mostHandles || this.#random.oneIn(2)))
      return this.#random.pick(withHandle).call(this);
    return this.#random.pick(withName).call(this);
  }

  async #openFile(): Promise<void> {
    const [name, mode, number] = [this.#random.pick(names), this.#random.pick(openModes), this.#opened++];
    // A truncation begins an upload of its own, which writers that are open already do not share.
    if (mode.startsWith('w') && this.#isOpen(name)) return;
    const both = await this.#both(`opens ${name} with ${mode} as ${number}`, (folder) =>
      open(join(folder, name), mode),
    );
    if (both !== null)
      this.#open.push({ name, mode, number, mount: both.mount, local: both.local, isRemoved: false, isBehind: false });
  }

  /** As `echo line >> name`: the next step may come before sshfs has sent the CLOSE. */
  async #addLine(): Promise<void> {
    const [name, line] = [this.#random.pick(names), `line ${this.#opened++}\n`];
    this.#noteChange(name);
    await this.#both(`adds ${JSON.stringify(line)} to ${name}`, async (folder) => {
      const file = await open(join(folder, name), 'a');
      await file.write(line);
      await file.close();
    });
  }

  async #write(): Promise<void> {
    const pair = this.#pick();
    this.#noteChange(pair.name);
    const { size } = await pair.local.stat();
    const offset = this.#random.oneIn(2) ? size : this.#random.below(size + 10);
    const length = this.#random.oneIn(10) ? 40_000 + this.#random.below(100_000) : 1 + this.#random.below(20);
    const bytes = Buffer.alloc(length, String(pair.number % 10));
    await this.#both(`${pair.number} writes ${length} bytes at ${offset}`, async (_, side) => {
      await pair[side].write(bytes, 0, length, offset);
    });
  }

  async #read(): Promise<void> {
    const pair = this.#pick();
    if (pair.isBehind) return;
    const { size } = await pair.local.stat();
    const [offset, length] = [this.#random.below(size + 5), 1 + this.#random.below(30_000)];
    const found = await this.#both(`${pair.number} reads ${length} bytes from ${offset}`, async (_, side) => {
      const buffer = Buffer.alloc(length);
      const { bytesRead } = await pair[side].read(buffer, 0, length, offset);
      return buffer.subarray(0, bytesRead);
    });
    if (found !== null) compare(found.mount, found.local);
  }

  async #resize(): Promise<void> {
    const pair = this.#pick();
    this.#noteChange(pair.name);
    const size = this.#random.below((await pair.local.stat()).size + 20);
    await this.#both(`${pair.number} sets the size ${size}`, (_, side) => pair[side].truncate(size));
  }

  async #close(): Promise<void> {
    const pair = this.#pick();
    this.#open.splice(this.#open.indexOf(pair), 1);
    await this.#both(`${pair.number} is closed`, (_, side) => pair[side].close());
  }

  async #cut(): Promise<void> {
    const [name, size] = [this.#random.pick(names), this.#random.below(60)];
    this.#noteChange(name);
    await this.#both(`sets the size ${size} of ${name}`, (folder) => truncate(join(folder, name), size));
  }

  async #remove(): Promise<void> {
    const name = this.#random.pick(names);
    if (this.#isOpen(name)) return;
    await this.#both(`removes ${name}`, (folder) => unlink(join(folder, name)));
  }

  async #rename(): Promise<void> {
    const [from, to] = [this.#random.pick(names), this.#random.pick(names)];
    if (this.#isOpen(to) || from === to) return;
    const both = await this.#both(`renames ${from} to ${to}`, (folder) => rename(join(folder, from), join(folder, to)));
    if (both !== null) for (const pair of this.#open) if (pair.name === from) pair.name = to;
  }

  async #checkAll(): Promise<void> {
    const listed = await this.#both('lists', async (folder) => (await readdir(folder)).sort().join(' '));
    if (listed!.mount !== listed!.local) throw new Unexpected(`${listed!.mount} instead of ${listed!.local}`);
    for (const name of names) {
      const look = async (folder: string) => {
        const { size, mode } = await lstat(join(folder, name));
        return `${size} bytes, mode ${(mode & 0o777).toString(8)}`;
      };
      const told = await this.#both(`looks at ${name}`, look);
      if (told !== null && told.mount !== told.local) throw new Unexpected(`${told.mount} instead of ${told.local}`);
      const content = await this.#both(`reads ${name}`, (folder) => readFile(join(folder, name)));
      if (content !== null) compare(content.mount, content.local);
    }
  }

  /** null: both refused it. */
  async #both<T>(
    step: string,
    work: (folder: string, side: 'mount' | 'local') => Promise<T>,
  ): Promise<{ mount: T; local: T } | null> {
    this.steps.push(step);
    const [mount, local] = [
      await attempt(() => work(this.#folders.mount, 'mount')),
      await attempt(() => work(this.#folders.local, 'local')),
    ];
    if ('error' in mount || 'error' in local) {
      if ('error' in mount && 'error' in local) return null;
      throw new Unexpected('error' in mount ? `failed: ${mount.error}` : 'was done, but must fail');
    }
    return { mount: mount.result, local: local.result };
  }

  #noteChange(name: string): void {
    for (const pair of this.#open) if (pair.name === name && pair.mode === 'r') pair.isBehind = true;
  }

  #isOpen(name: string): boolean {
    return this.#open.some((pair) => pair.name === name);
  }

  #pick(): OpenPair {
    return this.#random.pick(this.#open);
  }
}

async function attempt<T>(work: () => Promise<T>): Promise<{ result: T } | { error: string }> {
  try {
    return { result: await work() };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

function compare(found: Buffer, expected: Buffer): void {
  if (found.equals(expected)) return;
  throw new Unexpected(`the content is ${show(found)} instead of ${show(expected)}`);
}

function show(content: Buffer): string {
  const runs = content.toString('latin1').match(/(.)\1*/gs) ?? [];
  const text = runs.map((run) => (run.length < 5 ? run : `(${run[0]}*${run.length})`)).join('');
  return `${JSON.stringify(text.slice(0, 300))} (${content.length} bytes)`;
}

/** One case of two sessions of ssh2's client on the same files at once, against a model that says what each of them sees. */
import type { SFTPWrapper } from 'ssh2';
import { connect, openSftp, startTestServer, type TestServer } from '../support/server.js';
import { keepingLogger } from '../support/session.js';
import type { Scope } from '../support/temporary.js';
import { Random } from './random.js';
import { Unexpected } from './script.js';
import { type OpenMode, SharedFiles, type Writer } from './shared.js';

export interface TogetherBench {
  scope: Scope;
  server: TestServer;
  lines: string[];
  sessions: SFTPWrapper[];
}

const names = ['a.csv', 'b.csv', 'c.tmp'];
const mostHandles = 5;
const flagBits = { read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32 };

export async function openTogetherBench(scope: Scope): Promise<TogetherBench> {
  const { logger, lines } = keepingLogger('info');
  const server = await startTestServer(scope, {}, logger, Date.now, { keepPartialHours: 0 });
  const bench: TogetherBench = { scope, server, lines, sessions: [] };
  for (const session of [0, 1]) bench.sessions[session] = await newSession(bench);
  return bench;
}

async function newSession({ scope, server }: TogetherBench): Promise<SFTPWrapper> {
  return openSftp(await connect(scope, server.login));
}

/** @throws Unexpected with the steps that were done */
export async function fuzzTogether(bench: TogetherBench, seed: number): Promise<void> {
  const subject = new Case(bench, `/case-${seed}`, new Random(seed));
  try {
    await subject.run();
  } catch (error) {
    const steps = subject.steps.slice(-40).join('\n');
    throw new Unexpected(`${steps}\n${(error as Error).message}`);
  }
}

type Call<T> = (done: (error: Error | null | undefined, result?: T) => void) => void;

/** null: the server refused it. */
function ask<T>(call: Call<T>): Promise<{ result: T } | null> {
  return new Promise((resolve, reject) => {
    call((error, result) => {
      const isStatus = error != null && typeof (error as { code?: unknown }).code === 'number';
      if (error != null && !isStatus) reject(error);
      else resolve(error != null ? null : { result: result as T });
    });
  });
}

class Case {
  readonly steps: string[] = [];
  readonly #model = new SharedFiles();
  readonly #open: { writer: Writer; handle: Buffer; number: number }[] = [];
  readonly #bench: TogetherBench;
  readonly #folder: string;
  readonly #random: Random;
  #opened = 0;

  constructor(bench: TogetherBench, folder: string, random: Random) {
    this.#bench = bench;
    this.#folder = folder;
    this.#random = random;
  }

  async run(): Promise<void> {
    const { sessions, lines } = this.#bench;
    lines.length = 0;
    await ask((done) => sessions[0]!.mkdir(this.#folder, done));
    for (let left = 10 + this.#random.below(60); left > 0; left--) {
      await this.#step();
      if (this.#random.oneIn(8)) await this.#checkAll();
    }
    while (this.#open.length > 0) await this.#close();
    await this.#checkAll();
    const errors = lines.filter((line) => line.includes('"level":"error"'));
    if (errors.length > 0) throw new Unexpected(`the server says that it failed: ${errors.join('')}`);
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const withHandle = [this.#write, this.#write, this.#write, this.#read, this.#stat, this.#resize, this.#close];
    const withPath = [this.#openFile, this.#openFile, this.#openFile, this.#resizePath, this.#remove, this.#rename];
    if (random.oneIn(60)) return this.#die();
    if (this.#open.length > 0 && (this.#open.length === mostHandles || !random.oneIn(3)))
      return random.pick(withHandle).call(this);
    return random.pick(withPath).call(this);
  }

  async #openFile(): Promise<void> {
    const [session, path] = [this.#random.below(2), this.#path()];
    const mode: OpenMode = {
      readable: this.#random.oneIn(2),
      creates: !this.#random.oneIn(4),
      truncates: this.#random.oneIn(4),
      exclusive: this.#random.oneIn(12),
      appends: this.#random.oneIn(3),
    };
    let flags = flagBits.write;
    if (mode.readable) flags |= flagBits.read;
    if (mode.creates) flags |= flagBits.create;
    if (mode.truncates) flags |= flagBits.truncate;
    if (mode.exclusive) flags |= flagBits.exclusive;
    if (mode.appends) flags |= flagBits.append;
    const number = this.#opened++;
    this.#say(`session ${session} opens ${path} as ${number}: ${textOf({ ...mode })}`);
    const writer = this.#model.open(session, path, mode);
    const sftp = this.#bench.sessions[session]!;
    // Its types know the names of flags only.
    const answer = await ask<Buffer>((done) => sftp.open(path, flags as unknown as 'w', done));
    this.#expect(answer !== null, writer !== null);
    if (writer !== null) this.#open.push({ writer, handle: answer!.result, number });
  }

  async #write(): Promise<void> {
    const { writer, handle, number } = this.#pick();
    const size = this.#model.view(writer).length;
    const offset = this.#random.oneIn(2) ? size : this.#random.below(size + 10);
    const length = this.#random.oneIn(10) ? 40_000 + this.#random.below(60_000) : 1 + this.#random.below(20);
    const bytes = Buffer.alloc(length, `${number}`);
    this.#say(`${number} writes ${length} bytes at ${writer.appends ? 'the end' : offset}`);
    this.#model.write(writer, offset, bytes);
    const answer = await ask((done) => this.#of(writer).write(handle, bytes, 0, length, offset, done));
    this.#expect(answer !== null, true);
  }

  async #read(): Promise<void> {
    const { writer, handle, number } = this.#pick();
    const view = this.#model.view(writer);
    const offset = this.#random.below(view.length + 5);
    const length = 1 + this.#random.below(30_000);
    const buffer = Buffer.alloc(length);
    this.#say(`${number} reads ${length} bytes from ${offset} of ${view.length}`);
    const answer = await ask<number>((done) => this.#of(writer).read(handle, buffer, 0, length, offset, done));
    const expected = view.subarray(offset, offset + length);
    this.#expect(answer !== null, writer.readable);
    if (answer !== null) this.#compare(buffer.subarray(0, answer.result), expected);
  }

  async #stat(): Promise<void> {
    const { writer, handle, number } = this.#pick();
    this.#say(`${number} asks for its size`);
    const answer = await ask<{ size: number }>((done) => this.#of(writer).fstat(handle, done as never));
    this.#expect(answer !== null, true);
    this.#compareSize(answer!.result.size, this.#model.view(writer).length);
  }

  async #resize(): Promise<void> {
    const { writer, handle, number } = this.#pick();
    const size = this.#random.below(this.#model.view(writer).length + 20);
    this.#say(`${number} sets the size ${size}`);
    this.#model.resize(writer, size);
    this.#expect((await ask((done) => this.#of(writer).fsetstat(handle, { size } as never, done))) !== null, true);
  }

  async #close(): Promise<void> {
    const chosen = this.#pick();
    this.#open.splice(this.#open.indexOf(chosen), 1);
    this.#say(`${chosen.number} is closed`);
    this.#model.close(chosen.writer);
    this.#expect((await ask((done) => this.#of(chosen.writer).close(chosen.handle, done))) !== null, true);
  }

  async #resizePath(): Promise<void> {
    const [session, path, size] = [this.#random.below(2), this.#path(), this.#random.below(60)];
    this.#say(`session ${session} sets the size ${size} of ${path}`);
    const isDone = this.#model.resizePath(session, path, size);
    const answer = await ask((done) => this.#bench.sessions[session]!.setstat(path, { size } as never, done));
    this.#expect(answer !== null, isDone);
  }

  async #remove(): Promise<void> {
    const [session, path] = [this.#random.below(2), this.#path()];
    this.#say(`session ${session} removes ${path}`);
    const isDone = this.#model.remove(session, path);
    this.#expect((await ask((done) => this.#bench.sessions[session]!.unlink(path, done))) !== null, isDone);
  }

  async #rename(): Promise<void> {
    const [session, from, to, overwrites] = [
      this.#random.below(2),
      this.#path(),
      this.#path(),
      this.#random.oneIn(2),
    ] as const;
    this.#say(`session ${session} renames ${from} to ${to}${overwrites ? ', or over it' : ''}`);
    const isDone = this.#model.rename(session, from, to, overwrites);
    const sftp = this.#bench.sessions[session]!;
    const answer = await ask((done) =>
      overwrites ? sftp.ext_openssh_rename(from, to, done) : sftp.rename(from, to, done),
    );
    this.#expect(answer !== null, isDone);
  }

  /** The connection of one session is lost, with all that it has open. */
  async #die(): Promise<void> {
    const session = this.#random.below(2);
    this.#say(`session ${session} loses its connection`);
    const { sessions, server } = this.#bench;
    for (const chosen of [...this.#open])
      if (chosen.writer.session === session) this.#open.splice(this.#open.indexOf(chosen), 1);
    this.#model.die(session);
    const left = this.#open.length;
    sessions[session]!.end();
    (sessions[session] as unknown as { _client?: { destroy(): void } })._client?.destroy();
    for (let tries = 0; server.intake.openUploads() > left && tries < 2000; tries++)
      await new Promise((resolve) => setTimeout(resolve, 1));
    sessions[session] = await newSession(this.#bench);
  }

  async #checkAll(): Promise<void> {
    for (const session of [0, 1]) {
      const sftp = this.#bench.sessions[session]!;
      const listed = await ask<{ filename: string; attrs: { size: number } }[]>((done) =>
        sftp.readdir(this.#folder, done as never),
      );
      const found = listed!.result.map(({ filename }) => `${this.#folder}/${filename}`).sort();
      this.#say(`session ${session} lists ${found.join(' ')}`);
      if (found.join() !== this.#model.names(session).join())
        throw new Unexpected(`${this.#model.names(session).join(' ')} was due`);
      for (const name of names) await this.#checkFile(session, `${this.#folder}/${name}`, listed!.result);
    }
  }

  async #checkFile(
    session: number,
    path: string,
    listed: { filename: string; attrs: { size: number } }[],
  ): Promise<void> {
    const sftp = this.#bench.sessions[session]!;
    const expected = this.#model.look(session, path);
    this.#say(`session ${session} looks at ${path}`);
    const told = await ask<{ size: number }>((done) => sftp.stat(path, done as never));
    this.#expect(told !== null, expected !== null);
    const content = await ask<Buffer>((done) => sftp.readFile(path, done as never));
    this.#expect(content !== null, expected !== null);
    if (expected === null) return;
    this.#compareSize(told!.result.size, expected.length);
    this.#compareSize(listed.find(({ filename }) => path.endsWith(`/${filename}`))!.attrs.size, expected.length);
    this.#compare(content!.result, expected);
  }

  #pick() {
    return this.#random.pick(this.#open);
  }

  #path(): string {
    return `${this.#folder}/${this.#random.pick(names)}`;
  }

  #of(writer: Writer): SFTPWrapper {
    return this.#bench.sessions[writer.session]!;
  }

  #say(step: string): void {
    this.steps.push(step);
  }

  #expect(isDone: boolean, isExpected: boolean): void {
    if (isDone !== isExpected) throw new Unexpected(isDone ? 'was done, but must be refused' : 'was refused');
  }

  #compareSize(found: number, expected: number): void {
    if (found !== expected) throw new Unexpected(`the size is ${found} instead of ${expected}`);
  }

  #compare(found: Buffer, expected: Buffer): void {
    if (found.equals(expected)) return;
    throw new Unexpected(`the content is ${show(found)} instead of ${show(expected)}`);
  }
}

function textOf(mode: Record<string, boolean>): string {
  const set = Object.keys(mode).filter((name) => mode[name]);
  return set.length === 0 ? 'writes only' : set.join(', ');
}

/** `0*20 1*5`: every writer writes its number. */
function show(content: Buffer): string {
  const runs = content.toString('latin1').match(/(.)\1*/gs) ?? [];
  return `${runs.map((run) => `${JSON.stringify(run[0])}*${run.length}`).join(' ')} (${content.length} bytes)`;
}

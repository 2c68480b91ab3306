/** The built program as its users run it: `dist/app/main.js` in a process of its own. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Scope } from './temporary.js';

const program = fileURLToPath(new URL('../../dist/app/main.js', import.meta.url));

export interface RunOptions {
  /** The data folder. */
  data: string;
  env?: Record<string, string>;
  /** Standard input; none by default. */
  input?: string | Buffer;
  /** Ends the command, with a failure, after this long. */
  timeoutMs?: number;
  /** Runs this file instead of the program. */
  entry?: string;
  /** Is given the process when it has been started. */
  onStart?: (child: ChildProcess) => void;
}

export interface Ran {
  code: number | null;
  stdout: string;
  /** As it came: for what is no text. */
  bytes: Buffer;
  stderr: string;
}

/** Runs a command to its end; a failure of the command is a result, not an error. */
export async function runDropslot(args: readonly string[], options: RunOptions): Promise<Ran> {
  const child = start(args, options);
  options.onStart?.(child);
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 180_000);
  const stdout = gather(child.stdout!);
  const stderr = gather(child.stderr!);
  child.stdin!.on('error', () => {}); // a command that does not read its input has closed it
  child.stdin!.end(options.input ?? '');
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  const bytes = stdout();
  return { code, stdout: bytes.toString('utf8'), bytes, stderr: stderr().toString('utf8') };
}

/** Runs a command that must succeed, and gives what its `--json` printed. */
export async function askDropslot<Answer>(args: readonly string[], options: RunOptions): Promise<Answer> {
  const ran = await runDropslot([...args, '--json'], options);
  if (ran.code !== 0) throw new Error(`dropslot ${args.join(' ')} ended with ${ran.code}: ${ran.stderr}`);
  return JSON.parse(ran.stdout) as Answer;
}

/** What `node` is given to run a module of the tests, `name` beside `from`: as they run themselves, compiled or through tsx. */
export function moduleArguments(name: string, from: string): string[] {
  const isCompiled = from.endsWith('.js');
  const file = fileURLToPath(new URL(`${name}.${isCompiled ? 'js' : 'ts'}`, from));
  return isCompiled ? [file] : ['--import', 'tsx', file];
}

/** Runs a module beside a test, as moduleArguments has it, and expects that it kills itself. `at` names the place. */
export async function expectKilled(name: string, from: string, args: readonly string[], at: string): Promise<void> {
  const child = spawn(process.execPath, [...moduleArguments(name, from), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let words = '';
  child.stderr.on('data', (chunk) => {
    words += chunk;
  });
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', `${at}: ${words}`);
}

export interface LogLine {
  level: string;
  message: string;
  [detail: string]: unknown;
}

export interface ServeOptions extends RunOptions {
  /** Beside `--port 0 --host 127.0.0.1`. */
  args?: string[];
  /** How long it may take to listen; default: 30 seconds. */
  startMs?: number;
}

export interface Served {
  port: number;
  pid: number;
  /** What it logged so far. */
  log: LogLine[];
  /** Resolves with the first line, past or future, that fits; rejects when the server ends or it takes too long. */
  waitForLog(fits: (line: LogLine) => boolean, timeoutMs?: number): Promise<LogLine>;
  /** Resolves when it ended by itself or by a signal. */
  exited: Promise<unknown>;
  /** Sends a signal and waits for the end: its exit code, null when the signal itself ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts `dropslot serve` on a free port of the loopback and waits until it listens; killed when the test ends. */
export async function startServe(scope: Scope, options: ServeOptions): Promise<Served> {
  const args = ['serve', '--port', '0', '--host', '127.0.0.1', ...(options.args ?? [])];
  const child = start(args, { ...options, env: { DROPSLOT_LOG_FORMAT: 'json', ...options.env } });
  child.stdin!.end();
  child.stdout!.resume();
  const exited = once(child, 'exit') as Promise<[number | null]>;
  scope.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  });
  const log = followLog(child);
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal);
    const [code] = await exited;
    return code;
  };
  const { port } = await log.waitFor(
    (line) => line.message === 'listening' || line.message === 'importing',
    options.startMs,
  );
  return { port: Number(port ?? 0), pid: child.pid!, log: log.lines, waitForLog: log.waitFor, exited, stop };
}

function start(args: readonly string[], { data, env = {}, entry = program }: RunOptions): ChildProcess {
  const clean = Object.entries(process.env).filter(([name]) => !/^(DROPSLOT_|NODE_OPTIONS$|NODE_TEST)/.test(name));
  return spawn(process.execPath, [entry, ...args], {
    env: { ...Object.fromEntries(clean), DROPSLOT_DATA: data, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

function gather(stream: NodeJS.ReadableStream): () => Buffer {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks);
}

function followLog(child: ChildProcess) {
  const lines: LogLine[] = [];
  const waiting = new Set<() => void>();
  let rest = '';
  let hasEnded = false;
  const wake = () => {
    for (const look of [...waiting]) look();
  };
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop()!;
    for (const part of parts) lines.push(parseLine(part));
    wake();
  });
  child.once('close', () => {
    hasEnded = true;
    wake();
  });
  const waitFor = (fits: (line: LogLine) => boolean, timeoutMs = 120_000) =>
    new Promise<LogLine>((resolve, reject) => {
      const look = () => {
        const found = lines.find(fits);
        if (found === undefined && !hasEnded) return;
        settle();
        if (found === undefined) reject(new Error(`the server ended:\n${renderLog(lines)}`));
        else resolve(found);
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Error(`the server did not log it in ${timeoutMs} ms:\n${renderLog(lines)}`));
      }, timeoutMs);
      const settle = () => {
        clearTimeout(timer);
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
  return { lines, waitFor };
}

function parseLine(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return { level: 'raw', message: text };
  }
}

function renderLog(lines: readonly LogLine[]): string {
  return lines.map((line) => JSON.stringify(line)).join('\n');
}

/** Drives the built program: runs a command of it, starts and stops its server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const programPath = fileURLToPath(new URL('../dist/app/main.js', import.meta.url));

/** A program that ended with an exit code other than 0; the message has its output. */
export class ProgramError extends Error {
  override name = 'ProgramError';
}

export interface Outcome {
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** Called with each line of both output streams when the program prints it. */
  onLine?: (line: string) => void;
}

/** Runs a program to its end. @throws ProgramError when its exit code is not 0, or it can't be started. */
export async function runProgram(command: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
    if (options.onLine !== undefined) createInterface({ input: child[name] }).on('line', options.onLine);
  }
  let code: unknown;
  try {
    [code] = await once(child, 'close');
  } catch (cause) {
    throw new ProgramError(`${command} can't be started: ${(cause as Error).message}`, { cause });
  }
  if (code === 0) return said;
  const reason = said.stderr.trim() || said.stdout.trim() || 'it printed nothing';
  throw new ProgramError(`${command} ${args.join(' ')} ended with exit code ${code}: ${reason}`);
}

/** Runs `dropslot …` on a data folder. */
export function runDropslot(data: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return runProgram(process.execPath, [programPath, '--data', data, ...args], options);
}

/** Runs `dropslot … --json` and parses its output. */
export async function askDropslot<T>(data: string, args: readonly string[]): Promise<T> {
  const { stdout } = await runDropslot(data, [...args, '--json']);
  return JSON.parse(stdout) as T;
}

export interface RunningProgram {
  pid: number;
  port: number;
  /** The server's log so far. */
  log: Record<string, unknown>[];
  /** Resolves when it has ended by itself, or by a signal that it got as well. */
  ended: Promise<unknown>;
  /** Asks it to stop (SIGTERM) and waits. @throws ProgramError when its exit code is not 0. */
  stop(): Promise<void>;
}

/** Starts `dropslot serve` on a free loopback port. @throws ProgramError when it does not listen within 30 seconds. */
export async function startDropslot(data: string, args: readonly string[] = []): Promise<RunningProgram> {
  const child = spawn(
    process.execPath,
    [programPath, '--data', data, 'serve', '--host', '127.0.0.1', '--port', '0', ...args],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, DROPSLOT_LOG_FORMAT: 'json' } },
  );
  const log: Record<string, unknown>[] = [];
  const endWithUs = (): void => void child.kill('SIGTERM');
  process.once('exit', endWithUs);
  const ended = once(child, 'exit').finally(() => process.off('exit', endWithUs));
  ended.catch(() => {}); // the failure to start is reported below
  const port = await Promise.race([
    listeningPort(child, log),
    ended.then(() => null),
    sleep(30_000, null, { ref: false }),
  ]);
  if (port === null) {
    child.kill('SIGKILL');
    throw new ProgramError(
      `the server did not start: ${log.map((line) => line.message).join('; ') || 'it printed nothing'}`,
    );
  }
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const [code, signal] = await ended;
    if (code !== 0) throw new ProgramError(`the server ended with ${signal ?? `exit code ${code}`} instead of 0`);
  };
  return { pid: child.pid!, port, log, ended, stop };
}

/** Reads the log until it has the port. */
function listeningPort(child: ChildProcess, log: Record<string, unknown>[]): Promise<number> {
  return new Promise((resolve) => {
    createInterface({ input: child.stderr! }).on('line', (text) => {
      const line = parseLine(text);
      log.push(line);
      if (line.message === 'listening' && typeof line.port === 'number') resolve(line.port);
    });
  });
}

function parseLine(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return { message: text };
  }
}

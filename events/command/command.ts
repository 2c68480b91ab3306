/** Delivers events to a command: a process without a shell and with a clean environment, which reads the event on its standard input. */
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { killGroup } from '../../config/processgroup.js';
import type { Batch, Deliverer, Outcome } from '../deliverer.js';

/** The options of a command's row. */
export interface CommandOptions {
  /** Absolute path. */
  program: string;
  args: string[];
  /** Where it runs; the program's folder without it. */
  folder?: string;
  timeLimitSeconds?: number;
  personal?: boolean;
  batch?: number;
}

const usualTimeLimitSeconds = 30;
const mostOutputBytes = 1024 * 1024;
const concurrency = 4;
/** An exit code by which a command says that this event will never work: it is skipped. */
const skipCode = 10;

export function createCommandDeliverer(): Deliverer {
  return { kind: 'command', concurrency, deliver: (batch, stopping) => run(batch, stopping) };
}

function run({ id, body, subscriber }: Batch, stopping: AbortSignal): Promise<Outcome> {
  const {
    program,
    args,
    folder,
    timeLimitSeconds = usualTimeLimitSeconds,
  } = subscriber.options as unknown as CommandOptions;
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    DROPSLOT_EVENT_ID: id,
    DROPSLOT_EVENT_TYPE: body.type,
    DROPSLOT_EVENT_ORG: subscriber.org ?? ('org' in body ? (body.org ?? '') : ''),
  };
  return new Promise((resolve) => {
    // A process group of its own, so that processes that it starts end with it.
    const child = spawn(program, args, { cwd: folder ?? dirname(program), env, detached: true, shell: false });
    let reason: string | null = null;
    let bytes = 0;
    const end = (why: string) => {
      reason ??= why;
      killGroup(child.pid);
    };
    const limit = setTimeout(() => end(`ended after ${timeLimitSeconds} s`), timeLimitSeconds * 1000);
    const stop = () => end('ended, because the server stops');
    stopping.addEventListener('abort', stop);
    const count = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > mostOutputBytes) end(`ended after ${mostOutputBytes} bytes of output`);
    };
    child.stdout.on('data', count);
    child.stderr.on('data', count);
    // A command that does not read its input has closed it.
    child.stdin.on('error', () => {});
    child.stdin.end(JSON.stringify(body));
    const finish = (outcome: Outcome) => {
      clearTimeout(limit);
      stopping.removeEventListener('abort', stop);
      resolve(outcome);
    };
    child.on('error', (error: NodeJS.ErrnoException) =>
      finish({ result: 'failed', detail: `could not be started (${error.code ?? 'ERR'})` }),
    );
    child.on('exit', (code, signal) => {
      // Processes that it left behind.
      killGroup(child.pid);
      finish(judge(reason, code, signal));
    });
  });
}

function judge(reason: string | null, code: number | null, signal: NodeJS.Signals | null): Outcome {
  if (reason !== null) return { result: 'failed', detail: reason };
  if (code === 0) return { result: 'delivered', detail: 'exit code 0' };
  if (code === skipCode) return { result: 'delivered', detail: `exit code ${skipCode}: skipped` };
  return { result: 'failed', detail: code === null ? `ended by ${signal}` : `exit code ${code}` };
}

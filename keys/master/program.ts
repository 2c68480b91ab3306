/** Runs the program that prints the master key: a client of a key management service, or a tool for PKCS#11. */
import { spawn } from 'node:child_process';
import { childEnvironment } from '../../config/environment.js';
import { killGroup } from '../../config/processgroup.js';
import { KeyError } from '../error.js';

/** A person may have to touch a token. */
const timeLimitMs = 60_000;
/** A master key with former ones has some hundred bytes, a post-quantum one under a passphrase a few thousand. */
const mostBytes = 64 * 1024;

/**
 * The output of a program. It gets no input, no setting of Dropslot, and no shell; its messages are dropped, since they may have
 * secrets.
 * @param words the program's absolute path and its arguments
 * @throws KeyError that names the program only
 */
export function readProgram([program, ...args]: readonly string[], limitMs = timeLimitMs): Promise<Buffer> {
  const fail = (problem: string, cause?: unknown) =>
    new KeyError('unreadable', `the program of the master key, ${program}, ${problem}`, { cause });
  return new Promise((resolve, reject) => {
    // A group of its own, so that the programs that it starts end with it.
    const child = spawn(program!, args, {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: childEnvironment({}),
      detached: true,
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (problem: string, cause?: unknown): void => {
      clearTimeout(timer);
      killGroup(child.pid);
      child.stdout.destroy();
      reject(fail(problem, cause));
    };
    const timer = setTimeout(() => end(`did not end within ${limitMs / 1000} s: run it by hand to see why`), limitMs);
    child.once('error', (cause: NodeJS.ErrnoException) => end(`can't be run: ${whyNot(cause)}`, cause));
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > mostBytes) end(`printed more than ${mostBytes} bytes: it must print the master key alone`);
      else chunks.push(chunk);
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0 && bytes > 0) resolve(Buffer.concat(chunks));
      else if (code === 0) reject(fail('printed nothing: it must print the master key (AGE-SECRET-KEY-…)'));
      else reject(fail(`failed (${signal === null ? `exit code ${code}` : signal}): run it by hand to see why`));
    });
  });
}

function whyNot({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'there is no such file';
  return code === 'EACCES' ? 'this user may not execute it' : message;
}

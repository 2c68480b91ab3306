/** Asks the person at the terminal for a word, a confirmation or a passphrase. */
import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { OperationError } from '../operations/error.js';

export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** One rule for every command with `--yes`: it asks at a terminal. @throws OperationError `refused` where there is none */
export function requireTerminal(deed: string): void {
  if (canAsk()) return;
  throw new OperationError('refused', `there is no terminal to ask at: confirm ${deed} with --yes`);
}

/** The typed line, trimmed; empty when the person cancels (Ctrl-C, Ctrl-D). */
export async function ask(question: string): Promise<string> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const cancelled = once(prompt, 'close').then(() => '');
  try {
    return (await Promise.race([prompt.question(question).catch(() => ''), cancelled])).trim();
  } finally {
    prompt.close();
  }
}

/** Whether the person answers y or yes. */
export async function askYes(question: string): Promise<boolean> {
  return /^y(es)?$/i.test(await ask(`${question} [y/N] `));
}

/** Reads a passphrase without showing it. @throws OperationError `refused` when the person cancels */
export async function askPassphrase(masterKey: string): Promise<string> {
  // Before the question: the terminal must not echo an answer that comes at once.
  process.stdin.setRawMode(true);
  process.stdin.resume();
  process.stderr.write(`Passphrase of the master key ${masterKey}: `);
  try {
    return await readLine(process.stdin);
  } finally {
    process.stdin.setRawMode(false);
    process.stdin.pause();
    process.stderr.write('\n');
  }
}

function readLine(input: NodeJS.ReadStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed = '';
    const take = (bytes: Buffer) => {
      for (const letter of bytes.toString('utf8')) {
        if (letter === '\u0003' || letter === '\u0004')
          return end(() => reject(new OperationError('refused', 'cancelled: no passphrase was entered')));
        if (letter === '\r' || letter === '\n') return end(() => resolve(typed));
        typed = letter === '\u007f' || letter === '\b' ? [...typed].slice(0, -1).join('') : typed + letter;
      }
    };
    const end = (settle: () => void) => {
      input.off('data', take);
      settle();
    };
    input.on('data', take);
  });
}

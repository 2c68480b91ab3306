/** What the matrix asks of a client program: how it is found and started, and how it says each step. */
import { spawnSync } from 'node:child_process';
import type { Ran } from '../support/peers.js';
import type { Seat } from './seat.js';

/** Local paths are absolute, remote ones begin at the root. `put` keeps the file's time where the program can. */
export type Step =
  | { do: 'put'; from: string; to: string }
  /** Goes on with an upload that was cut off. */
  | { do: 'resume'; from: string; to: string }
  /** A folder with all that is in it; the remote folder is not there yet. */
  | { do: 'putTree'; from: string; to: string }
  | { do: 'get'; from: string; to: string }
  | { do: 'list'; folder: string }
  | { do: 'rename'; from: string; to: string };

export type StepKind = Step['do'];
export type KeyType = 'ed25519' | 'ecdsa' | 'rsa';

/** What a case may need beyond a step: the file's time, and a rename that replaces. */
export type Ability = StepKind | 'times' | 'replace';

export interface Running {
  /** Ends it as a power cut would. */
  kill(): void;
  ended: Promise<Ran>;
}

export interface Client {
  name: string;
  /** For a test's `skip`: false when all it needs is there, else what to install. */
  missing: string | false;
  version(): string;
  /** The key that it logs in with. */
  key: KeyType;
  /** Keys that get it in, with the version that continuous integration has. */
  keys: readonly KeyType[];
  /** Why it cannot be asked for this. */
  unable: Partial<Record<Ability, string>>;
  /** What it adds to the name of a larger file while it sends it. */
  suffix?: string;
  /** Does the steps one after the other, and ends with a code other than 0 at the first that fails. */
  start(seat: Seat, steps: readonly Step[]): Running;
  /** What only this client does, by what it is called in the documentation. */
  specials: Record<string, (seat: Seat) => Promise<void>>;
}

/** What a program prints about its version, cut to what `pattern`'s group catches. */
export function versionOf(program: string, args: readonly string[], pattern: RegExp): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  return pattern.exec(`${stdout}${stderr}`)?.[1] ?? 'unknown';
}

/** The version of a Debian package, as its authors call it. */
export function packageVersion(name: string): string {
  return versionOf('dpkg', ['-s', name], /^Version: (?:\d+:)?([^-+\n]+)/m);
}

/** For a program that does one thing each time it is run: one after the other, until one fails. */
export function startInTurn(
  seat: Seat,
  steps: readonly Step[],
  commandOf: (step: Step) => readonly [program: string, args: readonly string[]],
): Running {
  let current: Running | null = null;
  let isKilled = false;
  const run = async (): Promise<Ran> => {
    const all: Ran = { code: 0, stdout: '', stderr: '' };
    for (const step of steps) {
      current = seat.launch(...commandOf(step));
      const { code, stdout, stderr } = await current.ended;
      all.stdout += stdout;
      all.stderr += stderr;
      all.code = isKilled ? null : code;
      if (all.code !== 0) break;
    }
    return all;
  };
  const kill = () => {
    isKilled = true;
    current?.kill();
  };
  return { kill, ended: run() };
}

/** A word of a batch language that takes double quotes. */
export function quote(text: string): string {
  return `"${text}"`;
}

/** Peak resident memory and processor time of a process and everything below it, as Linux counts them (VmHWM, utime, stime). */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { programPath } from '../demo/program.js';

const intervalMs = 100;

/** Bytes; null: no such process any more, or no /proc here. */
export function readPeak(pid: number): number | null {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readProc(pid, 'status') ?? '')?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) * 1024;
}

/** Linux counts in hundredths of a second for every program. */
const ticksPerSecond = 100;

/** Seconds of user and system time of a process and all its threads; null: no such process any more, or no /proc here. */
export function readProcessorTime(pid: number): number | null {
  const fields = readProc(pid, 'stat')
    ?.replace(/^.*\) /s, '')
    .split(' ');
  return fields === undefined ? null : (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/**
 * Seconds of user and system time of a server: its threads, the processes below it, and those that have ended and were waited for (sshd's, one
 * or more for each connection).
 */
export function readServerTime(root: number): number {
  let ticks = 0;
  for (const pid of [root, ...listDescendants(root)]) {
    const fields = readProc(pid, 'stat')
      ?.replace(/^.*\) /s, '')
      .split(' ');
    for (const index of [11, 12, 13, 14]) ticks += Number(fields?.[index] ?? 0);
  }
  return ticks / ticksPerSecond;
}

/** A server ends the process of a connection, or its own work on it, a moment after the client has left. */
const settleMs = 200;

/** The same once sshd has waited for the processes of its connections; Dropslot's importer never ends. */
export async function readSettledTime({ pid, hasProcesses }: { pid: number; hasProcesses?: boolean }): Promise<number> {
  await sleep(settleMs);
  for (let waits = 0; hasProcesses === true && listDescendants(pid).length > 0 && waits < 50; waits++)
    await sleep(settleMs);
  return readServerTime(pid);
}

export interface MemoryWatch {
  /** Highest peak in bytes of each role: `dropslot serve`, `importer`, `sshd`. */
  peaks(): Map<string, number>;
  stop(): void;
}

/**
 * Watches a process (not when it is our own) and everything below it. Looks every 100 ms; VmHWM never falls, so that only
 * what a process reaches in its last moment can escape.
 */
export function watchMemory(root: number): MemoryWatch {
  const peaks = new Map<string, number>();
  const look = (): void => {
    for (const pid of [...(root === process.pid ? [] : [root]), ...listDescendants(root)]) {
      const peak = readPeak(pid);
      const role = roleOf(pid);
      if (peak !== null && role !== null) peaks.set(role, Math.max(peak, peaks.get(role) ?? 0));
    }
  };
  look();
  const timer = setInterval(look, intervalMs);
  return {
    peaks: () => {
      look();
      return new Map(peaks);
    },
    stop: () => clearInterval(timer),
  };
}

/** The processes below one. */
export function listDescendants(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // pid (command, which may hold anything) state ppid …
    const parent = /\) \S (\d+) [^)]*$/.exec(readProc(Number(name), 'stat') ?? '')?.[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const below = new Set([root]);
  let before = 0;
  while (below.size > before) {
    before = below.size;
    for (const [pid, parent] of parents) if (below.has(parent)) below.add(pid);
  }
  below.delete(root);
  return [...below];
}

/** A command of Dropslot by its name, its child process as `importer`, another one by its program. null: gone. */
function roleOf(pid: number): string | null {
  const args = (readProc(pid, 'cmdline') ?? '').split('\0');
  const at = args.indexOf('--data');
  if (args.includes(programPath)) return `dropslot ${args[at + 2]}`;
  if (args.some((arg) => arg.startsWith(`${dirname(programPath)}/`))) return 'importer';
  const program = args[0]?.replace(/[: ].*$/, '') ?? ''; // `sshd: …` is what sshd calls itself
  return program.split('/').at(-1) || null;
}

function readProc(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return null;
  }
}

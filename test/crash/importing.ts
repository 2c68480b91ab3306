/** An importer that dies at a step. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { RunStep } from '../../importer/run/deps.js';
import { moduleArguments } from '../support/program.js';

/** Lets a process of its own work on the waiting run until it reaches the step; the signal that ended it. */
export async function killAt(
  step: RunStep,
  { data, database }: { data: string; database: string },
  clock: number,
): Promise<string | null> {
  const args = [...moduleArguments('./importer.child', import.meta.url), data, database, step, String(clock)];
  const killed = spawn(process.execPath, args, { stdio: 'inherit' });
  const [, signal] = (await once(killed, 'exit')) as [number | null, string | null];
  return signal;
}

/** Runs cases of one target until time or number is up; what a failure says is enough to do it again. */
import { readdirSync } from 'node:fs';
import type { Scope } from '../support/temporary.js';
import { fuzzApi, openApiBench } from './api.js';
import { openBench } from './bench.js';
import { fuzzCodec } from './codec.js';
import { fuzzExotic } from './exotic.js';
import { fuzzMounted, openMountedBench } from './mounted.js';
import { seedOfCase } from './random.js';
import { Finding, formatScript, shrink, Unexpected } from './script.js';
import { fuzzSession, replay } from './session.js';
import { checkIdle, fuzzSsh, openSshBench } from './ssh.js';
import { fuzzTogether, openTogetherBench } from './together.js';

export const targetNames = ['codec', 'session', 'ssh', 'together', 'mounted', 'api'] as const;
export type Target = (typeof targetNames)[number];

export function isTarget(name: string): name is Target {
  return (targetNames as readonly string[]).includes(name);
}

export interface Plan {
  target: Target;
  seed: number;
  /** The seed of one case, to do it alone; null: all that follow from `seed`. */
  only: number | null;
  mostMs?: number;
  mostCases?: number;
}

export interface Outcome {
  cases: number;
  /** Memory of the process. */
  mostBytes: number;
}

/** Growth of the whole process past which something is kept that should not be. */
const mostGrowthBytes = 512 * 1024 * 1024;

/** The same for open files: sockets may take a moment to close, and databases open connections as they need them. */
const mostMoreFiles = 40;

/** Cases without the model, among those with it. */
const exoticOneIn = 6;

interface Runner {
  run(seed: number): Promise<void>;
  /** After the last case. */
  finish(): Promise<void>;
}

const runners: Readonly<Record<Target, (scope: Scope) => Promise<Runner>>> = {
  codec: async () => ({ run: async (seed) => fuzzCodec(seed), finish: async () => {} }),
  async session(scope) {
    const bench = await openBench(scope);
    const run = async (seed: number) => {
      try {
        if (seed % exoticOneIn === 0) await fuzzExotic(bench, seed);
        else await fuzzSession(bench, seed);
      } catch (error) {
        if (!(error instanceof Finding)) throw error;
        const fails = (script: Finding['script']) =>
          replay(bench, script)
            .then(() => false)
            .catch(() => true);
        const least = await shrink(error.script, fails);
        throw new Unexpected(`${error.message}\n${error.log}as small as it gets:\n${formatScript(least)}`);
      }
    };
    return { run, finish: async () => {} };
  },
  async ssh(scope) {
    const bench = await openSshBench(scope);
    return { run: (seed) => fuzzSsh(bench, seed), finish: () => checkIdle(bench) };
  },
  async together(scope) {
    const bench = await openTogetherBench(scope);
    return { run: (seed) => fuzzTogether(bench, seed), finish: async () => {} };
  },
  async api(scope) {
    const bench = await openApiBench(scope);
    return { run: (seed) => fuzzApi(bench, seed), finish: async () => {} };
  },
  async mounted(scope) {
    const bench = await openMountedBench(scope);
    return { run: (seed) => fuzzMounted(bench, seed), finish: async () => {} };
  },
};

/** @throws Unexpected, with the case's seed and what was sent */
export async function fuzz(scope: Scope, { target, seed, only, mostMs, mostCases }: Plan): Promise<Outcome> {
  const runner = await runners[target](scope);
  const endsAt = performance.now() + (mostMs ?? Number.POSITIVE_INFINITY);
  const outcome: Outcome = { cases: 0, mostBytes: 0 };
  let leastBytes = Number.POSITIVE_INFINITY;
  const filesBefore = countOpenFiles();
  while (performance.now() < endsAt && outcome.cases < (mostCases ?? Number.POSITIVE_INFINITY)) {
    const caseSeed = only ?? seedOfCase(seed, outcome.cases);
    try {
      await runner.run(caseSeed);
    } catch (error) {
      throw new Unexpected(`npm run fuzz -- --target ${target} --case ${caseSeed}\n${(error as Error).message}`);
    }
    const { rss } = process.memoryUsage();
    leastBytes = Math.min(leastBytes, rss);
    outcome.mostBytes = Math.max(outcome.mostBytes, rss);
    outcome.cases++;
    if (rss - leastBytes > mostGrowthBytes) throw new Unexpected(`memory grew to ${rss} bytes; seed ${seed}`);
    if (countOpenFiles() > filesBefore + mostMoreFiles) throw new Unexpected(`files stay open; seed ${seed}`);
    if (only !== null) break;
    // Timers and sockets get their turn also where a target never waits.
    if (outcome.cases % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await runner.finish();
  return outcome;
}

/** 0 where the system does not tell. */
function countOpenFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}

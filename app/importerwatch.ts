/** Judges a process of the importer by its heartbeats: whether it hangs, or its file exceeds a budget of time or memory. */
import type { Settings } from '../config/settings.js';
import type { Cause } from '../db/control/quarantine.js';
import { beatMs, type ChildState } from './importermessages.js';

export interface Verdict {
  cause: Cause;
  /** The file that was being read; null: none was. */
  upload: number | null;
}

export interface Watch {
  /** The process has answered. */
  beat(state: ChildState): void;
  /** Called once a second; the verdict ends the process. */
  tick(): Verdict | null;
  readonly state: ChildState;
}

type Budgets = Pick<
  Settings,
  'sqliteDriver' | 'leaseSeconds' | 'importerMemoryBytes' | 'maxFileMinutes' | 'maxCheckMinutes'
>;

/** The shortest silence that counts as a hang. */
const leastSilentTicks = 5;
/** All drivers but sqlite3 run statements on the thread that answers: one of a large file takes minutes. */
const synchronousTicks = 300;
/** A process that starts loads the program, and may wait for a migration. */
const startTicks = 120;
/** A machine that was suspended spends nobody's budget. */
const mostTickMs = 3 * beatMs;

/**
 * Silence is counted in ticks of the server, not by a clock: a server or a machine that stood still has counted none. It ends
 * a process before its lease does, so that no other importer takes the file over meanwhile. A process that waits for a processor
 * is silent and does not hang: that time does not count, and another importer may take its run over.
 * @param now a monotonic clock, in ms.
 * @param readWaited how long the process has waited for a processor since its start, in ms
 */
export function watchProcess(budgets: Budgets, now: () => number, readWaited: () => number = () => 0): Watch {
  const leastTicks = budgets.sqliteDriver === 'sqlite3' ? leastSilentTicks : synchronousTicks;
  const silentTicks = Math.max(leastTicks, Math.floor((budgets.leaseSeconds * 1000 * 2) / 3 / beatMs));
  let state: ChildState = { work: null, upload: null, memoryBytes: 0 };
  let allowed = startTicks;
  let silent = 0;
  let waitedBefore = readWaited();
  let last = now();
  /** The time that each file of this work has taken: reports read a file again, after others. */
  const spent = new Map<number, number>();
  const spend = () => {
    const at = now();
    if (state.upload !== null)
      spent.set(state.upload, (spent.get(state.upload) ?? 0) + Math.min(at - last, mostTickMs));
    last = at;
  };
  return {
    get state() {
      return state;
    },
    beat: (latest) => {
      spend();
      if (latest.work === null) spent.clear();
      state = latest;
      silent = 0;
      waitedBefore = readWaited();
      allowed = silentTicks;
    },
    tick: () => {
      spend();
      const { upload, work, memoryBytes } = state;
      if (++silent > allowed && silent - (readWaited() - waitedBefore) / beatMs > allowed)
        return { cause: 'hung', upload };
      if (memoryBytes > budgets.importerMemoryBytes) return { cause: 'memory', upload };
      if (upload === null) return null;
      const minutes = work === 'check' ? budgets.maxCheckMinutes : budgets.maxFileMinutes;
      if (spent.get(upload)! <= minutes * 60_000) return null;
      return { cause: work === 'check' ? 'check_time' : 'time', upload };
    },
  };
}

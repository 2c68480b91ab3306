/**
 * One clock for all nodes: on PostgreSQL that of the database server, whatever the clocks of the machines show. Leases, slots,
 * penalties and expiries of one node are judged by the others.
 */
import type { Db } from './connection.js';

export interface SharedClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** How far the clock of this machine is ahead of it (behind: negative), in ms. */
  skewMs(): number;
  stop(): void;
}

const measureEveryMs = 10_000;
const firstMeasures = 3;
/** How far two clocks may drift apart in a millisecond, in ms: an older measure says less. */
const drift = 1 / 5_000;

/** On SQLite the clock of the machine. @throws the error of a database that does not answer */
export async function followClock(control: Pick<Db, 'dialect' | 'read'>): Promise<SharedClock> {
  if (control.dialect === 'sqlite') return { now: Date.now, skewMs: () => 0, stop: () => {} };
  let base = await measure(control);
  const improve = async () => {
    base = betterOf(base, await measure(control), performance.now());
  };
  for (let n = 1; n < firstMeasures; n++) await improve();
  const now = () => Math.round(timeOf(base, performance.now()));
  const timer = setInterval(() => {
    // Until the database answers again, the time goes on by the clock that is never set.
    improve().catch(() => {});
  }, measureEveryMs);
  timer.unref();
  return { now, skewMs: () => Date.now() - now(), stop: () => clearInterval(timer) };
}

export interface Measured {
  /** The server's time at a moment of the steady clock, both in ms. */
  at: number;
  steady: number;
  roundTripMs: number;
}

/**
 * The more exact one of two measures. Where they contradict each other, the old one is wrong, however exact it was: a virtual machine that
 * was suspended has a steady clock that stood still, and the clock of the server may have been set.
 * @param steady now
 */
export function betterOf(old: Measured, latest: Measured, steady: number): Measured {
  const apart = Math.abs(timeOf(old, steady) - timeOf(latest, steady));
  const isContradicted = apart > errorOf(old, steady) + errorOf(latest, steady);
  return isContradicted || errorOf(latest, steady) <= errorOf(old, steady) ? latest : old;
}

function timeOf({ at, steady: then }: Measured, steady: number): number {
  return at + steady - then;
}

/** By how much the time that a measure gives may be wrong now, in ms. */
function errorOf({ steady: then, roundTripMs }: Measured, steady: number): number {
  return roundTripMs / 2 + (steady - then) * drift;
}

async function measure({ read }: Pick<Db, 'read'>): Promise<Measured> {
  const asked = performance.now();
  const { rows } = await read.raw('SELECT extract(epoch FROM clock_timestamp()) * 1000 AS at');
  const answered = performance.now();
  return { at: Number(rows[0].at), steady: (asked + answered) / 2, roundTripMs: answered - asked };
}

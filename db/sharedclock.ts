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
    const latest = await measure(control);
    if (errorOf(latest) <= errorOf(base)) base = latest;
  };
  for (let n = 1; n < firstMeasures; n++) await improve();
  const now = () => Math.round(base.at + performance.now() - base.steady);
  const timer = setInterval(() => {
    // Until the database answers again, the time goes on by the clock that is never set.
    improve().catch(() => {});
  }, measureEveryMs);
  timer.unref();
  return { now, skewMs: () => Date.now() - now(), stop: () => clearInterval(timer) };
}

interface Measured {
  /** The server's time at a moment of the steady clock, both in ms. */
  at: number;
  steady: number;
  roundTripMs: number;
}

/** By how much the time that a measure gives may be wrong now, in ms. */
function errorOf({ steady, roundTripMs }: Measured): number {
  return roundTripMs / 2 + (performance.now() - steady) * drift;
}

async function measure({ read }: Pick<Db, 'read'>): Promise<Measured> {
  const asked = performance.now();
  const { rows } = await read.raw('SELECT extract(epoch FROM clock_timestamp()) * 1000 AS at');
  const answered = performance.now();
  return { at: Number(rows[0].at), steady: (asked + answered) / 2, roundTripMs: answered - asked };
}

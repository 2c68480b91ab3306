/**
 * Judges whether the machine's clock can be trusted: a clock that jumps must not open slots, deactivate users or delete
 * files that are not due. It compares the clock with one that never jumps.
 */
import type { Logger } from '../../config/logger.js';
import type { Db } from '../../db/connection.js';
import { readClock, recordAhead, recordJump, recordTime } from '../../db/control/clock.js';
import { resetMarks } from '../../db/control/slots.js';

export interface Clock {
  /** Looks at the clock, records its time, and logs a jump. Returns whether slots may be opened by it. */
  look(): Promise<boolean>;
  /** As `look`, without recording anything. */
  isTrusted(): boolean;
  /** Whether it may decide what can't be taken back: deactivations, and the removal of files. */
  mayDecide(): boolean;
}

export interface ClockDeps {
  control: Db;
  logger: Logger;
  now: () => number;
  /** Milliseconds of a clock that is never set. */
  steady?: () => number;
}

/** Time synchronization sets a clock by less than this without being a jump. */
const toleranceMs = 10_000;
/** After a jump the clock is trusted again when it has kept its new time for so long. */
const settleMs = 5 * 60_000;
const dayMs = 86_400_000;
/** A server may have been stopped for so long; a clock that is further ahead at a start counts as one that jumped. */
const longestStopMs = 8 * dayMs;
const recordEveryMs = 60_000;

/** The clock's time at a moment of the steady clock, both in ms. */
interface Line {
  at: number;
  steady: number;
}

export function createClock({ control, logger, now, steady = () => performance.now() }: ClockDeps): Clock {
  let trusted: Line | null = null;
  /** The time that the clock jumped to. */
  let jumped: Line | null = null;
  let aheadFrom: number | null = null;
  let recordedAt = Number.NEGATIVE_INFINITY;
  let decidesFrom = Number.NEGATIVE_INFINITY;

  const read = (): Line => ({ at: now(), steady: steady() });
  const follows = (line: Line, { at, steady }: Line) => Math.abs(at - expect(line, steady)) <= toleranceMs;

  const begin = async (current: Line): Promise<Line> => {
    const state = await readClock(control.read);
    aheadFrom = state.aheadFrom;
    const isUsual = current.at >= state.seenAt - toleranceMs && current.at <= state.seenAt + longestStopMs;
    return state.seenAt === 0 || isUsual ? current : { at: state.seenAt, steady: current.steady };
  };

  const record = async (current: Line) => {
    trusted = current;
    if (current.steady - recordedAt < recordEveryMs) return;
    recordedAt = current.steady;
    await recordTime(control.write, current.at);
  };

  const noteJump = async (from: number, current: Line) => {
    jumped = current;
    const way = current.at > from ? 'ahead' : 'back';
    logger.warn(
      `the clock jumped ${way} by ${describeSpan(current.at - from)}; slots wait until it has kept its time for ${describeSpan(settleMs)}. Check the time synchronization (NTP) of this machine`,
      { from: new Date(from).toISOString(), to: new Date(current.at).toISOString() },
    );
    await recordJump(control.write, { from, to: current.at });
  };

  const accept = async (right: number, current: Line) => {
    jumped = null;
    const jumpMs = current.at - right;
    if (Math.abs(jumpMs) > dayMs) decidesFrom = current.steady + dayMs;
    if (jumpMs > 0) aheadFrom ??= right;
    else {
      const orgs = await resetMarks(control.write, aheadFrom ?? current.at, current.at);
      if (orgs > 0) logger.info('slots of a time that has not come yet are planned again', { orgs });
      aheadFrom = null;
    }
    await recordAhead(control.write, aheadFrom);
    logger.warn('the clock has kept its new time; slots are opened by it', { now: new Date(current.at).toISOString() });
    recordedAt = Number.NEGATIVE_INFINITY;
    await record(current);
  };

  const look = async (): Promise<boolean> => {
    const current = read();
    trusted ??= await begin(current);
    if (follows(trusted, current)) {
      if (jumped !== null) logger.info('the clock is right again', { now: new Date(current.at).toISOString() });
      jumped = null;
      await record(current);
      return true;
    }
    const right = expect(trusted, current.steady);
    if (jumped === null || !follows(jumped, current)) await noteJump(right, current);
    if (current.steady - jumped!.steady < settleMs) return false;
    await accept(right, current);
    return true;
  };

  const isTrusted = () => trusted === null || follows(trusted, read());
  return { look, isTrusted, mayDecide: () => isTrusted() && steady() >= decidesFrom };
}

/** The time that the clock should show now, if it has not been set since. */
function expect(line: Line, steady: number): number {
  return line.at + (steady - line.steady);
}

/** `45 s`, `5 min`, `24 h`, `365 d`. */
export function describeSpan(ms: number): string {
  const units: [string, number][] = [
    ['d', dayMs],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ];
  const size = Math.abs(ms);
  const [unit, unitMs] = units.find(([, one]) => size >= 2 * one) ?? units.at(-1)!;
  return `${Math.round(size / unitMs)} ${unit}`;
}

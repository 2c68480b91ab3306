/** When a failed delivery is tried again, and when a subscriber is given up. */
import type { Failure, Subscriber } from '../db/control/eventsubscribers.js';

const firstPauseMs = 5_000;
const growth = 3;
const longestPauseMs = 6 * 3_600_000;
/** A receiver may ask for a longer pause, up to this one. */
const longestAskedMs = 12 * 3_600_000;
const giveUpAfterMs = 3 * 86_400_000;
/** A clock that jumps ahead must not end a subscriber that failed a few times. */
const leastAttempts = 12;

/**
 * null: it has failed for three days.
 * @param random from 0 to 1.
 */
export function planRetry(
  { failures, failingSince }: Pick<Subscriber, 'failures' | 'failingSince'>,
  now: number,
  retryAfterMs: number,
  random: () => number,
): Failure | null {
  const since = failingSince ?? now;
  if (now - since >= giveUpAfterMs && failures + 1 >= leastAttempts) return null;
  const pause = Math.max(pauseAfter(failures, random), Math.min(retryAfterMs, longestAskedMs));
  return { failures: failures + 1, since, nextAt: Math.round(now + pause) };
}

/** After a fault of this machine: the three days in which the receiver may fail begin again. */
export function planPause({ failures }: Pick<Subscriber, 'failures'>, now: number, random: () => number): Failure {
  return { failures: failures + 1, since: now, nextAt: Math.round(now + pauseAfter(failures, random)) };
}

function pauseAfter(failures: number, random: () => number): number {
  const pause = Math.min(firstPauseMs * growth ** Math.min(failures, 20), longestPauseMs);
  return pause * (0.8 + 0.4 * random());
}

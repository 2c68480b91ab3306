/** When a source has its next round: before the slots of its organization, every so many minutes, and later after failures. */
import type { Org } from '../db/control/orgs.js';
import type { SourceConfig } from '../db/control/sources.js';

const minuteMs = 60_000;
/** Of `every:N`, in minutes. */
export const shortestEvery = 1;
export const longestEvery = 24 * 60;

/** A folder without notifications, and one with them (they can be lost). */
const pollMs = 15_000;
const watchedMs = minuteMs;

/** After failures in a row: 1, 2, 4, … minutes, up to 4 hours; of a folder up to 5 minutes, because a look costs little. */
const longestPauseMs = 240 * minuteMs;
const longestFolderPauseMs = 5 * minuteMs;
/** A login that failed often closes an account. */
const afterLoginMs = 15 * minuteMs;
/** After a round that left files, because they may still be growing. */
const waitingMs: Record<SourceConfig['kind'], number> = { sftp: minuteMs, folder: 10_000 };

/** A file that is never finished must not make a round each minute. */
const longestWaitingMs = 30 * minuteMs;

/** The rounds before a slot, in shares of the lead time: a file that comes late is found by the second or the third one. */
const shares = [1, 2 / 3, 1 / 3];

/** The time of the organization's next slot after a moment, in ms: the importer's calendar knows it. */
export type NextSlot = (org: Org, after: number) => number;

export interface ScheduleDeps {
  nextSlot: NextSlot;
  leadMs: number;
}

/** Minutes of `every:30m` or `every:2h`; null: it is none of these. */
export function readEvery(text: string): number | null {
  const [, digits, unit] = /^every:(\d{1,4})(m|h)$/.exec(text) ?? [];
  if (digits === undefined) return null;
  const minutes = Number(digits) * (unit === 'h' ? 60 : 1);
  return minutes >= shortestEvery && minutes <= longestEvery ? minutes : null;
}

/** The next regular round after `now`, in ms. */
export function regularRound(config: SourceConfig, org: Org, now: number, { nextSlot, leadMs }: ScheduleDeps): number {
  if (config.kind === 'folder') return now + (config.poll ? pollMs : watchedMs);
  const every = readEvery(config.when);
  if (every !== null) return now + every * minuteMs;
  const slot = nextSlot(org, now);
  const rounds = [...shares.map((share) => slot - share * leadMs), nextSlot(org, slot) - leadMs];
  return rounds.find((at) => at > now)!;
}

/** `failures`, `waitingRounds`: rounds in a row that failed, or left files that were not finished, the last one included. */
export function nextRound(
  config: SourceConfig,
  org: Org,
  now: number,
  { failures, failureCode, waitingRounds }: { failures: number; failureCode: string | null; waitingRounds: number },
  deps: ScheduleDeps,
): number {
  const regular = regularRound(config, org, now, deps);
  if (failures === 0) {
    if (waitingRounds === 0) return regular;
    const pause = Math.min(longestWaitingMs, waitingMs[config.kind] * 2 ** Math.min(waitingRounds - 1, 20));
    return Math.min(regular, now + pause);
  }
  const longest = config.kind === 'folder' ? longestFolderPauseMs : longestPauseMs;
  const least = failureCode === 'login' ? afterLoginMs : minuteMs;
  const pause = Math.min(longest, least * 2 ** Math.min(failures - 1, 20));
  // The round before a slot is always tried; `every:5m` becomes rarer while it fails.
  return config.kind === 'sftp' && config.when === 'before-slot' ? Math.min(regular, now + pause) : now + pause;
}

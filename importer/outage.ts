/** The time in which the machine or the database refuses work that is done again and again: said once, with pauses that grow. */
import type { Logger } from '../config/logger.js';
import { describeFault } from './run/failureclass.js';

export interface Outage {
  /** Takes note of a failure; how long to wait before the next attempt, in ms. */
  begin(error: Error): number;
  /** The work succeeded: says so if it had failed before. */
  end(): void;
}

const firstPauseMs = 1_000;
const longestPauseMs = 60_000;
/** After a failure that is no fault of the machine, which each attempt logs. */
const pauseAfterDefectMs = 5_000;

/** How long to wait after so many failures in a row, in ms. */
export function outagePause(failures: number): number {
  return Math.min(firstPauseMs * 2 ** (failures - 1), longestPauseMs);
}

/** @param operation a verb and its object, as `work on the next open run`. */
export function createOutage(operation: string, logger: Pick<Logger, 'error' | 'info'>): Outage {
  let failures = 0;
  let told: string | null = null;
  let begunAt = 0;
  return {
    begin: (error) => {
      const fault = describeFault(error);
      if (fault === null) {
        logger.error(`could not ${operation}; will retry in ${pauseAfterDefectMs / 1000} s`, { reason: error.message });
        return pauseAfterDefectMs;
      }
      if (failures === 0) begunAt = performance.now();
      failures++;
      const from = outagePause(failures) / 1000;
      const pauses = `with pauses that grow from ${from} to ${longestPauseMs / 1000} s`;
      if (told !== fault) logger.error(`could not ${operation}; will retry ${pauses}`, { reason: fault });
      told = fault;
      return outagePause(failures);
    },
    end: () => {
      if (failures > 0)
        logger.info(`can ${operation} again`, { failures, ms: Math.round(performance.now() - begunAt) });
      failures = 0;
      told = null;
    },
  };
}

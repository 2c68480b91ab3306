/** Limits how often a message is logged: a few lines a minute of each, then the number of those left out. */
import type { Logger } from '../../config/logger.js';

const minuteMs = 60_000;

export interface LogLimiter {
  /** Whether to log this line: `most` a minute of each message are logged, the others counted. */
  allows(message: string, most?: number): boolean;
  stop(): void;
}

export function createLogLimiter(logger: Logger): LogLimiter {
  const seen = new Map<string, { logged: number; more: number }>();
  const logCounts = (): void => {
    for (const [message, { more }] of seen)
      if (more > 0) logger.warn(`${message}: more in the last minute, not logged`, { times: more });
    seen.clear();
  };
  const timer = setInterval(logCounts, minuteMs).unref();
  return {
    allows(message, most = 1) {
      const counts = seen.get(message) ?? { logged: 0, more: 0 };
      seen.set(message, counts);
      const isAllowed = counts.logged < most;
      counts[isAllowed ? 'logged' : 'more']++;
      return isAllowed;
    },
    stop() {
      clearInterval(timer);
      logCounts();
    },
  };
}

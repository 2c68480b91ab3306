/** Keeps a flood out of the log: a few lines a minute of each message, and then how many more there were. */
import type { Logger } from '../../config/logger.js';

const minuteMs = 60_000;

export interface LogLimiter {
  /** Whether this one is still to be logged: `most` a minute of each message are, the others are counted. */
  allows(message: string, most?: number): boolean;
  stop(): void;
}

export function createLogLimiter(logger: Logger): LogLimiter {
  const seen = new Map<string, { logged: number; more: number }>();
  const logCounts = (): void => {
    for (const [message, { more }] of seen)
      if (more > 0) logger.warn(`${message}: more of them in the last minute`, { times: more });
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

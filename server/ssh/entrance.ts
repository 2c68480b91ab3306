/** The reception of a server with all that it judges by: known users, penalties that nodes share, and counts of failed logins. */
import type { ServerDeps } from '../types.js';
import { createFailedLogins, type FailedLogins } from './failedlogins.js';
import { createKnownUsers, recallLogins } from './knownusers.js';
import { createLogLimiter, type LogLimiter } from './loglimiter.js';
import type { Penalty } from './penalties.js';
import { openLoginPenalties } from './penaltysync.js';
import { Reception } from './reception.js';

export type EntranceDeps = Pick<ServerDeps, 'settings' | 'logger' | 'control' | 'now' | 'random'>;

export interface Entrance {
  reception: Reception;
  logLimiter: LogLimiter;
  failedLogins: FailedLogins;
  stop(): Promise<void>;
}

interface Counted {
  /** Open connections. */
  countConnections(): number;
  /** A penalty has begun: connections without a login may have to end. */
  onPenalty(): void;
}

/** @throws when the control database can't be asked */
export async function openEntrance(deps: EntranceDeps, { countConnections, onPenalty }: Counted): Promise<Entrance> {
  const { settings, logger, now } = deps;
  const logLimiter = createLogLimiter(logger);
  const failedLogins = createFailedLogins(deps);
  const known = createKnownUsers(now);
  await recallLogins(known, deps);
  const penalties = settings.penalties === 'on' ? await openLoginPenalties(known, deps) : null;
  const begin = (penalty: Penalty): void => {
    penalties?.sync.announce(penalty);
    const { source, cause, until } = penalty;
    const details = { source, cause, seconds: Math.round((until - now()) / 1000), inARow: penalty.strikes };
    if (logLimiter.allows('penalty for an address', 10)) logger.warn('penalty for an address', details);
    onPenalty();
  };
  const reception = new Reception({
    ...{ settings, logger, logLimiter, known, countConnections, now },
    onPenalty: begin,
    penalties: penalties?.rules ?? null,
    random: deps.random ?? Math.random,
  });
  return {
    reception,
    logLimiter,
    failedLogins,
    async stop() {
      reception.stop();
      logLimiter.stop();
      await penalties?.sync.stop();
      await failedLogins.stop();
    },
  };
}

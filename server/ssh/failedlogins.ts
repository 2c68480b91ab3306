/** Records failed logins of unknown clients in the audit trail: counted by address, a bounded number of records a minute. */
import type { Logger } from '../../config/logger.js';
import type { Db } from '../../db/connection.js';
import { recordAudit } from '../../db/control/audit.js';

export interface FailedLoginsDeps {
  control: Db;
  logger: Logger;
  now: () => number;
  everyMs?: number;
}

export interface FailedLogins {
  /** Counts a connection from `address` that offered keys or passwords and ended without a login. */
  count(address: string | null): void;
  /** Records the remaining counts and stops. */
  stop(): Promise<void>;
}

/** The reason of these records. */
export const noLogin = 'no login';

const minuteMs = 60_000;
/** Addresses that get a record of their own in each round; the others share one. */
const mostRecords = 50;
/** Addresses that are counted separately: bounds the memory that a flood can take. */
const mostAddresses = 1000;

export function createFailedLogins({ control, logger, now, everyMs = minuteMs }: FailedLoginsDeps): FailedLogins {
  let counts = new Map<string, number>();
  let uncounted = 0;
  let recording: Promise<void> = Promise.resolve();

  const record = async (): Promise<void> => {
    const ranked = [...counts].sort(([, one], [, other]) => other - one);
    const rest = ranked.slice(mostRecords);
    const restConnections = rest.reduce((sum, [, connections]) => sum + connections, uncounted);
    [counts, uncounted] = [new Map(), 0];
    if (ranked.length === 0) return;
    const event = { at: now(), org: null, actor: 'system', action: 'login.refused' };
    try {
      await control.transact(async (tx) => {
        for (const [address, connections] of ranked.slice(0, mostRecords))
          await recordAudit(tx, { ...event, subject: address, detail: { reason: noLogin, address, connections } });
        if (restConnections > 0)
          await recordAudit(tx, {
            ...event,
            subject: 'other addresses',
            detail: { reason: noLogin, addresses: rest.length, connections: restConnections },
          });
      });
    } catch (error) {
      logger.error('could not record failed logins in the audit trail; this minute is missing there', {
        reason: (error as Error).message,
      });
    }
  };
  const timer = setInterval(() => {
    recording = recording.then(record);
  }, everyMs).unref();

  return {
    count(address) {
      const source = address ?? 'unknown';
      if (counts.has(source) || counts.size < mostAddresses) counts.set(source, (counts.get(source) ?? 0) + 1);
      else uncounted++;
    },
    async stop() {
      clearInterval(timer);
      await recording;
      await record();
    },
  };
}

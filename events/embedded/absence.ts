/**
 * Counts the events of handlers whose program does not run as failed attempts, so that such a handler is disabled after three days
 * as any other subscriber, and keeps events no longer.
 */
import type { Deliverer } from '../deliverer.js';
import { embeddedKindName } from './handlers.js';

/** The program notes more often that it has its handlers (`noteEveryMs`). */
const absentAfterMs = 90_000;

export function createAbsenceDeliverer(now: () => number): Deliverer {
  return {
    kind: embeddedKindName,
    concurrency: 4,
    serves: ({ seenAt }) => seenAt === null || Math.abs(now() - seenAt) > absentAfterMs,
    deliver: async () => ({ result: 'failed', detail: 'the program of the handler does not run' }),
  };
}

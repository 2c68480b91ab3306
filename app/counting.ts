/** The counts of the metrics: each process of a server sends its own to the process of the server, which has the counters. */
import type { Db } from '../db/connection.js';
import type { AuditEvent } from '../db/control/auditchain.js';
import type { Outcome } from '../events/deliverer.js';
import type { AppliedCounts } from '../importer/run/appliedcounts.js';
import type { CountedEvent } from '../server/workers/messages.js';

/** From a process of the server. */
export type CountMessage =
  | { type: 'audit'; events: readonly CountedEvent[] }
  /** A run was applied and settled. */
  | { type: 'applied'; counts: AppliedCounts }
  /** An attempt to deliver events was made. */
  | { type: 'delivery'; kind: string; result: Outcome['result'] };

/** A process ended without being asked to. `cause`: why the server ended it; `ended`: it ended by itself. */
export interface CountedRestart {
  type: 'restart';
  process: 'importer' | 'scheduler' | 'api';
  cause: string;
}

export type Count = (message: CountMessage | CountedRestart) => void;

/** Sends the audit records of this process, those of one turn of the event loop in one message. */
export function forwardAudit(
  control: Pick<Db, 'onAudit'>,
  tell: (message: CountMessage & { type: 'audit' }) => void,
): void {
  let waiting: CountedEvent[] = [];
  control.onAudit?.((events) => {
    if (waiting.length === 0)
      setImmediate(() => {
        tell({ type: 'audit', events: waiting });
        waiting = [];
      });
    waiting.push(...events.map(countedPart));
  });
}

/** The numbers that metrics count. The reason of a refused login is one of a few; other reasons may be any text. */
function countedPart({ action, detail }: AuditEvent): CountedEvent {
  const { size, ms, connections, reason } = detail;
  return { action, detail: { size, ms, connections, ...(action === 'login.refused' && { reason }) } };
}

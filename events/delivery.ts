/** Delivers the events: to each subscriber in order and at least once, to several at the same time, and by one node for each. */
import { listReplaying } from '../db/control/eventdeliveries.js';
import {
  type DueSubscriber,
  endLease,
  endOtherLeases,
  findSubscriber,
  listDue,
  type Position,
  takeLease,
} from '../db/control/eventsubscribers.js';
import { type AttemptDeps, deliverNext } from './attempt.js';
import type { Deliverer } from './deliverer.js';
import { type Bounds, readBounds } from './feed.js';
import { createIdleMarks } from './idle.js';

export interface DeliveryDeps extends AttemptDeps {
  deliverers: readonly Deliverer[];
  /** Kinds to which no other process delivers: leases of processes that were killed end at the start. */
  aloneWith?: readonly string[];
  /** How often it looks for new events. */
  everyMs?: number;
}

export interface Deliveries {
  /** Looks for new events now. */
  wake(): void;
  /** Ends attempts that are under way; they are made again. */
  stop(): Promise<void>;
}

const lookEveryMs = 1_000;
/** Whoever delivers to a subscriber holds its lease so long, and renews it so often. */
export const leaseMs = 60_000;
export const renewEveryMs = 20_000;
/** After this time another subscriber of the kind has its turn. */
const sliceMs = 5_000;
/** The longest pause of a subscriber that an error stopped: of the database, or a defect. */
const longestPauseMs = 60_000;

export function startDeliveries(deps: DeliveryDeps): Deliveries {
  const { control, logger, now } = deps;
  const stopping = new AbortController();
  const serving = new Map<string, { kind: string; done: Promise<void> }>();
  const lastServed = new Map<string, number>();
  const idle = createIdleMarks(deps);
  /** Of subscribers that an error stopped: how often in a row, and until when they wait, by a clock that only goes forward. */
  const stopped = new Map<string, { times: number; until: number }>();
  const everyMs = deps.everyMs ?? lookEveryMs;
  let turn = 0;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | null = null;
  let hasFailed = false;
  let isWoken = false;

  const begin = (subscriber: DueSubscriber, deliverer: Deliverer) => {
    lastServed.set(subscriber.id, turn++);
    const done = serve(deps, subscriber.id, deliverer, stopping.signal)
      .then((mayHaveMore) => {
        stopped.delete(subscriber.id);
        return mayHaveMore;
      })
      .catch((error: Error) => {
        if (stopping.signal.aborted) return false;
        // The database is away, or a defect.
        const times = stopped.get(subscriber.id)?.times ?? 0;
        const pauseMs = Math.min(everyMs * 2 ** Math.min(times, 20), longestPauseMs);
        stopped.set(subscriber.id, { times: times + 1, until: performance.now() + pauseMs });
        logger.error('could not deliver events; will retry', {
          ...{ subscriber: subscriber.id, pauseMs, reason: error.message.slice(0, 300) },
        });
        return false;
      })
      .then((mayHaveMore) => {
        serving.delete(subscriber.id);
        if (mayHaveMore) wake();
      });
    serving.set(subscriber.id, { kind: subscriber.kind, done });
  };

  let isFirst = true;
  const look = async () => {
    if (isFirst) await endOtherLeases(control.write, deps.owner, deps.aloneWith ?? []);
    isFirst = false;
    const mayBegin = ({ id }: DueSubscriber) => !serving.has(id) && (stopped.get(id)?.until ?? 0) <= performance.now();
    const enabled = await listDue(control.read, now());
    forgetOthers(enabled, [lastServed, stopped]);
    const due = enabled.filter(mayBegin);
    if (due.length === 0) return;
    const bounds = await readBounds(deps);
    const replaying = await listReplaying(control.read);
    const behind = due.filter(({ id, position }) => isBehind(position, bounds) && !replaying.has(id));
    const waiting = [...due.filter(({ id }) => replaying.has(id)), ...(await idle.sift(behind, bounds))];
    waiting.sort((one, other) => (lastServed.get(one.id) ?? -1) - (lastServed.get(other.id) ?? -1));
    for (const subscriber of waiting) {
      const deliverer = deps.deliverers.find(({ kind }) => kind === subscriber.kind);
      if (deliverer === undefined || stopping.signal.aborted || deliverer.serves?.(subscriber) === false) continue;
      const busy = [...serving.values()].filter(({ kind }) => kind === subscriber.kind).length;
      if (busy < deliverer.concurrency) begin(subscriber, deliverer);
    }
  };

  const round = () => {
    isWoken = false;
    looking = look()
      .then(() => {
        if (hasFailed) logger.info('delivers events again');
        hasFailed = false;
      })
      .catch((error: Error) => {
        if (!hasFailed)
          logger.error('could not look for new events; retrying until it works', { reason: error.message });
        hasFailed = true;
      })
      .then(() => {
        looking = null;
        if (!stopping.signal.aborted) timer = setTimeout(round, isWoken ? 0 : everyMs);
      });
  };
  const wake = () => {
    isWoken = true;
    if (looking !== null || stopping.signal.aborted) return;
    clearTimeout(timer);
    timer = setTimeout(round, 0);
  };
  round();
  return {
    wake,
    stop: async () => {
      stopping.abort();
      clearTimeout(timer);
      await looking;
      await Promise.all([...serving.values()].map(({ done }) => done));
    },
  };
}

/** Subscribers that were removed are not remembered. */
function forgetOthers(subscribers: readonly DueSubscriber[], maps: readonly Map<string, unknown>[]): void {
  const ids = new Set(subscribers.map(({ id }) => id));
  for (const map of maps) for (const id of map.keys()) if (!ids.has(id)) map.delete(id);
}

function isBehind(position: Position, bounds: Bounds): boolean {
  return position.control < bounds.control || position.directory < bounds.directory;
}

/** Delivers for a slice of time, or until nothing is left or an attempt fails. Returns whether more may be left. */
async function serve(deps: DeliveryDeps, id: string, deliverer: Deliverer, stopping: AbortSignal): Promise<boolean> {
  const { control, owner, now, logger } = deps;
  const lease = () => takeLease(control.write, id, owner, now(), leaseMs);
  const renewal = setInterval(() => {
    // A lease that can't be renewed ends, and another node repeats the attempt.
    lease().catch((error: Error) =>
      logger.warn('could not renew the lease of a subscriber', { reason: error.message }),
    );
  }, renewEveryMs).unref();
  const end = performance.now() + sliceMs;
  try {
    while (!stopping.aborted) {
      if (!(await lease())) return false;
      const subscriber = await findSubscriber(control.read, id);
      if (subscriber === null) return false;
      const step = await deliverNext(deps, subscriber, deliverer, stopping);
      if (step === 'idle' || step === 'failed') return false;
      if (performance.now() > end) return true;
    }
    return false;
  } finally {
    clearInterval(renewal);
    await endLease(control.write, id, owner);
  }
}

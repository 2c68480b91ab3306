/** Delivers the events: to each subscriber in order and at least once, to several at the same time, and by one node for each. */
import type { Logger } from '../config/logger.js';
import type { Db, Queryable } from '../db/connection.js';
import {
  advanceReplay,
  endReplay,
  firstReplay,
  insertDelivery,
  listReplaying,
  type Replay,
} from '../db/control/eventdeliveries.js';
import {
  advance,
  endLease,
  endOtherLeases,
  findSubscriber,
  giveUp,
  listDue,
  longestWaitMs,
  noteFailure,
  type Position,
  postpone,
  type Subscriber,
  takeLease,
} from '../db/control/eventsubscribers.js';
import type { Batch, Deliverer, Outcome } from './deliverer.js';
import { bodyOf } from './envelope.js';
import { type Bounds, type FeedOptions, type Part, readBounds, readPart } from './feed.js';
import { planRetry } from './retry.js';
import { typesOf } from './types.js';

export interface DeliveryDeps {
  control: Db;
  directory: Db;
  logger: Logger;
  now: () => number;
  /** Unique to this process. */
  owner: string;
  deliverers: readonly Deliverer[];
  /** Kinds to which no other process delivers: leases of processes that were killed end at the start. */
  aloneWith?: readonly string[];
  /** From 0 to 1. */
  random?: () => number;
  /** How often it looks for new events. */
  everyMs?: number;
  /** Called after each step that a crash can separate from the next: for tests that kill the process there. */
  onStep?: (step: DeliveryStep) => void | Promise<void>;
}

/** begun: the batch is chosen and noted. sent: the receiver has it. noted: the place of the subscriber is stored. */
export type DeliveryStep = 'begun' | 'sent' | 'noted';

export interface Deliveries {
  /** Looks for new events now. */
  wake(): void;
  /** Ends attempts that are under way; they are made again. */
  stop(): Promise<void>;
}

const lookEveryMs = 1_000;
const leaseMs = 60_000;
const renewEveryMs = 20_000;
/** After this time another subscriber of the kind has its turn. */
const sliceMs = 5_000;
/** Events of users, teams and fields in one delivery, unless the subscriber says otherwise. */
export const usualBatch = 100;

export function startDeliveries(deps: DeliveryDeps): Deliveries {
  const { control, logger, now } = deps;
  const stopping = new AbortController();
  const serving = new Map<string, { kind: string; done: Promise<void> }>();
  const lastServed = new Map<string, number>();
  let turn = 0;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | null = null;
  let hasFailed = false;
  let isWoken = false;

  const begin = (subscriber: Subscriber, deliverer: Deliverer) => {
    lastServed.set(subscriber.id, turn++);
    const done = serve(deps, subscriber.id, deliverer, stopping.signal)
      .catch((error: Error) => {
        // The database is away, or a defect: the next look tries again.
        if (!stopping.signal.aborted)
          logger.error('could not deliver events; will retry', { subscriber: subscriber.id, reason: error.message });
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
    const due = (await listDue(control.read, now())).filter(({ id }) => !serving.has(id));
    if (due.length === 0) return;
    const bounds = await readBounds(deps);
    const replaying = await listReplaying(control.read);
    const waiting = due.filter(({ id, position }) => isBehind(position, bounds) || replaying.has(id));
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
        if (!stopping.signal.aborted) timer = setTimeout(round, isWoken ? 0 : (deps.everyMs ?? lookEveryMs));
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

/** One attempt: the next events of a replay, else the next ones that the subscriber has not had. */
async function deliverNext(
  deps: DeliveryDeps,
  subscriber: Subscriber,
  deliverer: Deliverer,
  stopping: AbortSignal,
): Promise<'delivered' | 'failed' | 'idle'> {
  const { control, now, onStep } = deps;
  const replay = await firstReplay(control.read, subscriber.id);
  const feed = feedOf(subscriber, replay, deliverer);
  const bounds = replay?.to ?? (await readBounds(deps));
  const place = replay?.position ?? subscriber.position;
  const part = await readPart(deps, place, bounds, feed);
  if (part.events.length === 0) {
    await control.transact(async (tx) => {
      if (replay === null) await moveOn(deps, tx, subscriber, null, part.next, false);
      else await endReplay(tx, replay.id);
    });
    return replay === null ? 'idle' : 'delivered';
  }
  if (part.batchTo !== null && part.batchTo !== place.batchTo) {
    const begun = { ...part.next, directory: place.directory, batchTo: part.batchTo };
    if (!(await control.transact((tx) => moveOn(deps, tx, subscriber, replay, begun, false)))) return 'idle';
  }
  const gatheredAt = Date.parse(part.events[0]!.at) + (deliverer.gather?.ms ?? 0);
  const isFull = part.events.length === feed.together;
  if (replay === null && !isFull && gatheredAt > now() && gatheredAt < now() + longestWaitMs) {
    await postpone(control.write, { id: subscriber.id, owner: deps.owner }, gatheredAt);
    return 'idle';
  }
  await onStep?.('begun');
  const began = now();
  const outcome = await attempt(deps, subscriber, deliverer, part, stopping);
  await onStep?.('sent');
  // An attempt that the server's stop ended is none.
  if (stopping.aborted && outcome.result !== 'delivered') return 'idle';
  const result = await control.transact((tx) => settle(deps, tx, { subscriber, replay, part, outcome, began }));
  await onStep?.('noted');
  return result;
}

function feedOf({ org, types, options }: Subscriber, replay: Replay | null, { gather }: Deliverer): FeedOptions {
  const wanted = typesOf(types);
  const own = replay?.filter.types;
  const filter = {
    ...replay?.filter,
    ...(org !== null && { org }),
    types: own === undefined ? wanted : wanted.filter((type) => own.includes(type)),
  };
  const { batch = usualBatch, personal } = options;
  return { filter, batch: Number(batch), together: gather?.most ?? 1, personal: personal === true };
}

async function attempt(
  { logger }: DeliveryDeps,
  subscriber: Subscriber,
  deliverer: Deliverer,
  { id, events }: Part,
  stopping: AbortSignal,
): Promise<Outcome> {
  const batch: Batch = { id, events, body: bodyOf(events, id), subscriber };
  try {
    return await deliverer.deliver(batch, stopping);
  } catch (error) {
    logger.error('could not make a delivery; will retry', {
      subscriber: subscriber.id,
      reason: (error as Error).message,
    });
    return { result: 'failed', detail: 'an internal error; see the log' };
  }
}

interface Attempted {
  subscriber: Subscriber;
  replay: Replay | null;
  part: Part;
  outcome: Outcome;
  began: number;
}

/** Notes how an attempt ended: in one transaction with the subscriber's place. */
async function settle(
  deps: DeliveryDeps,
  tx: Queryable,
  { subscriber, replay, part, outcome, began }: Attempted,
): Promise<'delivered' | 'failed' | 'idle'> {
  const { now, logger, owner, random = Math.random } = deps;
  const at = now();
  const isDelivered = outcome.result === 'delivered';
  if (isDelivered && !(await moveOn(deps, tx, subscriber, replay, part.next, true))) return 'idle';
  await insertDelivery(tx, {
    ...{ subscriber: subscriber.id, at: began, ms: Math.max(0, at - began), event: part.events[0]!.id },
    ...{ type: part.events.length > 1 ? 'batch' : part.events[0]!.type, events: part.events.length },
    ...{ attempt: subscriber.failures + 1, outcome: isDelivered ? 'delivered' : 'failed', detail: outcome.detail },
  });
  if (isDelivered) return 'delivered';
  const retryAfterMs = outcome.result === 'failed' ? (outcome.retryAfterMs ?? 0) : 0;
  const retry = outcome.result === 'gone' ? null : planRetry(subscriber, at, retryAfterMs, random);
  const of = { subscriber: subscriber.id, kind: subscriber.kind, org: subscriber.org, outcome: outcome.detail };
  if (retry !== null) {
    await noteFailure(tx, { id: subscriber.id, owner }, retry);
    logger.warn('a delivery of events failed; will retry', {
      ...{ ...of, failures: retry.failures, retryAt: new Date(retry.nextAt).toISOString() },
    });
  } else if (await giveUp(tx, subscriber, outcome.detail, at))
    logger.error('disabled a subscriber of events that can no longer be reached', {
      ...of,
      failures: subscriber.failures + 1,
    });
  return 'failed';
}

/** Stores the place of the subscriber, or of its replay; false: this node must deliver no more to it. */
async function moveOn(
  { owner }: DeliveryDeps,
  tx: Queryable,
  { id, position }: Subscriber,
  replay: Replay | null,
  next: Position,
  isDelivered: boolean,
): Promise<boolean> {
  if (replay !== null) await advanceReplay(tx, replay.id, next);
  return advance(tx, { id, owner }, replay === null ? next : position, isDelivered);
}

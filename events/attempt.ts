/** One attempt to deliver: chooses the next events of a subscriber, hands them to its deliverer, and notes how that ended. */
import type { Logger } from '../config/logger.js';
import { newContext, tellSpan } from '../config/spans.js';
import type { Db, Queryable } from '../db/connection.js';
import { advanceReplay, endReplay, firstReplay, insertDelivery, type Replay } from '../db/control/eventdeliveries.js';
import {
  advance,
  giveUp,
  type Held,
  longestWaitMs,
  noteFailure,
  type Position,
  postpone,
  type Subscriber,
} from '../db/control/eventsubscribers.js';
import type { Batch, Deliverer, Outcome } from './deliverer.js';
import { bodyOf } from './envelope.js';
import { type FeedOptions, type Part, readBounds, readPart } from './feed.js';
import { planPause, planRetry } from './retry.js';
import { typesOf } from './types.js';

export interface AttemptDeps {
  control: Db;
  directory: Db;
  logger: Logger;
  now: () => number;
  /** Unique to this process. */
  owner: string;
  /** From 0 to 1. */
  random?: () => number;
  /** Called after each attempt to deliver, with the kind of the subscriber. */
  onAttempt?: (kind: string, result: Outcome['result']) => void;
  /** Called after each step that a crash can separate from the next: for tests that kill the process there. */
  onStep?: (step: DeliveryStep) => void | Promise<void>;
}

/** begun: the batch is chosen and noted. sent: the receiver has it. noted: the place of the subscriber is stored. */
export type DeliveryStep = 'begun' | 'sent' | 'noted';

/** idle: there is nothing to deliver now, or this node must not. */
export type Progress = 'delivered' | 'failed' | 'idle';

/** Events of users, teams and fields in one delivery, unless the subscriber says otherwise. */
const usualBatch = 100;

/** The next events of a replay, else the next ones that the subscriber has not had. This node must have its lease. */
export async function deliverNext(
  deps: AttemptDeps,
  subscriber: Subscriber,
  deliverer: Deliverer,
  stopping: AbortSignal,
): Promise<Progress> {
  const { control, now, onStep } = deps;
  let chosen: Awaited<ReturnType<typeof choose>>;
  try {
    chosen = await choose(deps, subscriber, deliverer);
  } catch (error) {
    return failReading(deps, subscriber, error as Error);
  }
  const { replay, place, part, mostTogether } = chosen;
  const held = heldBy(deps, subscriber);
  if (part.events.length === 0) {
    await control.transact(async (tx) => {
      if (replay === null) await moveOn(tx, held, null, part.next, false);
      else await endReplay(tx, replay.id);
    });
    return replay === null ? 'idle' : 'delivered';
  }
  if (part.batchTo !== null && part.batchTo !== place.batchTo) {
    const begun = { ...part.next, directory: place.directory, batchTo: part.batchTo };
    if (!(await control.transact((tx) => moveOn(tx, held, replay, begun, false)))) return 'idle';
    if (replay === null) held.position = begun;
  }
  const gatheredAt = Date.parse(part.events[0]!.at) + (deliverer.gather?.ms ?? 0);
  const isFull = part.events.length === mostTogether;
  if (replay === null && !isFull && gatheredAt > now() && gatheredAt < now() + longestWaitMs) {
    await postpone(control.write, held, gatheredAt);
    return 'idle';
  }
  await onStep?.('begun');
  const began = now();
  const outcome = await attempt(deps, subscriber, deliverer, part, stopping);
  const took = { startMs: began, endMs: now() };
  tellSpan(() => ({
    ...{ name: 'delivery', kind: 'client', context: newContext(), ...took },
    attributes: {
      ...{ 'dropslot.subscriber': subscriber.id, 'dropslot.subscriber.kind': subscriber.kind },
      ...{ 'dropslot.events': part.events.length, 'dropslot.outcome': outcome.result },
      ...(subscriber.org !== null && { 'dropslot.org': subscriber.org }),
    },
    isFailed: outcome.result !== 'delivered',
  }));
  await onStep?.('sent');
  // An attempt that the server's stop ended is none.
  if (stopping.aborted && outcome.result !== 'delivered') return 'idle';
  const result = await control.transact((tx) => settle(deps, tx, { subscriber, held, replay, part, outcome, began }));
  if (result !== 'idle') deps.onAttempt?.(subscriber.kind, outcome.result);
  await onStep?.('noted');
  return result;
}

function heldBy({ owner }: AttemptDeps, { id, position, failures }: Subscriber): Held {
  return { id, position, failures, owner };
}

async function choose(deps: AttemptDeps, subscriber: Subscriber, deliverer: Deliverer) {
  const replay = await firstReplay(deps.control.read, subscriber.id);
  const feed = feedOf(subscriber, replay, deliverer);
  const bounds = replay?.to ?? (await readBounds(deps));
  const place = replay?.position ?? subscriber.position;
  return { replay, place, part: await readPart(deps, place, bounds, feed), mostTogether: feed.together };
}

/** The receiver is not the cause: the attempt is made again after a growing pause, and never disables the subscriber. */
async function failReading(deps: AttemptDeps, subscriber: Subscriber, error: Error): Promise<Progress> {
  const { control, now, logger, random = Math.random } = deps;
  const at = now();
  const retry = planPause(subscriber, at, random);
  const { id, failures } = subscriber;
  const isNoted = await control.transact(async (tx) => {
    if (!(await noteFailure(tx, heldBy(deps, subscriber), retry))) return false;
    await insertDelivery(tx, {
      ...{ subscriber: id, at, ms: 0, event: '', type: '', events: 0, attempt: failures + 1, outcome: 'failed' },
      detail: 'the events could not be read; see the log of the server',
    });
    return true;
  });
  if (!isNoted) return 'idle';
  deps.onAttempt?.(subscriber.kind, 'failed');
  const retryAt = new Date(retry.nextAt).toISOString();
  logger.error('could not read the events of a subscriber; will retry', {
    ...{ subscriber: id, failures: retry.failures, retryAt, reason: error.message.slice(0, 300) },
  });
  return 'failed';
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
  { logger }: AttemptDeps,
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
  held: Held;
  replay: Replay | null;
  part: Part;
  outcome: Outcome;
  began: number;
}

/** Notes how an attempt ended, in one transaction with the place of the subscriber; nothing where that is no longer as it was read. */
async function settle(deps: AttemptDeps, tx: Queryable, attempted: Attempted): Promise<Progress> {
  const { subscriber, held, replay, part, outcome, began } = attempted;
  const at = deps.now();
  const isDelivered = outcome.result === 'delivered';
  const isHeld = isDelivered ? await moveOn(tx, held, replay, part.next, true) : await fail(deps, tx, attempted, at);
  // Only now: a subscriber that was removed has no log.
  if (!isHeld) return 'idle';
  await insertDelivery(tx, {
    ...{ subscriber: subscriber.id, at: began, ms: Math.max(0, at - began), event: part.events[0]!.id },
    ...{ type: part.events.length > 1 ? 'batch' : part.events[0]!.type, events: part.events.length },
    ...{ attempt: subscriber.failures + 1, outcome: isDelivered ? 'delivered' : 'failed', detail: outcome.detail },
  });
  return isDelivered ? 'delivered' : 'failed';
}

/** Plans the next attempt, or disables the subscriber; false: this node must note nothing of it. */
async function fail(
  { logger, random = Math.random }: AttemptDeps,
  tx: Queryable,
  { subscriber, held, outcome }: Attempted,
  at: number,
): Promise<boolean> {
  const retryAfterMs = outcome.result === 'failed' ? (outcome.retryAfterMs ?? 0) : 0;
  const retry = outcome.result === 'gone' ? null : planRetry(subscriber, at, retryAfterMs, random);
  const of = { subscriber: subscriber.id, kind: subscriber.kind, org: subscriber.org, outcome: outcome.detail };
  if (retry !== null) {
    if (!(await noteFailure(tx, held, retry))) return false;
    logger.warn('a delivery of events failed; will retry', {
      ...{ ...of, failures: retry.failures, retryAt: new Date(retry.nextAt).toISOString() },
    });
    return true;
  }
  if (!(await giveUp(tx, held, subscriber, { reason: outcome.detail, at }))) return false;
  logger.error('disabled a subscriber of events that can no longer be reached', {
    ...of,
    failures: subscriber.failures + 1,
  });
  return true;
}

/** Stores the place of the subscriber, or of its replay; false: this node must deliver no more to it. */
async function moveOn(
  tx: Queryable,
  held: Held,
  replay: Replay | null,
  next: Position,
  isDelivered: boolean,
): Promise<boolean> {
  // First: where another node has the lease, that one moves the replay.
  if (!(await advance(tx, held, replay === null ? next : held.position, isDelivered))) return false;
  if (replay !== null) await advanceReplay(tx, replay.id, next);
  return true;
}

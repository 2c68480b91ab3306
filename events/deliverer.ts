/** The interface of the ways by which events reach their subscribers: webhooks and commands, and others that follow. */
import type { Subscriber } from '../db/control/eventsubscribers.js';
import type { BatchEnvelope, Envelope } from './envelope.js';

export interface Batch {
  /** The event's id, or that of the batch: the same in each attempt. */
  id: string;
  /** At least one, in their order. */
  events: readonly Envelope[];
  /** The one event, or the batch of several. */
  body: Envelope | BatchEnvelope;
  subscriber: Subscriber;
}

/** `detail` is for the delivery log: `HTTP 204`, `exit code 1`; never a body. */
export type Outcome =
  | { result: 'delivered'; detail: string }
  /** To be tried again, not before `retryAfterMs` where the receiver said so. */
  | { result: 'failed'; detail: string; retryAfterMs?: number }
  /** The receiver wants no more events. */
  | { result: 'gone'; detail: string };

export interface Deliverer {
  /** As in the subscriber's row. */
  kind: string;
  /** How many subscribers of the kind are served at the same time: a slow one delays no other until so many are slow. */
  concurrency: number;
  /** Whether this process delivers to a subscriber of the kind; absent: to each. */
  serves?(subscriber: Pick<Subscriber, 'id' | 'seenAt'>): boolean;
  /** Waits so long (ms) after an event for others, and delivers them together; left out: each by itself, at once. */
  gather?: { ms: number; most: number };
  /** Has a time limit of its own. Resolves with the outcome, and rejects on defects alone. @param signal the server stops */
  deliver(batch: Batch, signal: AbortSignal): Promise<Outcome>;
}

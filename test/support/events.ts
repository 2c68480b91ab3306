/** Subscribers of a test, and receivers that keep what they get. */
import { createSilentLogger } from '../../config/logger.js';
import { findSubscriber, insertSubscriber, type NewSubscriber } from '../../db/control/eventsubscribers.js';
import { lastDirectoryEvent } from '../../db/directory/events.js';
import type { Batch, Deliverer, Outcome } from '../../events/deliverer.js';
import { type Deliveries, type DeliveryDeps, startDeliveries } from '../../events/delivery.js';
import type { Envelope } from '../../events/envelope.js';
import type { TestDatabases } from './databases.js';
import type { Scope } from './temporary.js';

/** A receiver of the kind `test`. */
export class Receiver implements Deliverer {
  readonly kind = 'test';
  concurrency = 100;
  /** Of each attempt that succeeded. */
  readonly batches: Batch[] = [];
  /** Decides how an attempt ends; delivered without it. */
  answer: (batch: Batch, signal: AbortSignal) => Outcome | Promise<Outcome> = () => ({
    result: 'delivered',
    detail: 'ok',
  });
  readonly #waiting = new Set<() => void>();

  async deliver(batch: Batch, signal: AbortSignal): Promise<Outcome> {
    const outcome = await this.answer(batch, signal);
    if (outcome.result === 'delivered') this.batches.push(batch);
    for (const look of [...this.#waiting]) look();
    return outcome;
  }

  /** Of one subscriber, or of all. */
  events(subscriber?: string): Envelope[] {
    return this.batches
      .filter((one) => subscriber === undefined || one.subscriber.id === subscriber)
      .flatMap((one) => one.events);
  }

  /** Resolves once `is` holds, looked at after each attempt. */
  until(is: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!is()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}

/** A subscriber of the kind `test` that gets the events from now on. */
export async function subscribe(
  { control, directory }: Pick<TestDatabases, 'control' | 'directory'>,
  subscriber: Partial<NewSubscriber> & { id: string },
): Promise<void> {
  const usual = { kind: 'test', org: null, types: ['*'], options: {}, secret: null, description: null };
  const last = await lastDirectoryEvent(directory.read);
  await control.transact((tx) => insertSubscriber(tx, { ...usual, ...subscriber }, last, 0));
}

/** Looks for events every few milliseconds until the test ends. */
export function deliverTo(
  scope: Scope,
  { control, directory }: Pick<TestDatabases, 'control' | 'directory'>,
  receiver: Deliverer,
  change: Partial<DeliveryDeps> = {},
): Deliveries {
  const usual = { logger: createSilentLogger(), now: () => 1_000_000, owner: 'test', random: () => 0.5, everyMs: 5 };
  const deliveries = startDeliveries({ control, directory, deliverers: [receiver], ...usual, ...change });
  scope.after(() => deliveries.stop());
  return deliveries;
}

/** Resolves once the subscriber has had everything: its place is at the ends of both outboxes. */
export async function placeOf({ control }: Pick<TestDatabases, 'control'>, id: string) {
  return (await findSubscriber(control.read, id))!;
}

/** Webhooks, exports and mail addresses with their deliveries as JSON, without secrets. The command line and the API give the same. */
import { isoTime } from '../format.js';
import type { Notification } from '../notifyaddress.js';
import type { Delivery, Subscriber } from '../subscribers.js';

export function subscriberToJson(subscriber: Subscriber) {
  const { id, kind, name, org, types, options, description, state, reason, createdAt, failures } = subscriber;
  const { personal, ...rest } = options;
  const ofHandler = name === null ? {} : { name, seenAt: isoTime(subscriber.seenAt) };
  return {
    ...{ id, kind, ...ofHandler, org, types, ...rest },
    ...{ include: personal === true ? ['personal'] : [], description, state, reason },
    createdAt: isoTime(createdAt),
    failures,
    failingSince: isoTime(subscriber.failingSince),
    nextAttemptAt: isoTime(subscriber.nextAt),
  };
}

export function deliveryToJson({ at, ms, event, type, events, attempt, outcome, detail }: Delivery) {
  return { at: isoTime(at), ms, event, type, events, attempt, outcome, detail };
}

export function notificationToJson({ createdAt, ...notification }: Notification) {
  return { ...notification, createdAt: isoTime(createdAt) };
}

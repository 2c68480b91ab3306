/** Delivers events to handlers: functions of the program that embeds Dropslot, called in its own process, one event at a time. */
import type { Logger } from '../../config/logger.js';
import type { Batch, Deliverer, Outcome } from '../deliverer.js';
import type { Envelope } from '../envelope.js';

/** Of the subscribers' rows. */
export const embeddedKindName = 'embedded';
/** How often the program notes that it has its handlers. */
export const noteEveryMs = 20_000;

export type Handler = (event: Envelope, context: { signal: AbortSignal }) => unknown;

export interface HandlersDeps {
  /** By the ids of their subscribers. */
  handlers: ReadonlyMap<string, { name: string; handle: Handler; timeLimitMs: number }>;
  logger: Logger;
  /** How long a call may go on when Dropslot stops. */
  graceMs: number;
}

/** Handlers are asynchronous, and no slow one delays another. */
const concurrency = 1_000;

/** A call that ended: null, or the error that the handler threw. */
type Ended = { error: unknown } | null;

interface Progress {
  /** Of the batch that was delivered in part: a retry in the same process begins with the event that failed. */
  batch: string;
  done: number;
  /** The call that is under way; it may outlast its time limit. */
  call: Promise<Ended> | null;
}

/** The handler of an event is never called again before its last call has ended. */
export function createHandlerDeliverer({ handlers, logger, graceMs }: HandlersDeps): Deliverer {
  const places = new Map<string, Progress>();
  return {
    kind: embeddedKindName,
    concurrency,
    serves: ({ id }) => handlers.has(id),
    deliver: async ({ id, events, subscriber }: Batch, stopping: AbortSignal): Promise<Outcome> => {
      const { name, handle, timeLimitMs } = handlers.get(subscriber.id)!;
      const place = places.get(subscriber.id) ?? { batch: id, done: 0, call: null };
      places.set(subscriber.id, place);
      if (place.call !== null) return { result: 'failed', detail: 'the call before has not ended' };
      if (place.batch !== id) Object.assign(place, { batch: id, done: 0 });
      while (place.done < events.length) {
        if (stopping.aborted) return { result: 'failed', detail: 'Dropslot stops' };
        const event = events[place.done]!;
        const ended = await callWithin(place, handle, event, { timeLimitMs, graceMs, stopping });
        if (ended === 'late') return { result: 'failed', detail: `no end within ${timeLimitMs / 1000} s` };
        if (ended === 'stopped') return { result: 'failed', detail: 'Dropslot stops' };
        if (ended !== null) {
          const { name: error, message } = toError(ended.error);
          // The reason is for the program's own log: it may have values of the event.
          logger.warn('a handler failed', { handler: name, event: event.id, type: event.type, reason: message });
          return { result: 'failed', detail: `the handler threw ${error}` };
        }
        place.done++;
      }
      places.delete(subscriber.id);
      return { result: 'delivered', detail: 'handled' };
    },
  };
}

interface CallLimits {
  timeLimitMs: number;
  graceMs: number;
  stopping: AbortSignal;
}

/** `late`, `stopped`: the call still goes on, and its signal is aborted. */
async function callWithin(
  place: Progress,
  handle: Handler,
  event: Envelope,
  { timeLimitMs, graceMs, stopping }: CallLimits,
): Promise<Ended | 'late' | 'stopped'> {
  const ending = new AbortController();
  const call: Promise<Ended> = Promise.resolve()
    .then(() => handle(event, { signal: ending.signal }))
    .then(
      () => null,
      (error: unknown) => ({ error }),
    )
    .finally(() => {
      place.call = null;
    });
  place.call = call;
  let limit: NodeJS.Timeout | undefined;
  let grace: NodeJS.Timeout | undefined;
  let onStop = () => {};
  const end = new Promise<'late' | 'stopped'>((resolve) => {
    limit = setTimeout(() => resolve('late'), timeLimitMs);
    onStop = () => {
      ending.abort();
      grace = setTimeout(() => resolve('stopped'), graceMs);
    };
    stopping.addEventListener('abort', onStop);
  });
  try {
    return await Promise.race([call, end]);
  } finally {
    clearTimeout(limit);
    clearTimeout(grace);
    stopping.removeEventListener('abort', onStop);
    ending.abort();
  }
}

function toError(thrown: unknown): { name: string; message: string } {
  return thrown instanceof Error ? thrown : { name: 'a value that is no Error', message: String(thrown) };
}

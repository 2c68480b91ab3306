/** The handlers of one program: registered before it starts, then delivered to in its process while it runs. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from '../../config/logger.js';
import { findByName, listSubscribers, noteSeen, type Subscriber } from '../../db/control/eventsubscribers.js';
import { startDeliveries } from '../../events/delivery.js';
import { createHandlerDeliverer, embeddedKindName, type Handler, noteEveryMs } from '../../events/embedded/handlers.js';
import { registerHandler } from '../../operations/handlers.js';
import type { Workplace } from '../../operations/workplace.js';
import type { Stop } from '../services.js';

export interface ProgramHandler {
  name: string;
  /** Patterns. */
  types: readonly string[];
  handle: Handler;
  timeLimitMs: number;
  org?: string;
  personal?: boolean;
  /** For one that is new: `beginning` gives it the kept events from before, too. */
  from?: 'beginning' | 'now';
}

export interface Handling {
  /** @throws OperationError */
  register(workplace: Workplace): Promise<void>;
  start(workplace: Workplace): Stop;
  /** Whether the program has the function of this subscriber. */
  has(subscriber: Subscriber): boolean;
}

export function createHandling(handlers: readonly ProgramHandler[], logger: Logger): Handling {
  const byId = new Map<string, ProgramHandler>();
  return {
    has: ({ id }) => byId.has(id),
    register: async (workplace) => {
      for (const handler of handlers) {
        const { name, types, org, personal = false, from = 'now' } = handler;
        const { id, state, reason } = await registerHandler(
          { ...workplace, actor: 'system' },
          {
            name,
            from,
            types: types.join(','),
            ...(org !== undefined && { org }),
            ...(personal && { include: 'personal' }),
          },
        );
        byId.set(id, handler);
        if (state === 'disabled')
          logger.error(
            `a handler of events is disabled, and gets none until it is enabled: dropslot handlers enable ${id}, or enable() of the program`,
            { handler: name, reason },
          );
      }
    },
    start: (workplace) => (byId.size === 0 ? async () => {} : deliver(workplace, byId, logger)),
  };
}

function deliver(
  { control, directory, settings, now }: Workplace,
  handlers: ReadonlyMap<string, ProgramHandler>,
  logger: Logger,
): Stop {
  const deliveries = startDeliveries({
    ...{ control, directory, logger, now },
    owner: `${hostname()}:${process.pid}:${randomBytes(6).toString('hex')}`,
    deliverers: [createHandlerDeliverer({ handlers, logger, graceMs: settings.uploadGraceSeconds * 1000 })],
    // On SQLite one server locks the data folder.
    aloneWith: control.dialect === 'sqlite' ? [embeddedKindName] : [],
  });
  let noting: Promise<void> = Promise.resolve();
  const note = () => {
    noting = noteSeen(control.write, [...handlers.keys()], now(), false).catch(({ message: reason }: Error) => {
      logger.warn('could not note that the handlers of events are here; will retry', { reason });
    });
  };
  const timer = setInterval(note, noteEveryMs);
  return async () => {
    clearInterval(timer);
    await noting;
    await deliveries.stop();
  };
}

/** Of every program that ran on this data folder. */
export function listHandlers({ control }: Workplace): Promise<Subscriber[]> {
  return listSubscribers(control.read, embeddedKindName);
}

/** null: there is none of this name. */
export function findHandler({ control }: Workplace, name: string): Promise<Subscriber | null> {
  return findByName(control.read, name);
}

/** The package `dropslot` for programs that run it in their own process (docs/embedding.md): no signal, no exit, no console. */
import { loadSettings } from '../../config/load.js';
import type { Settings } from '../../config/settings.js';
import type { Subscriber } from '../../db/control/eventsubscribers.js';
import type { Handler } from '../../events/embedded/handlers.js';
import { loadHooks } from '../../importer/hooks/load.js';
import { OperationError } from '../../operations/error.js';
import { enable, handlerKind, readTypes, removeSubscriber } from '../../operations/subscribers.js';
import type { Workplace } from '../../operations/workplace.js';
import { createProgramHooks, type ProgramHooks } from '../hookcalls.js';
import { renewReserve, startOnFullDisk } from '../reserve.js';
import { type Services, startServices } from '../services.js';
import type {
  Dropslot,
  DropslotOptions,
  EventHandler,
  EventPattern,
  HandlerOptions,
  HandlerState,
  StartedDropslot,
} from './api.d.ts';
import { toDropslotError } from './error.js';
import { createHandling, findHandler, type Handling, listHandlers, type ProgramHandler } from './handling.js';
import { createHostLog, type HostLog } from './log.js';

// biome-ignore lint/performance/noBarrelFile: the package has this entry alone
export { DropslotError } from './error.js';

const usualTimeLimitSeconds = 60;
/** The longest wait of a timer: 24 days. */
const mostTimeLimitSeconds = 24 * 86_400;
/** After the grace of uploads and imports. */
const closingMs = 10_000;

/** As in `api.d.ts`. */
export function createDropslot(options: DropslotOptions = {}): Dropslot {
  return new EmbeddedDropslot(options);
}

class EmbeddedDropslot implements Dropslot {
  readonly #options: DropslotOptions;
  readonly #handlers: ProgramHandler[] = [];
  #starting: Promise<Services> | null = null;
  #services: Services | null = null;
  #handling: Handling | null = null;
  #stopping: Promise<void> | null = null;

  constructor(options: DropslotOptions) {
    this.#options = options;
  }

  on<P extends EventPattern>(type: P | readonly P[], handler: EventHandler<P>, options: HandlerOptions): this {
    return translateNow(() => {
      if (this.#starting !== null)
        throw new OperationError(
          'refused',
          'add handlers before start(): a handler that is added later would miss events',
        );
      const added = readHandler(typeof type === 'string' ? [type] : type, handler as Handler, options);
      if (this.#handlers.some(({ name }) => name === added.name))
        throw new OperationError('usage', `two handlers have the name ${JSON.stringify(added.name)}`);
      this.#handlers.push(added);
      return this;
    });
  }

  start(): Promise<StartedDropslot> {
    return translate(async () => {
      if (this.#starting !== null)
        throw new OperationError('refused', 'start() was called already: make another Dropslot by createDropslot()');
      this.#starting = this.#begin();
      this.#services = await this.#starting;
      return { listeners: this.#services.listeners.map(({ host, port }) => ({ host, port })) };
    });
  }

  async #begin(): Promise<Services> {
    const settings = readSettings(this.#options);
    const log = createHostLog(settings, this.#options.logger);
    const hooks = readHooks(this.#options, settings);
    // A wrong file of hooks ends the start, and not each run.
    await loadHooks(settings);
    const handling = createHandling(this.#handlers, log.logger);
    this.#handling = handling;
    return startOnce(settings, log, hooks, handling);
  }

  async stop(): Promise<void> {
    const starting = this.#starting;
    if (starting === null) return;
    this.#stopping ??= translate(() => this.#end(starting));
    return this.#stopping;
  }

  async #end(starting: Promise<Services>): Promise<void> {
    // A start that fails has closed everything.
    const services = await starting.catch(() => null);
    if (services === null) return;
    const { uploadGraceSeconds, importGraceSeconds } = services.workplace.settings;
    const limitMs = Math.max(uploadGraceSeconds, importGraceSeconds) * 1000 + closingMs;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new OperationError(
        'failed',
        `Dropslot did not stop within ${limitMs / 1000} s; the next start recovers`,
      );
      timer = setTimeout(() => reject(error), limitMs);
    });
    await Promise.race([services.stop(), late]).finally(() => clearTimeout(timer));
  }

  handlers(): Promise<HandlerState[]> {
    return this.#withWorkplace(async (workplace) =>
      (await listHandlers(workplace)).map((subscriber) => toState(subscriber, this.#handling!.has(subscriber))),
    );
  }

  enable(name: string): Promise<void> {
    return this.#withWorkplace(async (workplace) => enable(workplace, handlerKind, await idOf(workplace, name), false));
  }

  remove(name: string): Promise<void> {
    return this.#withWorkplace(async (workplace) =>
      removeSubscriber(workplace, handlerKind, await idOf(workplace, name)),
    );
  }

  #withWorkplace<T>(use: (workplace: Workplace) => Promise<T>): Promise<T> {
    return translate(async () => {
      if (this.#stopping !== null)
        throw new OperationError('refused', 'Dropslot was stopped: make another one by createDropslot(), and start it');
      if (this.#services === null)
        throw new OperationError(
          'refused',
          this.#starting === null
            ? 'Dropslot does not run: call start() first'
            : 'Dropslot does not run: wait for start() to succeed',
        );
      return use({ ...this.#services.workplace, actor: 'system' });
    });
  }
}

/** On a full disk the space in reserve is used, as by `dropslot serve`; but nothing waits for more. */
async function startOnce(
  settings: Settings,
  { logger, onOutput }: HostLog,
  hooks: ProgramHooks | null,
  handling: Handling,
): Promise<Services> {
  let attempts = 0;
  const host = { hooks, onOutput, onOpen: handling.register, onReady: handling.start };
  const services = await startOnFullDisk(
    settings.data,
    logger,
    () => attempts > 1,
    () => {
      attempts++;
      return startServices(settings, logger, { host });
    },
    0,
  );
  await renewReserve(settings.data, logger);
  return services;
}

/** All lines of the log are for the program's logger, which reads them as JSON from other processes. */
function readSettings({ settings = {} }: DropslotOptions): Settings {
  const loaded = loadSettings({ env: {}, overrides: settings, overridesFrom: 'settings of createDropslot' });
  const { logFile: _file, ...rest } = loaded;
  return { ...rest, logFormat: 'json' };
}

function readHooks({ importHooks }: DropslotOptions, settings: Settings): ProgramHooks | null {
  if (importHooks === undefined) return null;
  if (settings.importHooks !== undefined)
    throw new OperationError(
      'usage',
      'import hooks are either the option importHooks or the file of the setting importHooks',
    );
  const hooks = createProgramHooks(importHooks as Parameters<typeof createProgramHooks>[0]);
  return hooks.info.names.length === 0 ? null : hooks;
}

function readHandler(
  types: readonly string[],
  handle: Handler,
  { name, org, personal, from = 'now', timeLimitSeconds = usualTimeLimitSeconds }: Partial<HandlerOptions> = {},
): ProgramHandler {
  if (typeof handle !== 'function') throw new OperationError('usage', 'the handler of events must be a function');
  if (typeof name !== 'string')
    throw new OperationError('usage', 'a handler of events needs a name: on(type, handler, { name })');
  if (!(timeLimitSeconds > 0 && timeLimitSeconds <= mostTimeLimitSeconds))
    throw new OperationError(
      'usage',
      `timeLimitSeconds is a number of seconds from above 0 to ${mostTimeLimitSeconds}`,
    );
  if (from !== 'now' && from !== 'beginning')
    throw new OperationError('usage', 'from is "now" or "beginning": the events that a new handler gets');
  return {
    ...{ name, types: readTypes(types.join(',')), handle, from, timeLimitMs: timeLimitSeconds * 1000 },
    ...(org !== undefined && { org }),
    ...(personal !== undefined && { personal }),
  };
}

async function idOf(workplace: Workplace, name: string): Promise<string> {
  const found = await findHandler(workplace, name);
  if (found === null) throw new OperationError('not_found', `there is no handler ${JSON.stringify(name)}`);
  return found.id;
}

function toState(subscriber: Subscriber, isHere: boolean): HandlerState {
  const { name, id, state, reason, types, org, failures, nextAt } = subscriber;
  const nextAttemptAt = nextAt === null ? null : new Date(nextAt);
  return { name: name!, id, state, reason, types, org, failures, nextAttemptAt, isHere };
}

function translateNow<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw toDropslotError(error);
  }
}

async function translate<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toDropslotError(error);
  }
}

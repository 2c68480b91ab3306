/** One worker, forked by the server: starts it again when it ends, and ends it when it does not answer. */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import type { Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';
import type { Port } from '../server/workers/front.js';
import { LateUsage } from '../server/workers/lateusage.js';
import type { FrontMessage, HostKeyText, WorkerMessage } from '../server/workers/messages.js';
import { forkProcess } from './forking.js';
import { followOutput, outputStreams } from './output.js';
import { Restart } from './restart.js';
import { beatMs, type FromWorker, type ToWorker, type WorkerStart, type WorkerState } from './workermessages.js';

export interface WorkerProcessDeps extends Omit<WorkerStart, 'type' | 'process' | 'hostKeys'> {
  logger: Logger;
  /** The host keys as they are now. */
  hostKeys(): HostKeyText[];
  /** The module to fork. */
  module?: URL | undefined;
  /** Gets the lines that the process writes; without it, it writes to the streams of this one. */
  onOutput?: ((line: string) => void) | undefined;
  onStart(port: Port): void;
  onMessage(port: Port, message: WorkerMessage): void;
  /** Its process has ended: what it left is cleared away before the next one starts. */
  onEnd(port: Port, process: string): Promise<void>;
}

export interface WorkerProcess {
  /** null: none runs now. */
  readonly port: Port | null;
  readonly pid: number | null;
  readonly state: WorkerState | null;
  /** How often a process of it has ended without being asked to. */
  readonly restarts: number;
  /** Resolves when the first process is ready. @throws Error with its reason when it ended before */
  readonly ready: Promise<void>;
  /** Its connections get `graceMs` for their uploads. */
  stop(graceMs: number): Promise<void>;
}

const isSource = import.meta.url.endsWith('.ts');
const entry = new URL(`./workerentry${isSource ? '.ts' : '.js'}`, import.meta.url);
const firstDelayMs = 200;
/** Beside the grace of uploads: to close databases. */
const closingMs = 8_000;

/** Counted in ticks of this process: a machine that stood still has counted none. After three of them a worker gets connections only while all are so. */
const busyTicks = 3;
const hungTicks = 20;
/** All drivers but sqlite3 wait for a lock on the thread that answers. */
const synchronousTicks = 150;
/** A process that starts loads the program. */
const startTicks = 120;

export function superviseWorker(deps: WorkerProcessDeps): WorkerProcess {
  const { logger, number } = deps;
  let current: Child | null = null;
  const restart = new Restart(firstDelayMs);
  let clearing: Promise<void> = Promise.resolve();
  let restarts = 0;
  let settleFirst: { resolve(): void; reject(error: Error): void } | null = null;
  const ready = new Promise<void>((resolve, reject) => {
    settleFirst = { resolve, reject };
  });

  const start = (): void => {
    const startedAt = performance.now();
    const child = new Child(deps);
    current = child;
    if (child.pid !== null) logger.info('a process for connections started', { worker: number, pid: child.pid });
    child.onReady = () => {
      deps.onStart(child);
      settleFirst?.resolve();
      settleFirst = null;
    };
    child.onEnd = (how) => {
      current = null;
      clearing = deps.onEnd(child, child.name);
      if (settleFirst !== null) {
        restart.stop();
        settleFirst.reject(new Error(child.failure ?? `a process for connections ended (${describe(how)})`));
        settleFirst = null;
      }
      if (restart.isStopped) return;
      restarts++;
      const delayMs = restart.delayAfter(startedAt);
      const details = { worker: number, ...how, ...(child.isHung && { cause: 'it did not answer' }), delayMs };
      if (child.pid === null)
        logger.error('could not start a process for connections; will retry', { ...details, reason: child.failure });
      else
        logger.error('a process for connections ended, and its sessions with it; the server starts it again', details);
      void clearing.then(() => restart.again(start));
    };
  };
  start();
  return {
    get port() {
      return current;
    },
    get pid() {
      return current?.pid ?? null;
    },
    get state() {
      return current?.state ?? null;
    },
    get restarts() {
      return restarts;
    },
    ready,
    async stop(graceMs) {
      restart.stop();
      if (current !== null) await current.stop(graceMs + closingMs, graceMs, logger);
      await clearing;
    },
  };

  function describe({ code, signal }: How): string {
    return signal === null ? `exit code ${code}` : `${signal}`;
  }
}

interface How {
  code: number | null;
  signal: NodeJS.Signals | null;
}

class Child implements Port {
  readonly name = `${hostname()}:${randomBytes(8).toString('hex')}`;
  state: WorkerState | null = null;
  failure: string | null = null;
  isHung = false;
  onReady = (): void => {};
  onEnd = (_how: How): void => {};
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;
  /** Those that it had when it was started. */
  readonly #hostKeys: HostKeyText[];
  /** Ends each socket that waits for its turn to be sent: Node.js forgets them when the process ends, and leaves them open. */
  readonly #unsent = new Set<() => void>();
  /** The process had no file descriptor for the socket that was sent last; Node.js sends the next one when it has said so. */
  #onRejected = (): void => {};
  readonly #late = new LateUsage();
  #silentTicks = 0;
  #isReady = false;
  #isStopping = false;

  constructor(deps: WorkerProcessDeps) {
    const { settings, onOutput } = deps;
    this.#process = forkProcess(deps.module ?? entry, {
      // The sources need the options by which they run here; those of a program that embeds the server are not for this process.
      execArgv: isSource ? process.execArgv : [],
      stdio: outputStreams(onOutput),
    });
    if (onOutput !== undefined) followOutput(this.#process, onOutput);
    const ticking = setInterval(() => this.#tick(settings), beatMs);
    this.#process.on('message', (message: FromWorker) => this.#receive(message, deps));
    this.#process.on('internalMessage', ({ cmd }: { cmd?: string }) => {
      if (cmd === 'NODE_HANDLE_NACK') this.#onRejected();
    });
    this.#exited = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null) => {
        clearInterval(ticking);
        this.#isReady = false;
        this.#isStopping = true;
        for (const lose of this.#unsent) lose();
        resolve();
        this.onEnd({ code, signal });
      };
      this.#process.once('exit', end);
      this.#process.on('error', (cause) => {
        this.failure ??= cause.message;
        // A process that could not be started emits no exit.
        if (this.#process.pid === undefined) end(null, null);
      });
    });
    const { number, secrets, countsAudit, isGuest } = deps;
    this.#hostKeys = deps.hostKeys();
    const start = { number, secrets, countsAudit, isGuest, settings, process: this.name, hostKeys: this.#hostKeys };
    this.#tell({ type: 'start', ...start });
  }

  get pid(): number | null {
    return this.#process.pid ?? null;
  }

  get isOpen(): boolean {
    return this.#isReady && !this.#isStopping && this.#process.connected;
  }

  get isBusy(): boolean {
    return this.#silentTicks > busyTicks;
  }

  send(message: FrontMessage, socket?: Socket, onLost?: () => void): void {
    if (this.isBusy && this.#late.hold(message)) return;
    this.#sendLate();
    this.#tell(message, socket, onLost);
  }

  #sendLate(): void {
    for (const message of this.#late.take()) this.#tell(message);
  }

  async stop(mostMs: number, graceMs: number, logger: Logger): Promise<void> {
    this.#isStopping = true;
    this.#tell({ type: 'stop', graceMs });
    const timer = setTimeout(() => {
      logger.warn('a process for connections did not stop in time and is ended', { pid: this.pid, mostMs });
      this.#process.kill('SIGKILL');
    }, mostMs);
    await this.#exited;
    clearTimeout(timer);
  }

  #tell(message: ToWorker, socket?: Socket, onLost: () => void = () => {}): void {
    const lose = (): void => {
      this.#unsent.delete(lose);
      socket?.destroy();
      onLost();
    };
    // Of a process that has just ended, whose exit follows.
    if (!this.#process.connected) {
      lose();
      return;
    }
    if (socket !== undefined) this.#unsent.add(lose);
    // Node.js would close the socket here when the process acknowledges it, and never if that ends before.
    this.#process.send(message, socket, { keepOpen: true }, (error) => {
      if (error !== null) lose();
      else if (this.#unsent.delete(lose)) {
        socket?.destroy();
        this.#onRejected = onLost;
      }
    });
  }

  #receive(message: FromWorker, deps: WorkerProcessDeps): void {
    switch (message.type) {
      case 'alive':
        this.#silentTicks = 0;
        this.#sendLate();
        this.state = message.state;
        return;
      case 'failed':
        this.failure = message.reason;
        return;
      case 'ready':
        this.#isReady = true;
        this.#silentTicks = 0;
        // While it started, it took none.
        if (deps.hostKeys() !== this.#hostKeys) this.#tell({ type: 'hostKeys', keys: deps.hostKeys() });
        this.onReady();
        return;
      default:
        deps.onMessage(this, message);
    }
  }

  #tick({ database, sqliteDriver }: Pick<Settings, 'database' | 'sqliteDriver'>): void {
    const isAsynchronous = database !== 'sqlite' || sqliteDriver === 'sqlite3';
    const most = this.#isReady ? (isAsynchronous ? hungTicks : synchronousTicks) : startTicks;
    if (++this.#silentTicks <= most) return;
    this.isHung = true;
    this.#process.kill('SIGKILL');
  }
}

/** One process of the importer, forked by the server: starts it again when it ends, and ends it when it hangs or exceeds a budget. */
import type { ChildProcess } from 'node:child_process';
import type { Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';
import type { KnownSecrets } from '../keys/master/secrets.js';
import type { Count } from './counting.js';
import { forkProcess } from './forking.js';
import type { ProgramHooks } from './hookcalls.js';
import { beatMs, type ChildMessage, type ChildState, type Role, type ServerMessage } from './importermessages.js';
import { type Verdict, watchProcess } from './importerwatch.js';
import { followOutput, outputStreams } from './output.js';
import { readWaitedMs } from './processortime.js';
import { Restart } from './restart.js';

export interface ProcessDeps {
  settings: Settings;
  /** Of directory.db: that of sealed files where it is sealed. */
  directoryDriver: Settings['sqliteDriver'];
  secrets: KnownSecrets;
  logger: Logger;
  /** The module to fork. */
  module: URL;
  /** The role of the next process; importers get an owner of their own each time. */
  role: () => Role;
  /** The import hooks of a program that embeds the server. */
  hooks?: ProgramHooks;
  /** Gets the lines that the process writes; without it, it writes to the streams of this one. */
  onOutput?: (line: string) => void;
  /** Called at each heartbeat, and when the work changes. */
  onBeat?: (state: ChildState) => void;
  /** The scheduler has opened a run. */
  onOpened?: () => void;
  /** Gets the counts of the process, and each of its ends that was not asked for. */
  onCount?: Count | undefined;
  /** Called after a process has ended and before the next one starts. */
  onEnd?: (role: Role, ending: Ending) => Promise<void>;
}

export interface Ending {
  /** Why it was ended; null: it ended by itself, or was asked to. */
  verdict: Verdict | null;
  wasAsked: boolean;
}

export interface ImporterProcess {
  nudge(): void;
  /** Asks the process to stop at a safe point, and kills it if it has not ended in that time. */
  stop(graceMs: number): Promise<void>;
}

const firstDelayMs = 500;

export function superviseProcess(deps: ProcessDeps): ImporterProcess {
  const { settings, secrets, logger, module } = deps;
  let current: ChildProcess | null = null;
  let currentName = '';
  const restart = new Restart(firstDelayMs);
  let ending: Promise<void> = Promise.resolve();

  const start = () => {
    const role = deps.role();
    const startedAt = performance.now();
    let verdict: Verdict | null = null;
    // Standard error is shared: all processes log there, in the same format.
    const child = forkProcess(module, {
      execArgv: role.name === 'importer' ? [`--max-old-space-size=${toMebibytes(settings.importerMemoryBytes)}`] : [],
      stdio: outputStreams(deps.onOutput),
    });
    const watch = watchProcess(
      { ...settings, sqliteDriver: deps.directoryDriver },
      () => performance.now(),
      () => readWaitedMs(child.pid),
    );
    if (deps.onOutput !== undefined) followOutput(child, deps.onOutput);
    deps.hooks?.serve(child);
    current = child;
    currentName = nameOf(role);
    if (child.pid !== undefined) logger.info(`${nameOf(role)} started`, { pid: child.pid });
    const ticking = setInterval(() => {
      verdict ??= watch.tick();
      if (verdict !== null) child.kill('SIGKILL');
    }, beatMs);
    const end = (how: { code?: number | null; signal?: NodeJS.Signals | null }) => {
      if (current !== child) return;
      current = null;
      clearInterval(ticking);
      // Node aborts when its heap is full: that is the limit of this process, and not of the machine.
      if (how.signal === 'SIGABRT' || how.code === 134) verdict ??= { cause: 'memory', upload: watch.state.upload };
      ending = (deps.onEnd?.(role, { verdict, wasAsked: restart.isStopped }) ?? Promise.resolve()).catch(
        (error: Error) => {
          logger.error('could not give back the runs of an importer that ended; will wait for the end of its lease', {
            reason: error.message,
          });
        },
      );
      if (restart.isStopped) return;
      deps.onCount?.({ type: 'restart', process: role.name, cause: verdict?.cause ?? 'ended' });
      const delayMs = restart.delayAfter(verdict === null ? startedAt : null);
      const details = { ...how, ...(verdict !== null && { cause: verdict.cause, upload: verdict.upload }), delayMs };
      logger.error(`${nameOf(role)} ended; the server starts it again`, details);
      ending = ending.then(() => restart.again(start));
    };
    child.on('message', (message: ChildMessage) => {
      if (message.type === 'opened') return deps.onOpened?.();
      if (message.type === 'hook') return;
      if (message.type !== 'alive') return deps.onCount?.(message);
      watch.beat(message.state);
      deps.onBeat?.(message.state);
    });
    child.once('exit', (code, signal) => end({ code, signal }));
    child.on('error', (cause) => {
      logger.error(`could not run ${nameOf(role)}; the server starts it again`, { reason: cause.message });
      // A process that could not be started emits no exit.
      if (child.pid === undefined) end({});
    });
    send(child, { type: 'start', role, settings, secrets, ...(deps.hooks && { hooks: deps.hooks.info }) });
  };

  start();
  return {
    nudge: () => current !== null && send(current, { type: 'nudge' }),
    stop: async (graceMs) => {
      restart.stop();
      if (current !== null) await stopChild(current, currentName, graceMs, logger);
      await ending;
    },
  };
}

async function stopChild(child: ChildProcess, name: string, graceMs: number, logger: Logger): Promise<void> {
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  send(child, { type: 'stop' });
  const timer = setTimeout(() => {
    logger.warn(`${name} did not reach a safe point in time and is ended; the next start continues its work`, {
      pid: child.pid,
      graceMs,
    });
    child.kill('SIGKILL');
  }, graceMs);
  await exited;
  clearTimeout(timer);
}

function nameOf({ name }: Role): string {
  return name === 'scheduler' ? 'the scheduler process' : 'an importer process';
}

function toMebibytes(bytes: number): number {
  return Math.round(bytes / 1024 ** 2);
}

function send(child: ChildProcess, message: ServerMessage): void {
  // A process that has just ended has no channel; its `exit` follows.
  if (child.connected) child.send(message, () => {});
}

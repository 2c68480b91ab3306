/** Runs the HTTP API in a process of its own, so that no HTTP client delays SFTP; starts it again when it ends. */
import type { ChildProcess } from 'node:child_process';
import type { Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';
import type { KnownSecrets } from '../keys/master/secrets.js';
import type { ShownSetting } from '../operations/settings.js';
import type { ApiMessage, FromApi } from './apimain.js';
import type { Count } from './counting.js';
import { forkProcess } from './forking.js';
import type { ProgramHooks } from './hookcalls.js';
import { followOutput, outputStreams } from './output.js';
import { Restart } from './restart.js';

export interface ApiProcessDeps {
  settings: Settings;
  /** The same with their origins. */
  shown: readonly ShownSetting[];
  secrets: KnownSecrets;
  logger: Logger;
  /** Gets the counts of the process, and its restarts. */
  onCount?: Count | undefined;
  /** The import hooks of a program that embeds the server. */
  hooks?: ProgramHooks;
  /** Gets the lines that the process writes; without it, it writes to the streams of this one. */
  onOutput?: (line: string) => void;
}

const isSource = import.meta.url.endsWith('.ts');
const entry = new URL(`./apientry${isSource ? '.ts' : '.js'}`, import.meta.url);
const heapMebibytes = 512;
const firstDelayMs = 500;
const stopMs = 10_000;

/** @returns a function that stops it */
export function startApiProcess(deps: ApiProcessDeps): () => Promise<void> {
  const { settings, shown, secrets, logger, hooks, onCount, onOutput } = deps;
  let current: ChildProcess | null = null;
  const restart = new Restart(firstDelayMs);
  const start = () => {
    const startedAt = performance.now();
    // Standard error is shared: all processes log there, in the same format.
    const child = forkProcess(entry, {
      // The sources need the options by which they run here; those of a program that embeds the server are not for this process.
      execArgv: [...(isSource ? process.execArgv : []), `--max-old-space-size=${heapMebibytes}`],
      stdio: outputStreams(onOutput),
    });
    if (onOutput !== undefined) followOutput(child, onOutput);
    hooks?.serve(child);
    child.on('message', (message: FromApi) => message.type === 'audit' && onCount?.(message));
    current = child;
    if (child.pid !== undefined) logger.info('the process of the HTTP API started', { pid: child.pid });
    const end = (how: { code?: number | null; signal?: NodeJS.Signals | null; reason?: string }) => {
      if (current !== child) return;
      current = null;
      if (restart.isStopped) return;
      onCount?.({ type: 'restart', process: 'api', cause: 'ended' });
      const delayMs = restart.delayAfter(startedAt);
      logger.error('the process of the HTTP API ended; the server starts it again', { ...how, delayMs });
      restart.again(start);
    };
    child.once('exit', (code, signal) => end({ code, signal }));
    // A process that could not be started emits no exit.
    child.on('error', ({ message: reason }) => child.pid === undefined && end({ reason }));
    send(child, { type: 'start', settings, shown, secrets, ...(hooks && { hooks: hooks.info }) });
  };
  start();
  return async () => {
    restart.stop();
    if (current !== null) await stopChild(current);
  };
}

async function stopChild(child: ChildProcess): Promise<void> {
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  send(child, { type: 'stop' });
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMs);
  await exited;
  clearTimeout(timer);
}

function send(child: ChildProcess, message: ApiMessage): void {
  // A process that has just ended has no channel; its `exit` follows.
  if (child.connected) child.send(message, () => {});
}

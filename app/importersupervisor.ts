/** Supervises the importer's process from the server: forks it, restarts it when it ends, and stops it with the server. */
import { type ChildProcess, fork } from 'node:child_process';
import type { Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';
import type { KnownSecrets } from '../keys/master/secrets.js';

/**
 * Messages from the server to the importer's process. They carry the settings and secrets, because other users can see
 * arguments and variables, and because a descriptor or a person gives a secret only once.
 */
export type ServerMessage = { type: 'start'; settings: Settings; secrets: KnownSecrets } | { type: 'stop' };

export interface ImporterProcess {
  /** Asks the importer to stop at a safe point and waits for it. */
  stop(): Promise<void>;
}

const firstDelayMs = 500;
const longestDelayMs = 30_000;
/** After a process that ran this long, the next one starts after the shortest delay. */
const settledMs = 60_000;

export function startImporterProcess(
  settings: Settings,
  secrets: KnownSecrets,
  logger: Logger,
  now: () => number,
  module = new URL('./importerentry.js', import.meta.url),
): ImporterProcess {
  let current: ChildProcess | null = null;
  let restart: NodeJS.Timeout | null = null;
  let stopping = false;
  let delayMs = firstDelayMs;

  const start = () => {
    const startedAt = now();
    // Standard error is shared: both processes log there, in the same format.
    const started = fork(module, [], {
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    current = started;
    logger.info('the importer process started', { pid: started.pid });
    const end = (how: Record<string, unknown>) => {
      if (current !== started) return;
      current = null;
      if (stopping) return;
      delayMs = now() - startedAt >= settledMs ? firstDelayMs : Math.min(delayMs * 2, longestDelayMs);
      logger.error('the importer process ended; the server starts it again', { ...how, delayMs });
      restart = setTimeout(start, delayMs);
    };
    started.once('exit', (code, signal) => end({ code, signal }));
    started.on('error', (cause) => {
      logger.error('could not run the importer process; the server starts it again', { reason: cause.message });
      // A process that could not be started emits no exit.
      if (started.pid === undefined) end({});
    });
    send(started, { type: 'start', settings, secrets });
  };

  start();
  return {
    stop: async () => {
      stopping = true;
      if (restart !== null) clearTimeout(restart);
      if (current === null) return;
      const dying = current;
      const exited = new Promise<void>((resolve) => dying.once('exit', () => resolve()));
      send(dying, { type: 'stop' });
      await exited;
    },
  };
}

function send(importer: ChildProcess, message: ServerMessage): void {
  if (importer.connected) importer.send(message);
}

/** The importer's process: forked beside the server, restarted when it dies, asked to stop when the server stops. */
import { type ChildProcess, fork } from 'node:child_process';
import type { Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';
import type { KnownSecrets } from '../keys/master/secrets.js';

/**
 * What the parent tells the importer's process. Settings and secrets go this way since arguments and variables are seen by
 * others, and since a descriptor or a person gives a secret only once.
 */
export type ParentMessage = { type: 'start'; settings: Settings; secrets: KnownSecrets } | { type: 'stop' };

export interface ImportProcess {
  /** Asks the importer to stop at a safe point and waits for it. */
  stop(): Promise<void>;
}

const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** A process that lived this long starts anew without a pause to speak of. */
const settledMs = 60_000;

export function startImportProcess(
  settings: Settings,
  secrets: KnownSecrets,
  logger: Logger,
  now: () => number,
  module = new URL('./importerentry.js', import.meta.url),
): ImportProcess {
  let child: ChildProcess | null = null;
  let restart: NodeJS.Timeout | null = null;
  let stopping = false;
  let pauseMs = firstPauseMs;

  const start = () => {
    const startedAt = now();
    // Standard error is shared: the importer logs in the same format to the same place.
    const started = fork(module, [], {
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    child = started;
    logger.info('the importer process started', { pid: started.pid });
    const end = (how: Record<string, unknown>) => {
      if (child !== started) return;
      child = null;
      if (stopping) return;
      pauseMs = now() - startedAt >= settledMs ? firstPauseMs : Math.min(pauseMs * 2, longestPauseMs);
      logger.error('the importer process ended; it is started again', { ...how, pauseMs });
      restart = setTimeout(start, pauseMs);
    };
    started.once('exit', (code, signal) => end({ code, signal }));
    started.on('error', (cause) => {
      logger.error('the importer process failed', { reason: cause.message });
      // One that could not be started has no exit either.
      if (started.pid === undefined) end({});
    });
    send(started, { type: 'start', settings, secrets });
  };

  start();
  return {
    stop: async () => {
      stopping = true;
      if (restart !== null) clearTimeout(restart);
      if (child === null) return;
      const dying = child;
      const exited = new Promise<void>((resolve) => dying.once('exit', () => resolve()));
      send(dying, { type: 'stop' });
      await exited;
    },
  };
}

function send(child: ChildProcess, message: ParentMessage): void {
  if (child.connected) child.send(message);
}

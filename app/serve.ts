/** Runs `dropslot serve`: the services in a process of their own, until a signal ends it. */
import { createServerLogger, type Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';
import { loadHooks } from '../importer/hooks/load.js';
import { OperationError } from '../operations/error.js';
import type { SettingsChoice } from '../operations/settings.js';
import { dieOfDefects } from './defects.js';
import { renewReserve, startOnFullDisk } from './reserve.js';
import { type ServeProbes, type Services, startServices } from './services.js';

/** Serves until SIGTERM or SIGINT. @param choice where the settings are from. @throws when it can't start, after closing everything that it opened */
export async function serve(settings: Settings, probes: ServeProbes = {}, choice?: SettingsChoice): Promise<void> {
  const logger = createServerLogger(settings, true);
  const signal = nextSignal(logger);
  let isStopping = false;
  void signal.then(() => {
    isStopping = true;
  });
  let services: Services | undefined;
  let reportMove: (reason: string) => void = () => {};
  const moved = new Promise<string>((resolve) => {
    reportMove = resolve;
  });
  let reason: string | null = null;
  try {
    // A wrong file of hooks ends the start, and not each run.
    await loadHooks(settings);
    services = await startOnFullDisk(
      settings.data,
      logger,
      () => isStopping,
      // A log rotation may send SIGHUP, but need not.
      () =>
        startServices(settings, logger, {
          ...{ probes, choice, onMoved: reportMove },
          onAuditLog: ({ wake }) => void process.on('SIGHUP', wake),
        }),
    );
    await renewReserve(settings.data, logger);
    reason = (await Promise.race([signal, moved])) ?? null;
  } finally {
    endInTime(settings, logger);
    await services?.stop();
  }
  logger.info('stopped');
  if (reason !== null) throw new OperationError('unavailable', reason);
}

/** After the grace of uploads and imports, whatever still hangs must not keep the process from its end. */
const closingMs = 10_000;

function endInTime({ uploadGraceSeconds, importGraceSeconds }: Settings, logger: Logger): void {
  const limitMs = Math.max(uploadGraceSeconds, importGraceSeconds) * 1000 + closingMs;
  const end = () => {
    logger.error('the server did not stop in time and exits; the next start recovers', { limitMs });
    process.exit(1);
  };
  setTimeout(end, limitMs).unref();
}

/** Resolves at the first signal; a second one ends the process at once. */
function nextSignal(logger: Logger): Promise<void> {
  dieOfDefects(logger, 'uncaught error; the server exits');
  return new Promise((resolve) => {
    let asked = false;
    const ask = (signal: NodeJS.Signals) => {
      if (asked) process.exit(1);
      asked = true;
      logger.info('stopping', { signal });
      resolve();
    };
    process.on('SIGTERM', ask);
    process.on('SIGINT', ask);
  });
}

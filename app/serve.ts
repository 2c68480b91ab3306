/** Runs `dropslot serve`: makes missing keys and databases, listens, imports, and stops without losing an upload. */
import { readVersion } from '../config/environment.js';
import { createLogger, type Logger } from '../config/logger.js';
import { pathsOf } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import { type Lock, takeLock } from '../db/lock.js';
import { loadHooks } from '../importer/hooks/load.js';
import type { IntakeStep } from '../intake/intake.js';
import { watchKeyFolder } from '../keys/folder/watch.js';
import type { HostKey } from '../keys/host/hostkeys.js';
import { watchHostKeys } from '../keys/host/watch.js';
import { describeMisfits } from '../operations/databases.js';
import { OperationError } from '../operations/error.js';
import type { Workplace } from '../operations/workplace.js';
import { startServer } from '../server/server.js';
import type { RunningServer } from '../server/types.js';
import { recoverPartials } from '../storage/partialrecovery.js';
import { endpointOf } from '../web/api/listen.js';
import { startApiProcess } from './apiprocess.js';
import { startAuditLog } from './auditlog.js';
import { composeServer, openWorkplace } from './compose.js';
import { startImporterPool } from './importerpool.js';
import { provision } from './provision.js';
import { keepReserve, startOnFullDisk } from './reserve.js';
import { recordStartAndStop } from './startaudit.js';

type Stop = () => Promise<void>;

/** Hooks for tests; no setting and no command sets them. */
export interface ServeProbes {
  /** Called after each step of each CLOSE. */
  onStep?: (step: IntakeStep) => void;
  /** The module to fork as the importer's process. */
  importer?: URL;
}

/** Serves until SIGTERM or SIGINT. @throws when it can't start, after closing everything that it opened */
export async function serve(settings: Settings, probes: ServeProbes = {}): Promise<void> {
  const logger = createLogger(settings);
  const signal = nextSignal(logger);
  const opened: Stop[] = [];
  const running: Stop[] = [];
  const end = async () => {
    // At the same time: uploads get their grace period while the importer reaches a safe point.
    await Promise.all(running.splice(0).map((stop) => stop()));
    for (const close of opened.splice(0).reverse()) await close();
  };
  let isStopping = false;
  void signal.then(() => {
    isStopping = true;
  });
  try {
    // A wrong file of hooks ends the start, and not each run.
    await loadHooks(settings);
    await startOnFullDisk(
      settings.data,
      logger,
      () => isStopping,
      () =>
        start(settings, logger, opened, running, probes).catch(async (error) => {
          await end();
          throw error;
        }),
    );
    await keepReserve(settings.data).catch(({ message: reason }: Error) =>
      logger.warn('could not reserve space for a start on a full disk; the next start tries it again', { reason }),
    );
    await signal;
  } finally {
    endInTime(settings, logger);
    await end();
  }
  logger.info('stopped');
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

async function start(
  settings: Settings,
  logger: Logger,
  opened: Stop[],
  running: Stop[],
  probes: ServeProbes,
): Promise<void> {
  const isApiOn = endpointOf(settings) !== null;
  const lock = await lockFolder(settings);
  if (lock !== null) opened.push(lock.release);
  const workplace = await openWorkplace(settings, { create: true });
  opened.push(workplace.close);
  opened.push(followAudit(workplace, logger));
  opened.push(await recordStartAndStop(workplace, logger));
  for (const reason of await describeMisfits(workplace)) logger.error('the databases are not whole', { reason });
  const { hostKeys } = await provision(workplace, logger);
  let countConnections = () => 0;
  if (settings.monitor !== undefined) {
    const { startMonitor } = await import('./monitor/monitor.js');
    const deps = { endpoint: settings.monitor, workplace, version: readVersion(), logger };
    const monitor = await startMonitor({ ...deps, countConnections: () => countConnections() });
    opened.push(monitor.stop);
  }
  if (settings.role !== 'import') await recover(workplace, lock !== null, logger);
  if (settings.role !== 'import') {
    const { deps, close } = await composeServer(workplace, hostKeys, logger, probes.onStep);
    opened.push(close);
    opened.push(await followLoginKeys(workplace, logger));
    const server = await startServer(deps);
    countConnections = server.countConnections;
    running.push(() => server.stop(settings.uploadGraceSeconds * 1000));
    opened.push(followHostKeys(workplace, hostKeys, server, logger));
    for (const { host, port, policy } of server.listeners)
      logger.info('listening', { host, port, policy, role: settings.role });
  }
  if (settings.role !== 'intake') {
    const { control, directory, now } = workplace;
    const secrets = workplace.secrets.known();
    const pool = startImporterPool({
      ...{ settings, secrets, control, logger, now },
      directoryDriver: directory.source?.driver ?? settings.sqliteDriver,
      ...(probes.importer && { module: probes.importer }),
    });
    running.push(pool.stop);
    if (isApiOn) running.push(startApiProcess({ settings, secrets, logger }));
    if (settings.role === 'import') logger.info('importing', { role: settings.role });
  }
}

/** Before the first login: a key that was removed while the server was down can't log in. */
async function followLoginKeys({ paths, control, now }: Workplace, logger: Logger): Promise<Stop> {
  const watch = await watchKeyFolder({ root: paths.loginKeys, control, logger, now });
  return () => watch.stop();
}

/** A log rotation may send SIGHUP, but need not. */
function followAudit({ control, settings: { auditLog: target } }: Workplace, logger: Logger): Stop {
  if (target === undefined) return async () => {};
  const log = startAuditLog({ control, target, logger });
  process.on('SIGHUP', log.wake);
  return log.stop;
}

/** Changes by "dropslot hostkeys" take effect without a restart. */
function followHostKeys(
  { paths }: Workplace,
  hostKeys: readonly HostKey[],
  server: RunningServer,
  logger: Logger,
): Stop {
  const watch = watchHostKeys(paths.hostKeys, hostKeys, {
    onChange: (keys) => {
      server.replaceHostKeys(keys);
      const described = keys.map(({ type, state, fingerprint }) => `${type} ${fingerprint} ${state}`);
      logger.info('host keys changed', { keys: described });
    },
    onError: ({ message }) =>
      logger.error('could not load the changed host keys; the server keeps the ones it has', { reason: message }),
  });
  return watch.stop;
}

/** On SQLite one server locks the data folder; on PostgreSQL (null) several servers may run. */
async function lockFolder(settings: Settings): Promise<Lock | null> {
  if (settings.database !== 'sqlite') return null;
  const { lock: file, data } = pathsOf(settings);
  const lock = await takeLock(file, settings.sqliteDriver);
  if (lock === null) throw new OperationError('unavailable', `another "dropslot serve" runs on ${data}: stop it first`);
  return lock;
}

/** Keeps or removes uploads that a killed server left incomplete: they were never acknowledged, and clients may resume them. */
async function recover(workplace: Workplace, isAlone: boolean, logger: Logger): Promise<void> {
  const { settings, control, paths, now } = workplace;
  const idleSince = now() - settings.idleMinutes * 60_000;
  const keeps = settings.keepPartialHours > 0;
  // Sessions behind an sshd wait for this lock; while one runs, its uploads are left unchanged.
  const sessions = isAlone ? await takeLock(paths.sessionsLock, settings.sqliteDriver) : null;
  const recovery = { control, paths, isAlone: sessions !== null, idleSince, keeps };
  const { kept, removed } = await recoverPartials(recovery).finally(() => sessions?.release());
  if (kept + removed > 0) logger.info('recovered incomplete uploads', { kept, removed });
}

/** Resolves at the first signal; a second one ends the process at once. */
function nextSignal(logger: Logger): Promise<void> {
  const die = (cause: unknown) => {
    logger.error('uncaught error; the server exits', {
      reason: (cause as Error).message,
      stack: (cause as Error).stack,
    });
    process.exit(1);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
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

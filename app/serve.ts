/** The life of `dropslot serve`: make what is missing, listen, import, and stop without losing anything. */
import { createLogger, type Logger } from '../config/logger.js';
import { pathsOf } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import { type Lock, takeLock } from '../db/lock.js';
import type { IntakeStep } from '../intake/intake.js';
import { watchKeyFolder } from '../keys/folder/watch.js';
import type { HostKey } from '../keys/host/hostkeys.js';
import { watchHostKeys } from '../keys/host/watch.js';
import { OperationError } from '../operations/error.js';
import type { Workplace } from '../operations/workplace.js';
import { startServer } from '../server/server.js';
import type { RunningServer } from '../server/types.js';
import { recoverPartials } from '../storage/partialrecovery.js';
import { startAuditLog } from './auditlog.js';
import { composeServer, openWorkplace } from './compose.js';
import { startImportProcess } from './importerprocess.js';
import { recordLife } from './lifecycle.js';
import { provision } from './provision.js';

type Stop = () => Promise<void>;

/** Where a test stands beside the server; no setting and no command leads here. */
export interface ServeProbes {
  /** Told after each step of each CLOSE. */
  onStep?: (step: IntakeStep) => void;
  /** The module of the importer's process, in place of our own. */
  importer?: URL;
}

/** Serves until SIGTERM or SIGINT. @throws when it can't start; what was opened until then is closed again. */
export async function serve(settings: Settings, probes: ServeProbes = {}): Promise<void> {
  const logger = createLogger(settings);
  const signal = nextSignal(logger);
  const opened: Stop[] = [];
  const running: Stop[] = [];
  try {
    await start(settings, logger, opened, running, probes);
    await signal;
  } finally {
    // Side by side: uploads get their grace while the importer finds a safe point.
    await Promise.all(running.map((stop) => stop()));
    for (const close of opened.reverse()) await close();
  }
  logger.info('stopped');
}

async function start(
  settings: Settings,
  logger: Logger,
  opened: Stop[],
  running: Stop[],
  probes: ServeProbes,
): Promise<void> {
  const lock = await lockFolder(settings);
  if (lock !== null) opened.push(lock.release);
  const workplace = await openWorkplace(settings, { create: true });
  opened.push(workplace.close);
  opened.push(followAudit(workplace, logger));
  opened.push(await recordLife(workplace, logger));
  const { hostKeys } = await provision(workplace, logger);
  if (settings.role !== 'import') await recover(workplace, lock !== null, logger);
  if (settings.role !== 'import') {
    const { deps, close } = composeServer(workplace, hostKeys, logger, probes.onStep);
    opened.push(close);
    opened.push(await followLoginKeys(workplace, logger));
    const server = await startServer(deps);
    running.push(() => server.stop(settings.uploadGraceSeconds * 1000));
    opened.push(followHostKeys(workplace, hostKeys, server, logger));
    for (const { host, port, policy } of server.listeners)
      logger.info('listening', { host, port, policy, role: settings.role });
  }
  if (settings.role !== 'intake') {
    const importer = startImportProcess(settings, workplace.secrets.known(), logger, workplace.now, probes.importer);
    running.push(importer.stop);
    if (settings.role === 'import') logger.info('importing', { role: settings.role });
  }
}

/** Before anybody can log in: a key that was taken away while we were down is out. */
async function followLoginKeys({ paths, control, now }: Workplace, logger: Logger): Promise<Stop> {
  const watch = await watchKeyFolder({ root: paths.loginKeys, control, logger, now });
  return () => watch.stop();
}

/** A collector's rotation may say SIGHUP; it need not. */
function followAudit({ control, settings: { auditLog: target } }: Workplace, logger: Logger): Stop {
  if (target === undefined) return async () => {};
  const log = startAuditLog({ control, target, logger });
  process.on('SIGHUP', log.wake);
  return log.stop;
}

/** What "dropslot hostkeys" does beside us takes effect without a restart. */
function followHostKeys(
  { paths }: Workplace,
  hostKeys: readonly HostKey[],
  server: RunningServer,
  logger: Logger,
): Stop {
  const watch = watchHostKeys(paths.hostKeys, hostKeys, {
    onChange: (keys) => {
      server.replaceHostKeys(keys);
      const told = keys.map(({ type, state, fingerprint }) => `${type} ${fingerprint} ${state}`);
      logger.info('host keys changed', { keys: told });
    },
    onError: ({ message }) =>
      logger.error("host keys can't be used: going on with those from before", { reason: message }),
  });
  return watch.stop;
}

/** On SQLite one server has the data folder for itself; PostgreSQL (null here) takes several. */
async function lockFolder(settings: Settings): Promise<Lock | null> {
  if (settings.database !== 'sqlite') return null;
  const { lock: file, data } = pathsOf(settings);
  const lock = await takeLock(file);
  if (lock === null) throw new OperationError('unavailable', `another "dropslot serve" runs on ${data}: stop it first`);
  return lock;
}

/** What a killed server left half uploaded: its clients know that it was never acknowledged, and may go on from there. */
async function recover(workplace: Workplace, isAlone: boolean, logger: Logger): Promise<void> {
  const { settings, control, paths, now } = workplace;
  const idleSince = now() - settings.idleMinutes * 60_000;
  const keeps = settings.keepPartialHours > 0;
  // The processes that an sshd runs wait meanwhile; where one is at work, its uploads are left alone.
  const sessions = isAlone ? await takeLock(paths.sessionsLock) : null;
  const recovery = { control, paths, isAlone: sessions !== null, idleSince, keeps };
  const { kept, removed } = await recoverPartials(recovery).finally(() => sessions?.release());
  if (kept + removed > 0) logger.info('looked after uploads that were cut off', { kept, removed });
}

/** Resolves at the first signal; a second one ends the process at once. */
function nextSignal(logger: Logger): Promise<void> {
  const die = (cause: unknown) => {
    logger.error('uncaught error', { reason: (cause as Error).message, stack: (cause as Error).stack });
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

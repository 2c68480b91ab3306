/** The services of a server: makes missing keys and databases, listens, imports, and stops without losing an upload. */
import { existsSync } from 'node:fs';
import { readVersion } from '../config/environment.js';
import type { Logger } from '../config/logger.js';
import { pathsOf } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import { deleteAllWriterLeases } from '../db/control/writerleases.js';
import { type Lock, takeLock } from '../db/lock.js';
import type { IntakeStep } from '../intake/intake.js';
import { watchKeyFolder } from '../keys/folder/watch.js';
import type { HostKey } from '../keys/host/hostkeys.js';
import { watchHostKeys } from '../keys/host/watch.js';
import { describeMisfits } from '../operations/databases.js';
import { OperationError } from '../operations/error.js';
import { settleHookOrigin } from '../operations/importhooks.js';
import { type SettingsChoice, showSettings } from '../operations/settings.js';
import type { Workplace } from '../operations/workplace.js';
import { startServer } from '../server/server.js';
import type { RunningServer } from '../server/types.js';
import { StoreError } from '../storage/blobstore.js';
import { claimBlobFolder } from '../storage/folderclaim.js';
import { recoverPartials } from '../storage/partialrecovery.js';
import { claimStore } from '../storage/storeclaim.js';
import { recoverUnsynced, unsyncedPlaceOf } from '../storage/unsynced.js';
import { endpointOf } from '../web/api/listen.js';
import { consoleEndpointOf } from '../web/console/endpoint.js';
import { startApiProcess } from './apiprocess.js';
import { type AuditLog, startAuditLog } from './auditlog.js';
import { watchCommits } from './commitwatch.js';
import { composeServer, openWorkplace } from './compose.js';
import type { Count } from './counting.js';
import { hasData } from './datafolder.js';
import type { ProgramHooks } from './hookcalls.js';
import { startImporterPool } from './importerpool.js';
import { watchLosses } from './losswatch.js';
import { removeStaleNotes, watchMove } from './movewatch.js';
import { provision } from './provision.js';
import { watchSpools } from './spoolwatch.js';
import { recordStartAndStop } from './startaudit.js';
import { startWorkerPool, type WorkerView } from './workerpool.js';

export type Stop = () => Promise<void>;

/** How long the workers of a server that was killed may take to end. */
const orphansMs = 15_000;

export interface ServiceOptions {
  /** Hooks for tests; no setting and no command sets them. */
  probes?: ServeProbes;
  /** Of a program that embeds the services. */
  host?: Host;
  /** Where the settings are from; without it a program has chosen them. */
  choice?: SettingsChoice | undefined;
  /** Gets the log of audit records, if one is written. */
  onAuditLog?: (log: AuditLog) => void;
  /** Called when "dropslot migrate" has moved the databases: the services can't go on. */
  onMoved?: (reason: string) => void;
}

export interface ServeProbes {
  /** Called after each step of each CLOSE. */
  onStep?: (step: IntakeStep) => void;
  /** The module to fork as the importer's process. */
  importer?: URL;
  /** The module to fork as a worker. */
  worker?: URL;
}

/** A program that embeds the services in its process. */
export interface Host {
  /** null: those of the setting importHooks, or none. */
  hooks: ProgramHooks | null;
  /** Gets the lines that the processes of Dropslot write. */
  onOutput(line: string): void;
  /** Called before a client can log in. */
  onOpen(workplace: Workplace): Promise<void>;
  /** Called once everything works; the function that comes back is called at the stop. */
  onReady(workplace: Workplace): Stop;
}

export interface Services {
  /** Where clients connect. Empty with the role `import`. */
  listeners: RunningServer['listeners'];
  workplace: Workplace;
  /** Uploads and imports get their grace. */
  stop: Stop;
}

/** @throws when it can't start, after closing everything that it opened */
export async function startServices(
  settings: Settings,
  logger: Logger,
  options: ServiceOptions = {},
): Promise<Services> {
  const opened: Stop[] = [];
  const running: Stop[] = [];
  const stop = async () => {
    // At the same time: uploads get their grace period while the importer reaches a safe point.
    await Promise.all(running.splice(0).map((end) => end()));
    for (const close of opened.splice(0).reverse()) await close();
  };
  try {
    return { ...(await start(settings, logger, opened, running, options)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  settings: Settings,
  logger: Logger,
  opened: Stop[],
  running: Stop[],
  { probes = {}, host, choice, onAuditLog = () => {}, onMoved = () => {} }: ServiceOptions,
): Promise<Omit<Services, 'stop'>> {
  const isApiOn = [endpointOf(settings), consoleEndpointOf(settings)].some((endpoint) => endpoint !== null);
  const isGuest = host !== undefined;
  const lock = await lockFolder(settings);
  if (lock !== null) opened.push(lock.release);
  const workplace = await openWorkplace(settings, { create: true, isGuest });
  opened.push(workplace.close);
  await settleHookOrigin(workplace, host === undefined ? null : { hasFunctions: host.hooks !== null });
  opened.push(watchMove(workplace, logger, onMoved).stop);
  opened.push(removeStaleNotes(workplace, logger).stop);
  const commits = watchCommits(workplace.control, logger);
  opened.push(commits.stop);
  opened.push(followAudit(workplace, logger, onAuditLog));
  opened.push(await recordStartAndStop(workplace, logger));
  for (const reason of await describeMisfits(workplace)) logger.error('the databases are not whole', { reason });
  opened.push(watchLosses(workplace, logger).stop);
  await greetStore(workplace, logger);
  if (workplace.paths.store !== undefined) opened.push(watchSpools(workplace, logger).stop);
  const { hostKeys } = await provision(workplace, logger);
  await host?.onOpen(workplace);
  let countConnections = () => 0;
  let viewWorkers = (): WorkerView[] => [];
  let count: Count | undefined;
  let listeners: RunningServer['listeners'] = [];
  if (settings.traces !== undefined) {
    const { startTraces } = await import('./traces.js');
    opened.push(startTraces(settings, { part: 'server', version: readVersion(), logger }).stop);
  }
  if (settings.monitor !== undefined) {
    const { startMonitor } = await import('./monitor/monitor.js');
    const deps = { endpoint: settings.monitor, workplace, version: readVersion(), logger };
    const counts = { countConnections: () => countConnections(), viewWorkers: () => viewWorkers() };
    const monitor = await startMonitor({
      ...deps,
      ...counts,
      findCommitFault: commits.fault,
      findCommitWait: commits.wait,
    });
    count = monitor.count;
    opened.push(monitor.stop);
  }
  await recoverSmallFiles(workplace, logger);
  if (settings.role !== 'import') {
    await recover(workplace, lock !== null, logger);
    let server: Pick<RunningServer, 'listeners' | 'countConnections' | 'replaceHostKeys' | 'stop'>;
    if (settings.workers > 1) {
      opened.push(await followLoginKeys(workplace, logger));
      const pool = await startWorkerPool({
        ...{ workplace, hostKeys, logger, isGuest, module: probes.worker },
        ...{ onOutput: host?.onOutput, onCount: count },
      });
      viewWorkers = pool.view;
      server = pool;
    } else {
      const { deps, close } = await composeServer(workplace, hostKeys, logger, { onStep: probes.onStep });
      opened.push(close);
      opened.push(await followLoginKeys(workplace, logger));
      server = await startServer({ ...deps, isGuest });
    }
    listeners = server.listeners;
    countConnections = server.countConnections;
    running.push(() => server.stop(settings.uploadGraceSeconds * 1000));
    opened.push(followHostKeys(workplace, hostKeys, server, logger));
    for (const { host, port, policy } of server.listeners)
      logger.info('listening', { host, port, policy, role: settings.role });
  }
  if (settings.role !== 'intake') {
    const { control, directory, now } = workplace;
    const secrets = workplace.secrets.known();
    const child = host === undefined ? {} : { onOutput: host.onOutput, ...(host.hooks && { hooks: host.hooks }) };
    const pool = startImporterPool({
      ...{ settings, secrets, control, logger, now, onCount: count },
      directoryDriver: directory.source?.driver ?? settings.sqliteDriver,
      ...(probes.importer && { module: probes.importer }),
      ...child,
    });
    running.push(pool.stop);
    if (isApiOn)
      running.push(
        startApiProcess({ settings, shown: showSettings(settings, choice), secrets, logger, onCount: count, ...child }),
      );
    if (settings.role === 'import') logger.info('importing', { role: settings.role });
  }
  if (isGuest) running.push(host.onReady(workplace));
  return { listeners, workplace };
}

/**
 * A store that is away may be back soon: the server starts, and uploads fail until then.
 * @throws OperationError `unavailable` when its files belong to another installation, or the folder is not the one of the other nodes
 */
async function greetStore({ paths, control, now }: Workplace, logger: Logger): Promise<void> {
  const { store } = paths;
  try {
    if (store === undefined) return await claimBlobFolder(paths, control, now());
    await store.probe();
    await claimStore(store, control);
    logger.info('uses the object store', { store: store.name });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code === 'foreign') throw new OperationError('unavailable', error.message);
    logger.error('can not use the object store; uploads and imports fail', { reason: error.message });
  }
}

/** Before the first login: a key that was removed while the server was down can't log in. */
async function followLoginKeys({ paths, control, now }: Workplace, logger: Logger): Promise<Stop> {
  const watch = await watchKeyFolder({ root: paths.loginKeys, control, logger, now });
  return () => watch.stop();
}

function followAudit(
  { control, settings: { auditLog: target } }: Workplace,
  logger: Logger,
  onAuditLog: (log: AuditLog) => void,
): Stop {
  if (target === undefined) return async () => {};
  const log = startAuditLog({ control, target, logger });
  onAuditLog(log);
  return log.stop;
}

/** Changes by "dropslot hostkeys" take effect without a restart. */
function followHostKeys(
  { paths }: Workplace,
  hostKeys: readonly HostKey[],
  server: Pick<RunningServer, 'replaceHostKeys'>,
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
  // Before the lock: of a folder of another user it says more.
  hasData(settings, pathsOf(settings));
  const lock = await takeLock(file, settings.sqliteDriver);
  if (lock === null) throw new OperationError('unavailable', `another "dropslot serve" runs on ${data}: stop it first`);
  return lock;
}

/**
 * Before a client or an importer reads a file: after a power cut small files may be in the database alone. On PostgreSQL too, to which a
 * move has copied the rows of small files that were not synced.
 */
async function recoverSmallFiles({ control, paths }: Workplace, logger: Logger): Promise<void> {
  const restored = await recoverUnsynced(unsyncedPlaceOf(control, paths), true);
  if (restored > 0) logger.info('wrote small files again that the disk had lost', { files: restored });
}

/** Keeps or removes uploads that a killed server left incomplete: they were never acknowledged, and clients may resume them. */
async function recover(workplace: Workplace, isAlone: boolean, logger: Logger): Promise<void> {
  const { settings, control, paths, now } = workplace;
  const idleSince = now() - settings.idleMinutes * 60_000;
  const keeps = settings.keepPartialHours > 0;
  // Sessions behind an sshd wait for this lock; while one runs, its uploads are left unchanged.
  const sessions =
    isAlone && (await waitForWorkers(workplace, logger))
      ? await takeLock(paths.sessionsLock, settings.sqliteDriver)
      : null;
  const recovery = { control, paths, isAlone: sessions !== null, idleSince, keeps };
  const recoverAll = async () => {
    if (sessions !== null) await deleteAllWriterLeases(control.write);
    return recoverPartials(recovery);
  };
  const { kept, removed } = await recoverAll().finally(() => sessions?.release());
  if (kept + removed > 0) logger.info('recovered incomplete uploads', { kept, removed });
}

/** The workers of a server that was killed end within seconds, and their uploads must not change meanwhile. false: they did not. */
async function waitForWorkers({ paths, settings }: Workplace, logger: Logger): Promise<boolean> {
  if (!existsSync(paths.workersLock)) return true;
  const lock = await takeLock(paths.workersLock, settings.sqliteDriver, orphansMs);
  await lock?.release();
  if (lock === null)
    logger.error('processes of an earlier server still run; their uploads are left unchanged', {
      lock: paths.workersLock,
    });
  return lock !== null;
}

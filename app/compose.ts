/**
 * Connects the folders: the one place that builds the parts of every process from its settings. A session behind an sshd
 * waits while this loads, so that parts which only the server needs are loaded when it starts.
 */
import { existsSync } from 'node:fs';
import { systemUser } from '../config/environment.js';
import type { Logger } from '../config/logger.js';
import type { Paths } from '../config/paths.js';
import { describeSource } from '../config/secretsource.js';
import type { Settings } from '../config/settings.js';
import { type Db, openControl, withholdDirectory } from '../db/connection.js';
import { requireBlobPlace } from '../db/control/blobplace.js';
import { findOrg, listOrgs, type Org } from '../db/control/orgs.js';
import { DatabaseError } from '../db/error.js';
import { joinPair } from '../db/pair.js';
import { followClock, type SharedClock } from '../db/sharedclock.js';
import type { HookSource } from '../importer/hooks/load.js';
import type { RunDeps } from '../importer/run/deps.js';
import type { Work } from '../intake/groupcommit.js';
import type { IntakeDeps, IntakeService, IntakeStep } from '../intake/intake.js';
import type { Memory } from '../intake/memory.js';
import type { Intake, Sender } from '../intake/types.js';
import type { HostKey } from '../keys/host/hostkeys.js';
import type { AccessWatch } from '../keys/login/accesswatch.js';
import type { SshdLogins } from '../keys/login/sshdlogin.js';
import type { openDirectoryByKey } from '../keys/master/directory.js';
import { createKeyring, createWithheldKeyring, type Keyring } from '../keys/master/keyring.js';
import { loadMaster, loadOrCreateMaster, type MasterKey } from '../keys/master/master.js';
import { createMasterSecrets, type KnownSecrets, type MasterSecrets } from '../keys/master/secrets.js';
import { OperationError } from '../operations/error.js';
import { noOrganization, type Workplace, type WorkplaceOptions } from '../operations/workplace.js';
import type { ServerDeps } from '../server/types.js';
import { needsRecovery, readBoot } from '../storage/boot.js';
import { systemDisk } from '../storage/disk.js';
import { claimBlobFolder } from '../storage/folderclaim.js';
import { openStoragePaths, type StoragePaths } from '../storage/storagepaths.js';
import type { Space } from '../storage/types.js';
import { hasData } from './datafolder.js';

/**
 * The workplace of commands and of the server: both databases and the keys. Works beside a running server too.
 * @throws OperationError `not_found` when the data folder has no databases and `create` is not set; DatabaseError
 */
export async function openWorkplace(settings: Settings, options: WorkplaceOptions = {}): Promise<Workplace> {
  const paths = await openStoragePaths(settings);
  const isNew = !hasData(settings, paths);
  requireRestored(paths);
  if (isNew && options.create !== true)
    throw new OperationError(
      'not_found',
      `no Dropslot data in ${paths.data}: name its folder with --data, or begin with "dropslot orgs add"`,
    );
  const { isGuest = false } = options;
  const { control, clock } = await openControlAndClock(settings, isGuest, options.evenMoved === true);
  if (options.evenMoved !== true) await findPlace(paths, settings, control, clock);
  const { now } = clock;
  const secrets = createMasterSecrets(paths, {
    ask: isGuest ? undefined : await findTerminal(describeSource(paths.masterKey)),
    ...(options.known && { known: options.known }),
  });
  const { master, open: identity } = composeKeyring(settings, paths, secrets, control);
  let isMasterNew = false;
  const makeMaster = async () => {
    // A new key can't open existing files: a lost master key must be restored from the backup.
    if (settings.role === 'intake' || (await listOrgs(control.read)).length > 0)
      return { master: await master(), created: false };
    const made = await loadOrCreateMaster(paths, secrets, settings.recipientType);
    isMasterNew ||= made.created;
    return { master: made.master, created: isMasterNew };
  };
  const directory =
    options.withoutDirectory === true
      ? withholdDirectory(new DatabaseError('withheld', 'this command does not open directory.db'))
      : await openDirectoryOf(settings, control, {
          ...{ master, isGuest, now, isApart: options.evenMoved === true },
          makeMaster: async () => (await makeMaster()).master,
        });
  await recoverAhead(control, paths);
  return {
    settings,
    paths,
    control,
    directory,
    isNew,
    actor: `operator:${systemUser()}`,
    now,
    skewMs: clock.skewMs,
    secrets,
    master,
    makeMaster,
    org: async (id) => {
      const org = await findOrg(control.read, id);
      if (org === null) throw noOrganization(id);
      return org;
    },
    identity,
    space: async (org) => {
      const { openSpace } = await import('../storage/space.js');
      return openSpace({ control, paths, settings, org, now, identity: () => identity(org) });
    },
    hooks: options.hooks ?? loadHookSource(settings, control),
    close: async () => {
      paths.store?.close();
      await closeDatabases(control, directory, clock);
    },
  };
}

/** The hooks of a command, which are watched; loaded when it first imports or checks a file. */
function loadHookSource(settings: Settings, control: Db): HookSource {
  let source: Promise<HookSource> | null = null;
  const load = async () => {
    const { createHookSource } = await import('../operations/importhooks.js');
    const { watchHooks } = await import('../importer/hooks/watchdog.js');
    return createHookSource(settings, control.read, watchHooks(settings));
  };
  return async () => {
    source ??= load();
    return (await source)();
  };
}

/** undefined: there is no terminal to ask for the passphrase on. */
async function findTerminal(masterKey: string): Promise<(() => Promise<string>) | undefined> {
  const { askPassphrase, canAsk } = await import('../cli/prompt.js');
  return canAsk() ? () => askPassphrase(masterKey) : undefined;
}

export interface ServerParts {
  deps: ServerDeps;
  /** That clients occupy. */
  memory: Memory;
  /** Aborts open uploads, syncs what is left to sync, and ends the sealing threads. */
  close(): Promise<void>;
}

/** The parts of `dropslot serve`: logins of every organization, and sessions over its space and its intake. */
export async function composeServer(
  workplace: Workplace,
  hostKeys: readonly HostKey[],
  logger: Logger,
  extra: { onStep?: ((step: IntakeStep) => void) | undefined; process?: string } = {},
): Promise<ServerParts> {
  const { createAuthenticator } = await import('../keys/login/authenticate.js');
  const { SealingThreads } = await import('../storage/sealingpool.js');
  const { control, settings, now } = workplace;
  const { SmallFiles } = await import('../storage/smallfiles.js');
  const { GroupCommit } = await import('../intake/groupcommit.js');
  const sealingThreads = new SealingThreads();
  const smallFiles = new SmallFiles();
  const commits = new GroupCommit(control);
  const { createAccessWatch } = await import('../keys/login/accesswatch.js');
  const { intake, openSession } = await composeSessions(workplace, logger, {
    sealingThreads,
    commits,
    disk: smallFiles.extend(systemDisk),
    boot: readBoot(),
    onStep: extra.onStep ?? (() => {}),
    ...(extra.process !== undefined && { process: extra.process }),
  });
  const commit = <T>(work: Work<T>) => commits.run(work);
  const authenticator = createAuthenticator({ control, settings, now, ...(sharesCommits(control) && { commit }) });
  const access = createAccessWatch({ control, authenticator, logger, now });
  const deps: ServerDeps = {
    settings,
    logger,
    hostKeys,
    control,
    authenticator,
    access,
    openSession: ({ org }, sender) => openSession(org, sender),
    now,
  };
  const close = async () => {
    await intake.abortAll();
    await smallFiles.close();
    await sealingThreads.close();
  };
  return { deps, memory: intake.memory, close };
}

/** The parts of one session that has a process of its own: no directory, no listener, no terminal for a passphrase. */
export interface SessionParts {
  control: Db;
  org: Org;
  now: () => number;
  openSession(sender: Sender): Session;
  logins: SshdLogins;
  /** Reports when an admitted login is no longer valid. */
  access: AccessWatch;
  /** Aborts open uploads and closes the database. */
  close(): Promise<void>;
}

/** @throws OperationError `not_found` when there is no data or no such organization; DatabaseError; StoreError `foreign` as claimBlobFolder */
export async function composeSession(settings: Settings, id: string, logger: Logger): Promise<SessionParts> {
  const paths = await openStoragePaths(settings);
  requireRestored(paths);
  if (!hasData(settings, paths)) throw new OperationError('not_found', `no Dropslot data in ${paths.data}`);
  const { control, clock } = await openControlAndClock(settings);
  await findPlace(paths, settings, control, clock);
  const { now } = clock;
  const org = await findOrg(control.read, id);
  if (org === null) {
    clock.stop();
    await control.close();
    throw new OperationError('not_found', `no organization "${id}"`);
  }
  try {
    await claimBlobFolder(paths, control, now());
  } catch (cause) {
    clock.stop();
    await control.close();
    throw cause;
  }
  await recoverAhead(control, paths);
  const { open: identity } = composeKeyring(settings, paths, createMasterSecrets(paths), control);
  const { createSshdLogins } = await import('../keys/login/sshdlogin.js');
  const { createAccessWatch } = await import('../keys/login/accesswatch.js');
  const { intake, openSession } = await composeSessions({ settings, paths, control, now, identity }, logger);
  const logins = createSshdLogins({ control, settings, now });
  const access = createAccessWatch({ control, authenticator: logins, logger, now });
  const close = async () => {
    await intake.abortAll();
    clock.stop();
    paths.store?.close();
    await control.close();
  };
  return { control, org, now, openSession: (sender) => openSession(org, sender), logins, access, close };
}

export interface ImporterParts {
  deps: RunDeps;
  /** Reads the master key as it is now. @throws KeyError */
  loadMaster(): Promise<MasterKey>;
  close(): Promise<void>;
}

/**
 * The parts of the importer's process.
 * @param known the secrets that the server has read: a descriptor or a person gives a secret only once.
 * @param hooks those of a program that embeds the server
 * @throws KeyError when there is no usable master key: every run would fail; DatabaseError
 */
export async function composeImporter(
  settings: Settings,
  known: KnownSecrets,
  logger: Logger,
  hooks?: HookSource,
): Promise<ImporterParts> {
  const paths = await openStoragePaths(settings);
  const { control, clock } = await openControlAndClock(settings);
  await findPlace(paths, settings, control, clock);
  const { now } = clock;
  const { createHookSource } = await import('../operations/importhooks.js');
  const secrets = createMasterSecrets(paths, { known });
  const keyring = composeKeyring(settings, paths, secrets, control);
  const { master } = keyring;
  const directory = await openDirectoryOf(settings, control, { master, makeMaster: master, now });
  await master();
  const close = async () => {
    paths.store?.close();
    await closeDatabases(control, directory, clock);
  };
  const deps: RunDeps = {
    ...{ settings, paths, control, directory, logger, identity: keyring.open, now },
    hooks: hooks ?? createHookSource(settings, control.read),
  };
  return { deps, loadMaster: () => loadMaster(paths, secrets), close };
}

/** An intake node gets the keyring that opens no file, even if the data folder has a master key. */
function composeKeyring(
  { role }: Pick<Settings, 'role'>,
  paths: Paths,
  secrets: MasterSecrets,
  control: Pick<Db, 'read'>,
): Keyring {
  if (role === 'intake') return createWithheldKeyring();
  return createKeyring({
    loadMaster: () => loadMaster(paths, secrets),
    findOrg: (id) => findOrg(control.read, id),
  });
}

interface Session {
  space: Space;
  intake: Intake;
}

/**
 * Whether logins and reads share the commits of uploads. Not on PostgreSQL: a login would wait for the locks of other organizations' uploads,
 * and two nodes with the same two logins in their groups for each other.
 */
function sharesCommits({ dialect }: Db): boolean {
  return dialect === 'sqlite';
}

/** One intake for the whole process, and the space and the intake of each session. */
async function composeSessions(
  { settings, paths, control, identity, now }: Pick<Workplace, 'settings' | 'paths' | 'control' | 'identity' | 'now'>,
  logger: Logger,
  extra: Pick<IntakeDeps, 'sealingThreads' | 'commits' | 'disk' | 'onStep' | 'process' | 'boot'> = {},
): Promise<{ intake: IntakeService; openSession(org: Org, sender: Sender): Session }> {
  const { GroupCommit } = await import('../intake/groupcommit.js');
  const { createIntake } = await import('../intake/intake.js');
  const { recordReads } = await import('../intake/readaudit.js');
  const { openSpace } = await import('../storage/space.js');
  const commits = extra.commits ?? new GroupCommit(control);
  const intake = createIntake({ control, paths, settings, logger, now, identity, ...extra, commits });
  intake.announce();
  const { ReadAhead } = await import('../storage/readahead.js');
  const reads = { commits: sharesCommits(control) ? commits : new GroupCommit(control), now, logger, unrecorded: [] };
  const { maxMemoryBytesPerOrg, maxMemoryBytes } = settings;
  const readAhead = new ReadAhead({ orgBytes: maxMemoryBytesPerOrg / 4, processBytes: maxMemoryBytes / 4 });
  const openSession = (org: Org, sender: Sender) => {
    const ahead = readAhead.of(org.id);
    const space = openSpace({ control, paths, settings, org, now, identity: () => identity(org), ahead });
    return { space: recordReads(space, org, sender, reads), intake: intake.forSender(org, sender) };
  };
  return { intake, openSession };
}

/** @throws OperationError `unavailable` while a backup is being restored, or where that was interrupted */
function requireRestored({ data, restoreMark }: Pick<Paths, 'data' | 'restoreMark'>): void {
  if (existsSync(restoreMark))
    throw new OperationError(
      'unavailable',
      `a backup is being restored into ${data}, or that was interrupted: repeat "dropslot restore", or remove the folder`,
    );
}

/** Commands and sessions may read files after a power cut, before the server has started. Where this fails, its start says why. */
async function recoverAhead(control: Db, paths: StoragePaths): Promise<void> {
  if (control.dialect !== 'sqlite' || !(await needsRecovery(control))) return;
  const { recoverUnsynced, unsyncedPlaceOf } = await import('../storage/unsynced.js');
  await recoverUnsynced(unsyncedPlaceOf(control, paths)).catch(() => {});
}

/** Closes `control` when it fails. */
async function openDirectoryOf(
  settings: Settings,
  control: Db,
  {
    isApart = false,
    ...keys
  }: Pick<Parameters<typeof openDirectoryByKey>[1], 'master' | 'makeMaster' | 'isGuest' | 'now'> & {
    isApart?: boolean;
  },
): Promise<Db> {
  let directory: Db | null = null;
  try {
    const { openDirectoryByKey } = await import('../keys/master/directory.js');
    directory = await openDirectoryByKey(settings, { ...keys, control: control.write });
    // A node without the key can't look into a sealed directory: those that can compare the two.
    if (directory.withheld === undefined && !isApart) await joinPair({ control, directory });
    return directory;
  } catch (cause) {
    await directory?.close();
    await control.close();
    throw cause;
  }
}

/** @throws DatabaseError */
async function openControlAndClock(
  settings: Settings,
  isGuest = false,
  evenMoved = false,
): Promise<{ control: Db; clock: SharedClock }> {
  const control = await openControl(settings, undefined, isGuest, { evenMoved });
  try {
    return { control, clock: await followClock(control) };
  } catch (cause) {
    await control.close();
    throw cause;
  }
}

/** @throws DatabaseError `unavailable` when the sealed files were moved to another place than the one of the settings */
async function findPlace(paths: StoragePaths, { blobs }: Settings, control: Db, clock: SharedClock): Promise<void> {
  try {
    paths.placeNumber = await requireBlobPlace(control.read, blobs);
  } catch (cause) {
    clock.stop();
    paths.store?.close();
    await control.close();
    throw cause;
  }
}

async function closeDatabases(control: Db, directory: Db, clock: SharedClock): Promise<void> {
  clock.stop();
  await directory.close();
  await control.close();
}

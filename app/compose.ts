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
import { findOrg, listOrgs, type Org } from '../db/control/orgs.js';
import { DatabaseError } from '../db/error.js';
import { joinPair } from '../db/pair.js';
import { followClock, type SharedClock } from '../db/sharedclock.js';
import type { HookSource } from '../importer/hooks/load.js';
import { watchHooks } from '../importer/hooks/watchdog.js';
import type { RunDeps } from '../importer/run/deps.js';
import { GroupCommit } from '../intake/groupcommit.js';
import { createIntake, type IntakeDeps, type IntakeService, type IntakeStep } from '../intake/intake.js';
import { recordReads } from '../intake/readaudit.js';
import type { Intake, Sender } from '../intake/types.js';
import type { HostKey } from '../keys/host/hostkeys.js';
import { type AccessWatch, createAccessWatch } from '../keys/login/accesswatch.js';
import { createSshdLogins, type SshdLogins } from '../keys/login/sshdlogin.js';
import { openDirectoryByKey } from '../keys/master/directory.js';
import { createKeyring, createWithheldKeyring, type Keyring } from '../keys/master/keyring.js';
import { loadMaster, loadOrCreateMaster, type MasterKey } from '../keys/master/master.js';
import { createMasterSecrets, type KnownSecrets, type MasterSecrets } from '../keys/master/secrets.js';
import { OperationError } from '../operations/error.js';
import { createHookSource } from '../operations/importhooks.js';
import { noOrganization, type Workplace, type WorkplaceOptions } from '../operations/workplace.js';
import type { ServerDeps } from '../server/types.js';
import { openSpace } from '../storage/space.js';
import { storagePathsOf } from '../storage/storagepaths.js';
import type { Space } from '../storage/types.js';
import { hasData } from './datafolder.js';

/**
 * The workplace of commands and of the server: both databases and the keys. Works beside a running server too.
 * @throws OperationError `not_found` when the data folder has no databases and `create` is not set; DatabaseError
 */
export async function openWorkplace(settings: Settings, options: WorkplaceOptions = {}): Promise<Workplace> {
  const paths = storagePathsOf(settings);
  const isNew = !hasData(settings, paths);
  requireRestored(paths);
  if (isNew && options.create !== true)
    throw new OperationError(
      'not_found',
      `no Dropslot data in ${paths.data}: name its folder with --data, or begin with "dropslot orgs add"`,
    );
  const { isGuest = false } = options;
  const { control, clock } = await openControlAndClock(settings, isGuest, options.evenMoved === true);
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
    space: (org) => openSpace({ control, paths, settings, org, now, identity: () => identity(org) }),
    hooks: options.hooks ?? createHookSource(settings, control.read, watchHooks(settings)),
    close: async () => {
      paths.store?.close();
      await closeDatabases(control, directory, clock);
    },
  };
}

/** undefined: there is no terminal to ask for the passphrase on. */
async function findTerminal(masterKey: string): Promise<(() => Promise<string>) | undefined> {
  const { askPassphrase, canAsk } = await import('../cli/prompt.js');
  return canAsk() ? () => askPassphrase(masterKey) : undefined;
}

export interface ServerParts {
  deps: ServerDeps;
  /** Aborts open uploads and ends the sealing threads. */
  close(): Promise<void>;
}

/** The parts of `dropslot serve`: logins of every organization, and sessions over its space and its intake. */
export async function composeServer(
  workplace: Workplace,
  hostKeys: readonly HostKey[],
  logger: Logger,
  onStep: (step: IntakeStep) => void = () => {},
): Promise<ServerParts> {
  const { createAuthenticator } = await import('../keys/login/authenticate.js');
  const { SealingThreads } = await import('../storage/sealingpool.js');
  const { control, settings, now } = workplace;
  const sealingThreads = new SealingThreads();
  const { intake, openSession } = composeSessions(workplace, logger, { sealingThreads, onStep });
  const authenticator = createAuthenticator({ control, settings, now });
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
    await sealingThreads.close();
  };
  return { deps, close };
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

/** @throws OperationError `not_found` when there is no data or no such organization; DatabaseError */
export async function composeSession(settings: Settings, id: string, logger: Logger): Promise<SessionParts> {
  const paths = storagePathsOf(settings);
  requireRestored(paths);
  if (!hasData(settings, paths)) throw new OperationError('not_found', `no Dropslot data in ${paths.data}`);
  const { control, clock } = await openControlAndClock(settings);
  const { now } = clock;
  const org = await findOrg(control.read, id);
  if (org === null) {
    clock.stop();
    await control.close();
    throw new OperationError('not_found', `no organization "${id}"`);
  }
  const { open: identity } = composeKeyring(settings, paths, createMasterSecrets(paths), control);
  const { intake, openSession } = composeSessions({ settings, paths, control, now, identity }, logger);
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
  const paths = storagePathsOf(settings);
  const { control, clock } = await openControlAndClock(settings);
  const { now } = clock;
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

/** One intake for the whole process, and the space and the intake of each session. */
function composeSessions(
  { settings, paths, control, identity, now }: Pick<Workplace, 'settings' | 'paths' | 'control' | 'identity' | 'now'>,
  logger: Logger,
  extra: Pick<IntakeDeps, 'sealingThreads' | 'onStep'> = {},
): { intake: IntakeService; openSession(org: Org, sender: Sender): Session } {
  const intake = createIntake({ control, paths, settings, logger, now, identity, ...extra });
  intake.announce();
  const reads = { commits: new GroupCommit(control), now, logger, unrecorded: [] };
  const openSession = (org: Org, sender: Sender) => {
    const space = openSpace({ control, paths, settings, org, now, identity: () => identity(org) });
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

async function closeDatabases(control: Db, directory: Db, clock: SharedClock): Promise<void> {
  clock.stop();
  await directory.close();
  await control.close();
}

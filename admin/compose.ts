/** The one place (with place.ts) that wires the rooms together: a workplace for commands, and the server's parts. */
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { Logger } from '../config/logger.js';
import { type Paths, pathsOf } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import { type Db, openControl, openDirectory } from '../db/connection.js';
import { findOrg, listOrgs, type Org } from '../db/control/orgs.js';
import { GroupCommit } from '../intake/commit.js';
import { createIntake, type IntakeService, type IntakeStep } from '../intake/intake.js';
import { recordReads } from '../intake/reads.js';
import type { Sender } from '../intake/types.js';
import { createAuthenticator, type Login } from '../keys/authenticate.js';
import type { HostKey } from '../keys/host.js';
import { loadOrCreateMaster, type MasterKey } from '../keys/master.js';
import { createMasterSecrets, type MasterSecrets } from '../keys/secrets.js';
import { createAccessWatch } from '../keys/watch.js';
import type { ServerDeps } from '../server/types.js';
import { SealCrew } from '../storage/crew.js';
import { openSpace } from '../storage/space.js';
import type { Space } from '../storage/types.js';
import { AdminError } from './error.js';
import { composeKeyring } from './place.js';
import { askPassphrase, canAsk } from './prompt.js';

/** What an operation works with: both databases, the data folder, the clock, and who is asking. */
export interface Workplace {
  settings: Settings;
  paths: Paths;
  control: Db;
  directory: Db;
  /** Whether this made the databases. */
  isNew: boolean;
  /** For the audit trail: `operator:<system user>`. */
  actor: string;
  now: () => number;
  /** Where the master key comes from, and what was read of it. */
  secrets: MasterSecrets;
  /** @throws KeyError when there is no usable master key. */
  master(): Promise<MasterKey>;
  /** The master key, made where there is none and no organization that needs the old one. @throws KeyError */
  makeMaster(): Promise<{ master: MasterKey; created: boolean }>;
  /** @throws AdminError `not_found` */
  org(id: string): Promise<Org>;
  /** The organization's age identities as they are now, one a line. @throws KeyError */
  identity(org: Org): Promise<string>;
  space(org: Org): Space;
  close(): Promise<void>;
}

export interface WorkplaceOptions {
  /** Make the data folder and its databases where there are none; without it that is a refusal. */
  create?: boolean;
}

/**
 * Opens both databases; works beside a running server as well as without one.
 * @throws AdminError `not_found` when the data folder holds no databases and `create` is not set; DatabaseError.
 */
export async function openWorkplace(settings: Settings, options: WorkplaceOptions = {}): Promise<Workplace> {
  const paths = pathsOf(settings);
  const isNew = settings.database === 'sqlite' && !existsSync(paths.control);
  if (isNew && options.create !== true)
    throw new AdminError(
      'not_found',
      `no Dropslot data in ${paths.data}: name its folder with --data, or begin with "dropslot orgs add"`,
    );
  const control = await openControl(settings);
  const directory = await openDirectory(settings).catch(async (cause) => {
    await control.close();
    throw cause;
  });
  const secrets = createMasterSecrets(paths, { ask: canAsk() ? () => askPassphrase(paths.masterKey) : undefined });
  const { master, open: identity } = composeKeyring(settings, paths, secrets, control);
  const now = Date.now;
  return {
    settings,
    paths,
    control,
    directory,
    isNew,
    actor: `operator:${systemUser()}`,
    now,
    secrets,
    master,
    makeMaster: async () => {
      // A new key would open nothing of what is there: a lost one must come back from the backup.
      if (settings.role === 'intake' || (await listOrgs(control.read)).length > 0)
        return { master: await master(), created: false };
      return loadOrCreateMaster(paths, secrets, settings.recipientType);
    },
    org: async (id) => {
      const org = await findOrg(control.read, id);
      if (org === null) throw new AdminError('not_found', `no organization "${id}"; see "dropslot orgs list"`);
      return org;
    },
    identity,
    space: (org) => openSpace({ control, paths, settings, org, now, identity: () => identity(org) }),
    close: async () => {
      await directory.close();
      await control.close();
    },
  };
}

export interface ServerParts {
  deps: ServerDeps;
  intake: IntakeService;
  /** Ends what is still open: uploads first. */
  close(): Promise<void>;
}

/** The server's parts: logins from the control database, sessions over the space and the intake of their organization. */
export function composeServer(
  place: Workplace,
  hostKeys: readonly HostKey[],
  logger: Logger,
  onStep: (step: IntakeStep) => void = () => {},
): ServerParts {
  const { control, paths, settings, now, identity } = place;
  const crew = new SealCrew();
  const intake = createIntake({ control, paths, settings, logger, now, identity, crew, onStep });
  const reads = { commits: new GroupCommit(control), now };
  const openSession = (login: Login, sender: Sender) => ({
    space: recordReads(place.space(login.org), login.org, sender, reads),
    intake: intake.forSender(login.org, sender),
  });
  const authenticator = createAuthenticator({ control, settings, now });
  const access = createAccessWatch({ control, authenticator, logger, now });
  const close = async () => {
    await intake.abortAll();
    await crew.close();
  };
  return { intake, close, deps: { settings, logger, hostKeys, control, authenticator, access, openSession, now } };
}

/** A container may run under a user id without a name. */
function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

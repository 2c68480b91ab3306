/** Wires the rooms together: a workplace for commands, and the server's parts. */
import { existsSync } from 'node:fs';
import { askPassphrase, canAsk } from '../cli/prompt.js';
import { systemUser } from '../config/environment.js';
import type { Logger } from '../config/logger.js';
import { pathsOf } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import { openControl, openDirectory } from '../db/connection.js';
import { findOrg, listOrgs } from '../db/control/orgs.js';
import { GroupCommit } from '../intake/groupcommit.js';
import { createIntake, type IntakeService, type IntakeStep } from '../intake/intake.js';
import { recordReads } from '../intake/readaudit.js';
import type { Sender } from '../intake/types.js';
import type { HostKey } from '../keys/host/hostkeys.js';
import { createAccessWatch } from '../keys/login/accesswatch.js';
import { createAuthenticator, type Login } from '../keys/login/authenticate.js';
import { loadOrCreateMaster } from '../keys/master/master.js';
import { createMasterSecrets } from '../keys/master/secrets.js';
import { OperationError } from '../operations/error.js';
import type { Workplace, WorkplaceOptions } from '../operations/workplace.js';
import type { ServerDeps } from '../server/types.js';
import { SealCrew } from '../storage/sealingthreads.js';
import { openSpace } from '../storage/space.js';
import { composeKeyring } from './sessionplace.js';

/**
 * Opens both databases; works beside a running server as well as without one.
 * @throws OperationError `not_found` when the data folder holds no databases and `create` is not set; DatabaseError.
 */
export async function openWorkplace(settings: Settings, options: WorkplaceOptions = {}): Promise<Workplace> {
  const paths = pathsOf(settings);
  const isNew = settings.database === 'sqlite' && !existsSync(paths.control);
  if (isNew && options.create !== true)
    throw new OperationError(
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
      if (org === null) throw new OperationError('not_found', `no organization "${id}"; see "dropslot orgs list"`);
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
  workplace: Workplace,
  hostKeys: readonly HostKey[],
  logger: Logger,
  onStep: (step: IntakeStep) => void = () => {},
): ServerParts {
  const { control, paths, settings, now, identity } = workplace;
  const crew = new SealCrew();
  const intake = createIntake({ control, paths, settings, logger, now, identity, crew, onStep });
  const reads = { commits: new GroupCommit(control), now };
  const openSession = (login: Login, sender: Sender) => ({
    space: recordReads(workplace.space(login.org), login.org, sender, reads),
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

/**
 * What one session works with that has a process of its own, as compose.ts wires it for a server, and no more: whoever an
 * sshd lets in waits while it loads.
 */
import { existsSync } from 'node:fs';
import type { Logger } from '../config/logger.js';
import { type Paths, pathsOf } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import { type Db, openControl } from '../db/connection.js';
import { findOrg, type Org } from '../db/control/orgs.js';
import { GroupCommit } from '../intake/groupcommit.js';
import { createIntake, type IntakeService } from '../intake/intake.js';
import { recordReads } from '../intake/readaudit.js';
import type { Intake, Sender } from '../intake/types.js';
import { type AccessWatch, createAccessWatch } from '../keys/login/accesswatch.js';
import { createSshdLogins, type SshdLogins } from '../keys/login/sshdlogin.js';
import { createKeyring, createWithheldKeyring, type Keyring } from '../keys/master/keyring.js';
import { loadMaster } from '../keys/master/master.js';
import { createMasterSecrets, type MasterSecrets } from '../keys/master/secrets.js';
import { OperationError } from '../operations/error.js';
import { openSpace } from '../storage/space.js';
import type { Space } from '../storage/types.js';

/** No directory, no server, nobody to ask for a passphrase. */
export interface SessionPlace {
  control: Db;
  org: Org;
  intake: IntakeService;
  openSession(sender: Sender): { space: Space; intake: Intake };
  visitors: SshdLogins;
  /** Tells when what `visitors` said no longer holds. */
  access: AccessWatch;
  close(): Promise<void>;
}

/** @throws OperationError `not_found` when there is no data or no such organization; DatabaseError */
export async function openSessionPlace(settings: Settings, id: string, logger: Logger): Promise<SessionPlace> {
  const paths = pathsOf(settings);
  if (settings.database === 'sqlite' && !existsSync(paths.control))
    throw new OperationError('not_found', `no Dropslot data in ${paths.data}`);
  const control = await openControl(settings);
  const org = await findOrg(control.read, id);
  if (org === null) {
    await control.close();
    throw new OperationError('not_found', `no organization "${id}"`);
  }
  const keyring = composeKeyring(settings, paths, createMasterSecrets(paths), control);
  const identity = () => keyring.open(org);
  const now = Date.now;
  const intake = createIntake({ control, paths, settings, logger, now, identity });
  const reads = { commits: new GroupCommit(control), now };
  const openSession = (sender: Sender) => ({
    space: recordReads(openSpace({ control, paths, settings, org, now, identity }), org, sender, reads),
    intake: intake.forSender(org, sender),
  });
  const visitors = createSshdLogins({ control, settings, now });
  const access = createAccessWatch({ control, authenticator: visitors, logger, now });
  return { control, org, intake, openSession, visitors, access, close: () => control.close() };
}

/** An intake node gets the keyring that opens nothing, even where a master key lies beside it. */
export function composeKeyring(
  settings: Pick<Settings, 'role'>,
  paths: Paths,
  secrets: MasterSecrets,
  control: Db,
): Keyring {
  if (settings.role === 'intake') return createWithheldKeyring();
  return createKeyring({
    loadMaster: () => loadMaster(paths, secrets),
    findOrg: (id) => findOrg(control.read, id),
  });
}

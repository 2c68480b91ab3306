/** The keys of an installation, and its first organization, which may log in. */
import { pathsOf } from '../../config/paths.js';
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import { insertOrg, type Org } from '../../db/control/orgs.js';
import type { IntakeService } from '../../intake/intake.js';
import { loadOrCreateHostKeys } from '../../keys/host/hostkeys.js';
import { loadOrCreateMaster } from '../../keys/master/master.js';
import { createOrgIdentity, openOrgIdentity } from '../../keys/master/orgidentity.js';
import type { ServerDeps } from '../../server/types.js';
import { openSpace } from '../../storage/space.js';
import type { Space } from '../../storage/types.js';
import { allowKey, newKeyPair } from './keys.js';
import { sampleOrg } from './samples.js';

export async function laySite(control: Db, settings: Settings, now: () => number) {
  const paths = pathsOf(settings);
  const { master } = await loadOrCreateMaster(paths);
  const { keys: hostKeys } = await loadOrCreateHostKeys(paths.hostKeys);
  const identity = (org: Org) => openOrgIdentity(master, org);
  const spaceOf = (org: Org): Space => openSpace({ control, paths, settings, org, now, identity: () => identity(org) });
  const addOrg = async (id: string, change: Partial<Org> = {}): Promise<Org> => {
    const org = sampleOrg(id, { ...(await createOrgIdentity(master.recipient)), ...change });
    await insertOrg(control.write, org);
    return org;
  };
  const org = await addOrg('acme');
  const key = newKeyPair();
  await allowKey(control, 'acme', key);
  const sessionsOf =
    (intake: IntakeService): ServerDeps['openSession'] =>
    (login, sender) => ({ space: spaceOf(login.org), intake: intake.forSender(login.org, sender) });
  return { paths, hostKeys, identity, addOrg, org, key, space: spaceOf(org), sessionsOf };
}

/** The rows that the checks of organizations read, of some hundred at once: one by one, 2,000 organizations took 25,000 queries. */
import { type Alarm, listOpenAlarms } from '../../db/control/alarms.js';
import { countSealed } from '../../db/control/identityrotation.js';
import { type LoginKey, listLoginKeys } from '../../db/control/keys.js';
import type { Org } from '../../db/control/orgs.js';
import { listHeldRuns, listOldestQueued } from '../../db/control/orgstates.js';
import { listPgpKeys, type PgpKeyRow } from '../../db/control/pgpkeys.js';
import { listLateRuns, type Run } from '../../db/control/runs.js';
import { listSources, type Source } from '../../db/control/sources.js';
import { listOrgsWithStored } from '../../db/control/storedfiles.js';
import { listPending, type PendingErasure } from '../../db/directory/pendingerasures.js';
import { findUserOfEach, type User } from '../../db/directory/users.js';
import { emailKey } from '../../importer/read/normalize.js';
import { keyIdsOf } from '../../keys/master/orgidentity.js';
import { groupByOrg } from '../byorg.js';
import type { Workplace } from '../workplace.js';

/** Of one organization. */
export interface OrgRows {
  /** null: its owner is no user. */
  owner: Pick<User, 'status' | 'isAdmin'> | null;
  loginKeys: LoginKey[];
  pgpKeys: PgpKeyRow[];
  sources: Source[];
  alarms: Alarm[];
  pendingErasures: PendingErasure[];
  /** Those that have not ended and the last one that has, the newest first. */
  runs: Run[];
  /** Files that none of its keys opens. */
  lostFiles: number;
  isHeld: boolean;
  /** null: no file is queued. */
  oldestQueuedAt: number | null;
  hasStored: boolean;
}

/** @param orgs at most a few hundred: each is a value of several statements */
export async function readOrgRows(
  { control, directory }: Pick<Workplace, 'control' | 'directory'>,
  orgs: readonly Org[],
): Promise<Map<string, OrgRows>> {
  const db = control.read;
  const ids = orgs.map(({ id }) => id);
  const owners = await findUserOfEach(
    directory.read,
    new Map(orgs.map(({ id, ownerEmail }) => [id, emailKey(ownerEmail)])),
  );
  const pending = groupByOrg(await listPending(directory.read, ids));
  const loginKeys = groupByOrg(await listLoginKeys(db, ids));
  const pgpKeys = groupByOrg(await listPgpKeys(db, ids));
  const sources = groupByOrg(await listSources(db, { org: ids }));
  const alarms = groupByOrg(await listOpenAlarms(db, ids));
  const runs = groupByOrg(await listLateRuns(db, ids));
  const sealed = groupByOrg(await countSealed(db, ids));
  const held = await listHeldRuns(db);
  const queued = await listOldestQueued(db);
  const stored = new Set(await listOrgsWithStored(db));
  const rowsOf = (org: Org): OrgRows => {
    const known = keyIdsOf(org);
    const lost = sealed(org.id).filter(({ sealedTo }) => !known.includes(sealedTo));
    return {
      owner: owners.get(org.id) ?? null,
      loginKeys: loginKeys(org.id),
      pgpKeys: pgpKeys(org.id),
      sources: sources(org.id),
      alarms: alarms(org.id),
      pendingErasures: pending(org.id),
      runs: runs(org.id),
      lostFiles: lost.reduce((sum, { count }) => sum + count, 0),
      isHeld: held.has(org.id),
      oldestQueuedAt: queued.get(org.id) ?? null,
      hasStored: stored.has(org.id),
    };
  };
  return new Map(orgs.map((org) => [org.id, rowsOf(org)]));
}

/** Finds the recipient that an upload is sealed to: reads the database each time, as identities rotate under a running server. */
import type { Queryable } from '../db/connection.js';
import { findOrg, lockOrg, type Org } from '../db/control/orgs.js';
import { keyIdsOf } from '../keys/master/orgidentity.js';
import type { SealedBlob } from '../storage/sealedwriter.js';
import { SpaceError } from '../storage/types.js';

/** `age1…`. @throws SpaceError `destroyed`, `failed` when the organization is gone */
export async function findRecipient(db: Queryable, org: string): Promise<string> {
  return requireIdentity(org, await findOrg(db, org)).recipient;
}

/**
 * Ensures that the sealed blob can be opened once the transaction is committed: an upload may last longer than the
 * organization's old identity is kept.
 * @throws SpaceError `destroyed`, `failed`
 */
export async function requireOpenable(tx: Queryable, org: string, { sealedTo }: SealedBlob): Promise<void> {
  const found = requireIdentity(org, await lockOrg(tx, org, false));
  if (!keyIdsOf(found).includes(sealedTo))
    throw new SpaceError('failed', `the identity of ${org} was rotated while this was uploaded: it must be sent again`);
}

function requireIdentity(id: string, org: Org | null): Org {
  if (org === null) throw new SpaceError('failed', `organization ${id} is gone`);
  if (org.sealedIdentity === null)
    throw new SpaceError('destroyed', `the identity of organization ${id} was destroyed: it accepts no files`);
  return org;
}

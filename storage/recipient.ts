/** The recipient that an organization's files are sealed to. Identities are rotated beside a running server, so each use asks anew. */
import type { Queryable } from '../db/connection.js';
import { findOrg, lockOrg, type Org } from '../db/control/orgs.js';
import { keyIdsOf } from '../keys/master/orgidentity.js';
import type { SealedBlob } from './sealedwriter.js';
import { SpaceError } from './types.js';

/** `age1…`. @throws SpaceError `destroyed`, `failed` when the organization does not exist */
export async function findRecipient(db: Queryable, org: string): Promise<string> {
  return requireIdentity(org, await findOrg(db, org)).recipient;
}

/**
 * Makes sure that the organization can open the blobs once the transaction is committed, and keeps its identities until
 * then: sealing may take longer than a rotated identity is kept. Returns the organization as it is now.
 * @throws SpaceError `destroyed`, `failed` when the content must be sealed again
 */
export async function requireOpenable(tx: Queryable, org: string, blobs: readonly SealedBlob[]): Promise<Org> {
  return requireOpenableBy(org, await lockOrg(tx, org, false), blobs);
}

/** As requireOpenable, of the organization that the transaction has read; null: it was not there. */
export function requireOpenableBy(org: string, locked: Org | null, blobs: readonly SealedBlob[]): Org {
  const found = requireIdentity(org, locked);
  const known = keyIdsOf(found);
  if (blobs.some(({ sealedTo }) => !known.includes(sealedTo)))
    throw new SpaceError(
      'failed',
      `the identity of ${org} was rotated while a file was sealed to the old one: it must be sealed again`,
    );
  return found;
}

function requireIdentity(id: string, org: Org | null): Org {
  if (org === null) throw new SpaceError('failed', `organization ${id} no longer exists`);
  if (org.sealedIdentity === null)
    throw new SpaceError('destroyed', `the identity of organization ${id} was destroyed: it takes no files`);
  return org;
}

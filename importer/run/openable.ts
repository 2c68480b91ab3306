/** What the importer itself seals must open once it is published: identities are rotated beside it. */
import type { Queryable } from '../../db/connection.js';
import { lockOrg } from '../../db/control/orgs.js';
import { keyIdsOf } from '../../keys/master/orgidentity.js';
import type { SealedBlob } from '../../storage/sealedwriter.js';

/** The organization keeps its identities until the transaction ends. @throws Error: it must be sealed again. */
export async function requireOpenable(tx: Queryable, org: string, blobs: readonly SealedBlob[]): Promise<void> {
  const found = await lockOrg(tx, org, false);
  const known = found === null ? [] : keyIdsOf(found);
  if (blobs.some(({ sealedTo }) => !known.includes(sealedTo)))
    throw new Error(`the identity of ${org} was rotated while its reports were sealed`);
}

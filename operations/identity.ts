/** Shows, exports and destroys the age identities that open organizations' files. */
import { recordAudit } from '../db/control/audit.js';
import { overtakeAll } from '../db/control/holds.js';
import { countSealedTo, countSealedToOthers, recordSealedTo } from '../db/control/identityrotation.js';
import { listOrgs, type Org, updateOrg } from '../db/control/orgs.js';
import { forgetAllPartials } from '../db/control/partials.js';
import { dropOwnPgpKeys } from '../db/control/pgpkeys.js';
import { lockIdleRuns } from '../db/control/runs.js';
import { withdrawUploads } from '../db/control/uploads.js';
import { eraseDeleted } from '../db/erase.js';
import { sweepStages } from '../importer/run/stages.js';
import type { IdentityType } from '../keys/master/master.js';
import { keyIdOf, keyIdsOf, typeOfRecipient } from '../keys/master/orgidentity.js';
import { removePartials } from '../storage/partials.js';
import { OperationError } from './error.js';
import { countBusyRuns } from './identityrotation.js';
import { atSharedKeys } from './keylock.js';
import { lockOrganization, type Workplace } from './workplace.js';

export interface ExportedIdentity {
  org: string;
  /** `age1…` */
  recipient: string;
  /** `AGE-SECRET-KEY-…`, one a line: it opens every file of the organization. */
  identity: string;
}

/** Audited before it is given out. @throws KeyError */
export async function exportIdentity(workplace: Workplace, orgId: string): Promise<ExportedIdentity> {
  const org = await workplace.org(orgId);
  const identity = await workplace.identity(org);
  await recordAudit(workplace.control.write, {
    at: workplace.now(),
    org: org.id,
    actor: workplace.actor,
    action: 'identity.exported',
    subject: keyIdOf(org.recipient),
    detail: {},
  });
  return { org: org.id, recipient: org.recipient, identity };
}

export interface IdentityView {
  org: string;
  recipient: string;
  type: IdentityType;
  state: 'whole' | 'rotating' | 'destroyed';
  /** Files that may still be sealed to an identity that is being rotated out. */
  filesToRewrap: number;
  /** Files whose identity was destroyed. */
  filesLost: number;
}

/** Of one organization, or of all; needs no key. */
export async function viewIdentities(workplace: Workplace, orgId: string | undefined): Promise<IdentityView[]> {
  const orgs = orgId === undefined ? await listOrgs(workplace.control.read) : [await workplace.org(orgId)];
  return Promise.all(orgs.map((org) => viewIdentity(workplace, org)));
}

async function viewIdentity({ control }: Workplace, org: Org): Promise<IdentityView> {
  const { id, recipient, sealedIdentity, oldIdentities } = org;
  const old = oldIdentities.map((identity) => keyIdOf(identity.recipient));
  return {
    org: id,
    recipient,
    type: typeOfRecipient(recipient),
    state: sealedIdentity === null ? 'destroyed' : old.length > 0 ? 'rotating' : 'whole',
    filesToRewrap: old.length === 0 ? 0 : await countSealedTo(control.read, id, old),
    filesLost: await countSealedToOthers(control.read, id, keyIdsOf(org)),
  };
}

export interface DestroyedIdentity {
  org: string;
  recipient: string;
  /** Files that no identity opens now. */
  filesLost: number;
  /** Uploads that waited for their import. */
  withdrawn: number;
  /** Whether the database's files no longer contain the identity; false: they do until the server has stopped. */
  isErased: boolean;
}

/**
 * Deletes the identity of an organization, and with it every file of it.
 * @throws OperationError `refused` when it is destroyed already, or while an import of it runs
 */
export async function destroyIdentity(workplace: Workplace, orgId: string): Promise<DestroyedIdentity> {
  return atSharedKeys(workplace, async () => {
    const { control } = workplace;
    const { recipient } = await workplace.org(orgId);
    if ((await countBusyRuns(workplace, orgId)) > 0) throw importRuns(orgId);
    const { withdrawn, partials } = await control.transact(async (tx) => {
      const org = await lockOrganization(tx, orgId);
      if (org.sealedIdentity === null)
        throw new OperationError('refused', `the identity of ${orgId} was destroyed earlier`);
      if (!(await lockIdleRuns(tx, orgId))) throw importRuns(orgId);
      const at = workplace.now();
      // An import of files that no identity opens would fail at every slot.
      const count = await withdrawUploads(tx, orgId, at);
      await overtakeAll(tx, orgId, at);
      await recordSealedTo(tx, orgId, keyIdOf(org.recipient));
      // A node's key opens these, with or without the organization's identity.
      const forgotten = await forgetAllPartials(tx, orgId);
      await updateOrg(tx, orgId, { sealedIdentity: null, oldIdentities: [] });
      await dropOwnPgpKeys(tx, orgId);
      const { actor } = workplace;
      const subject = keyIdOf(org.recipient);
      await recordAudit(tx, {
        at,
        org: orgId,
        actor,
        action: 'identity.destroyed',
        subject,
        detail: { withdrawn: count },
      });
      return { withdrawn: count, partials: forgotten };
    });
    await removePartials(workplace, partials);
    await sweepStages(workplace);
    const { filesLost } = await viewIdentity(workplace, await workplace.org(orgId));
    const isErased = await eraseDeleted(control, ['orgs', 'partials', 'pgp_keys']);
    return { org: orgId, recipient, filesLost, withdrawn, isErased };
  });
}

function importRuns(org: string): OperationError {
  return new OperationError(
    'refused',
    `an import of ${org} is in progress: wait for its end, then destroy the identity`,
  );
}

/** Giving out the age identity that opens an organization's files. */
import { recordAudit } from '../../db/control/audit.js';
import type { Workplace } from '../compose.js';

export interface ExportedIdentity {
  org: string;
  /** `age1…` */
  recipient: string;
  /** `AGE-SECRET-KEY-1…`: whoever has it reads every file of the organization. */
  identity: string;
}

/** Audited before it is given out. @throws KeyError */
export async function exportIdentity(place: Workplace, orgId: string): Promise<ExportedIdentity> {
  const org = await place.org(orgId);
  const identity = await place.identity(org);
  await recordAudit(place.control.write, {
    at: place.now(),
    org: org.id,
    actor: place.actor,
    action: 'identity.exported',
    subject: org.recipient,
    detail: {},
  });
  return { org: org.id, recipient: org.recipient, identity };
}

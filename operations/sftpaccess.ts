/** The SFTP door opens when the plan has one, an admin of the organization asked for it, and an operator agreed. */
import { hasSftp, type Settings } from '../config/settings.js';
import { recordAudit } from '../db/control/audit.js';
import { type Org, updateOrg } from '../db/control/orgs.js';
import { findUser } from '../db/directory/users.js';
import { emailKey } from '../importer/read/normalize.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

/**
 * Notes that an admin asked. An operator agrees by `orgs enable`.
 * @throws OperationError `refused` when the address is no active admin's, or the plan has no SFTP door.
 */
export async function requestSftp(place: Workplace, id: string, email: string): Promise<Org> {
  const org = await place.org(id);
  requirePlan(place.settings, org.plan, id);
  const user = await findUser(place.directory.read, id, emailKey(email.trim()));
  if (user === null || !user.isAdmin || user.status !== 'active')
    throw new OperationError(
      'refused',
      `${email.trim()} is no active admin of ${id}: only an admin may ask for the SFTP door`,
    );
  const at = place.now();
  await place.control.transact(async (tx) => {
    await updateOrg(tx, id, { sftpRequest: { at, by: user.email } });
    // The address is personal data: the trail names the user of the directory.
    const detail = { user: user.id };
    await recordAudit(tx, { at, org: id, actor: place.actor, action: 'org.sftp_requested', subject: id, detail });
  });
  return place.org(id);
}

/** @throws OperationError `refused` */
export function requirePlan(settings: Pick<Settings, 'sftpPlans'>, plan: string, id: string): void {
  if (!hasSftp(settings, plan))
    throw new OperationError(
      'refused',
      `the plan "${plan}" has no SFTP door (sftpPlans: ${settings.sftpPlans}); change it with "dropslot orgs set ${id} plan=…"`,
    );
}

/** @throws OperationError `refused` unless somebody who may has asked. */
export function requireRequest(org: Org): void {
  if (org.sftpRequest === null)
    throw new OperationError(
      'refused',
      `no admin of ${org.id} has asked for the SFTP door yet: dropslot orgs request-sftp ${org.id} --by EMAIL`,
    );
}

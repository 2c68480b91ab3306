/** SFTP access of an organization: its plan must include it, an admin must request it, and an operator must enable it. */
import { hasSftp, type Settings } from '../config/settings.js';
import { recordAudit } from '../db/control/audit.js';
import { type Org, updateOrg } from '../db/control/orgs.js';
import { findUser } from '../db/directory/users.js';
import { emailKey } from '../importer/read/normalize.js';
import { OperationError } from './error.js';
import { lockOrganization, type Workplace } from './workplace.js';

/**
 * Records the request of an admin. An operator grants it with `orgs enable`.
 * @throws OperationError `refused` when the address is not that of an active admin, or the plan does not include SFTP access.
 */
export async function requestSftp(place: Workplace, id: string, email: string): Promise<Org> {
  await place.org(id);
  const at = place.now();
  // Under the lock, so that neither a change of the plan nor an erasure of the admin is overtaken.
  await place.control.transact(async (tx) => {
    const org = await lockOrganization(tx, id);
    requirePlan(place.settings, org.plan, id);
    const user = await findUser(place.directory.read, id, emailKey(email.trim()));
    if (user === null || !user.isAdmin || user.status !== 'active')
      throw new OperationError(
        'refused',
        `${email.trim()} is not an active admin of ${id}: only an active admin can request SFTP access`,
      );
    await updateOrg(tx, id, { sftpRequest: { at, by: user.email } });
    // The address is personal data: the audit trail has the user's id in the directory.
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
      `the plan "${plan}" does not include SFTP access. Plans that do: ${settings.sftpPlans} (server setting sftpPlans). Choose one of them with --plan when you add the organization, or later: dropslot orgs set ${id} plan=NAME`,
    );
}

/** @throws OperationError `refused` unless an admin has requested SFTP access. */
export function requireRequest(org: Org): void {
  if (org.sftpRequest === null)
    throw new OperationError(
      'refused',
      `no admin of ${org.id} has requested SFTP access yet; to record a request: dropslot orgs request-sftp ${org.id} --by EMAIL`,
    );
}

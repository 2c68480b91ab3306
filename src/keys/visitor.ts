/** Judges those whom another program has let in (an sshd): their organization must be open, and its keys good here too. */
import { hasSftp } from '../config/plans.js';
import { findLoginKey } from '../db/control/keys.js';
import { findOrg } from '../db/control/orgs.js';
import { type Authenticator, type AuthenticatorDeps, judgeKey } from './authenticate.js';

/** In place of a fingerprint: the other program did not say which key it was, or there was none. */
export const noKey = '';

/** A key that the organization does not have is the other program's business. */
export function createVisitorReview({ control, settings, now }: AuthenticatorDeps): Pick<Authenticator, 'review'> {
  return {
    review: () => async (login, address) => {
      const { fingerprint } = login;
      const org = await findOrg(control.read, login.org.id);
      if (org === null) return { denied: 'unknown organization', fingerprint };
      if (!org.enabled) return { denied: 'disabled organization', fingerprint };
      if (!hasSftp(settings, org.plan)) return { denied: 'plan without SFTP', fingerprint };
      const key = fingerprint === noKey ? null : await findLoginKey(control.read, org.id, fingerprint);
      if (key === null) return { ...login, org };
      const denied = judgeKey(key, address, now());
      if (denied !== null) return { denied, fingerprint };
      return { ...login, org, permission: key.permission, validUntil: key.expiresAt };
    },
  };
}

/** Judges logins that an OpenSSH sshd has accepted: the organization must be enabled, and its key valid here, too. */
import { findLoginKey, listLoginKeys, type Permission } from '../../db/control/keys.js';
import { findOrg } from '../../db/control/orgs.js';
import type { Authenticator, AuthenticatorDeps, Denial, Login } from './authenticate.js';
import { judgeKey, judgeOrg, judgeStatus } from './terms.js';

/** In place of a fingerprint: sshd did not report a key, or the login used none. */
export const noKey = '';

export interface SshdLogins extends Pick<Authenticator, 'review'> {
  /** Judges a new login. */
  admit(login: Login, address: string | null): Promise<Login | Denial>;
}

/** A key that the organization does not have here was accepted by sshd alone. */
export function createSshdLogins({ control, settings, now }: AuthenticatorDeps): SshdLogins {
  const judge = async (login: Login, address: string | null, at: number | null): Promise<Login | Denial> => {
    const { fingerprint } = login;
    const deny = (denied: Denial['denied']): Denial => ({ denied, fingerprint, credential: login.credential });
    const org = await findOrg(control.read, login.org.id);
    const closed = judgeStatus(org, settings);
    if (org === null || closed !== null) return deny(closed ?? 'unknown organization');
    const key = fingerprint === noKey ? null : await findLoginKey(control.read, org.id, fingerprint);
    const denied = (key === null ? null : judgeKey(key, address, now())) ?? judgeOrg(org, address, at);
    if (denied !== null) return deny(denied);
    if (key !== null) return { ...login, org, permission: key.permission, validUntil: key.expiresAt };
    return fingerprint === noKey ? { ...login, org, permission: await leastOf(org.id) } : { ...login, org };
  };
  /** A login without a reported key may have used any key of the organization: it gets the least permission of them. */
  const leastOf = async (org: string): Promise<Permission> => {
    const keys = await listLoginKeys(control.read, org);
    return keys.some(({ permission, revokedAt }) => permission === 'upload' && revokedAt === null) ? 'upload' : 'read';
  };
  return {
    admit: (login, address) => judge(login, address, now()),
    // An open session may finish after the hours.
    review: () => (login, address) => judge(login, address, null),
  };
}

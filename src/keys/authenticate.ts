/** Decides whether a public key may log in as an organization. Possession of the key is proved by the SSH layer. */
import type { Db } from '../db/connection.js';
import { findLoginKey, type LoginKey, touchLoginKey } from '../db/control/keys.js';
import { findOrg, type Org } from '../db/control/orgs.js';
import { fingerprintOf } from './login.js';
import { allowsSource } from './source.js';

/** Who may come in. */
export interface Login {
  org: Org;
  fingerprint: string;
}

/** Why a key may not come in: for the log only, the client always gets the same answer. */
export type DenialReason =
  | 'unknown organization'
  | 'disabled organization'
  | 'unknown key'
  | 'revoked key'
  | 'expired key'
  | 'address not allowed for this key';

export interface Denial {
  denied: DenialReason;
  fingerprint: string;
}

export interface Authenticator {
  /** `publicKey` is the SSH wire format. Throws only when the database can't be asked. */
  authenticate(orgId: string, publicKey: Buffer, address: string | null): Promise<Login | Denial>;
  /** Notes a login that has succeeded. */
  recordLogin(login: Login, address: string | null, client: string | null): Promise<void>;
}

export function createAuthenticator({ control, now }: { control: Db; now: () => number }): Authenticator {
  return {
    async authenticate(orgId, publicKey, address) {
      const fingerprint = fingerprintOf(publicKey);
      // Both are asked whatever the first one says, so that an unknown organization takes no less time than a known one.
      const [org, key] = await Promise.all([
        findOrg(control.read, orgId),
        findLoginKey(control.read, orgId, fingerprint),
      ]);
      if (org === null) return { denied: 'unknown organization', fingerprint };
      if (!org.enabled) return { denied: 'disabled organization', fingerprint };
      if (key === null || !publicKey.equals(Buffer.from(key.publicKey, 'base64')))
        return { denied: 'unknown key', fingerprint };
      const denied = judgeKey(key, address, now());
      return denied === null ? { org, fingerprint } : { denied, fingerprint };
    },
    async recordLogin(login, address, client) {
      await touchLoginKey(control.write, login.org.id, login.fingerprint, { at: now(), address, client });
    },
  };
}

/** null: it may be used. */
function judgeKey(key: LoginKey, address: string | null, at: number): DenialReason | null {
  if (key.revokedAt !== null) return 'revoked key';
  if (key.expiresAt !== null && key.expiresAt <= at) return 'expired key';
  return allowsSource(key.sources, address) ? null : 'address not allowed for this key';
}

/** Decides whether a public key may log in as an organization. Possession of the key is proved by the SSH layer. */
import type { Db, Queryable } from '../db/connection.js';
import { findLoginKey, type LoginKey, type Permission, touchLoginKey } from '../db/control/keys.js';
import { findOrg, type Org } from '../db/control/orgs.js';
import { fingerprintOf } from './fingerprint.js';
import { allowsSource } from './source.js';

/** Who may come in. */
export interface Login {
  org: Org;
  /** Of the key that was offered. */
  fingerprint: string;
  /** Of the login key whose terms hold. */
  credential: string;
  permission: Permission;
  /** When it ends by itself; null: never. */
  validUntil: number | null;
}

/** Why a key may not come in: for the log only, the client always gets the same answer. */
export type DenialReason =
  | 'unknown organization'
  | 'disabled organization'
  | 'unknown key'
  | 'revoked key'
  | 'key not valid yet'
  | 'expired key'
  | 'address not allowed for this key';

export interface Denial {
  denied: DenialReason;
  fingerprint: string;
}

export interface LoginPlace {
  address: string | null;
  /** The client program's identification. */
  client: string | null;
  /** What the connection agreed on. */
  algorithms: string | null;
}

export interface Authenticator {
  /** `publicKey` is the SSH wire format. Throws only when the database can't be asked. */
  authenticate(orgId: string, publicKey: Buffer, address: string | null): Promise<Login | Denial>;
  /** Notes a login that has succeeded. */
  recordLogin(login: Login, place: LoginPlace): Promise<void>;
  /**
   * Judges logins of the past as they stand now; one call's answers ask the database once for each organization and key,
   * and are not for keeping.
   */
  review(): (login: Login, address: string | null) => Promise<Login | Denial>;
}

interface Standing {
  org: Org | null;
  key: LoginKey | null;
}

export function createAuthenticator({ control, now }: { control: Db; now: () => number }): Authenticator {
  const judge = ({ org, key }: Standing, offered: Buffer | null, fingerprint: string, address: string | null) => {
    if (org === null) return { denied: 'unknown organization', fingerprint } as const;
    if (!org.enabled) return { denied: 'disabled organization', fingerprint } as const;
    if (key === null || (offered !== null && !offered.equals(Buffer.from(key.publicKey, 'base64'))))
      return { denied: 'unknown key', fingerprint } as const;
    const denied = judgeKey(key, address, now());
    if (denied !== null) return { denied, fingerprint };
    const { permission, expiresAt: validUntil } = key;
    return { org, fingerprint, credential: key.fingerprint, permission, validUntil };
  };
  return {
    async authenticate(orgId, publicKey, address) {
      const fingerprint = fingerprintOf(publicKey);
      return judge(await ask(control.read, orgId, fingerprint), publicKey, fingerprint, address);
    },
    async recordLogin(login, place) {
      await touchLoginKey(control.write, login.org.id, login.credential, { at: now(), ...place });
    },
    review() {
      const asked = new Map<string, Promise<Standing>>();
      return async (login, address) => {
        const name = `${login.org.id} ${login.credential}`;
        const standing = asked.get(name) ?? ask(control.read, login.org.id, login.credential);
        asked.set(name, standing);
        return judge(await standing, null, login.fingerprint, address);
      };
    },
  };
}

/** Both are asked whatever the first one says, so that an unknown organization takes no less time than a known one. */
async function ask(db: Queryable, orgId: string, credential: string): Promise<Standing> {
  const [org, key] = await Promise.all([findOrg(db, orgId), findLoginKey(db, orgId, credential)]);
  return { org, key };
}

/** Whether a key that the organization has may be used now, from there. null: it may. */
export function judgeKey(key: LoginKey, address: string | null, at: number): DenialReason | null {
  if (key.revokedAt !== null) return 'revoked key';
  if (key.notBefore !== null && at < key.notBefore) return 'key not valid yet';
  if (key.expiresAt !== null && key.expiresAt <= at) return 'expired key';
  return allowsSource(key.sources, address) ? null : 'address not allowed for this key';
}

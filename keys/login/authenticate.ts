/** Decides whether a key, a certificate or a password may log in as an organization. The SSH layer verifies signatures. */
import type { Settings } from '../../config/settings.js';
import type { Db, Queryable } from '../../db/connection.js';
import { recordAudit } from '../../db/control/audit.js';
import { isCertificateRevoked } from '../../db/control/certificates.js';
import {
  findLoginKeys,
  findOrgAndKey,
  hasPasswords,
  type LoginKey,
  type LoginKeyKind,
  type Permission,
  touchLoginKey,
} from '../../db/control/keys.js';
import { noteAttempt } from '../../db/control/loginattempts.js';
import { findOrgs, type Org } from '../../db/control/orgs.js';
import { type Certificate, readCertificate } from './certificate.js';
import { judgeCertificate } from './certificateterms.js';
import { fingerprintOf } from './fingerprint.js';
import { nameOfPassword, PasswordQueue } from './password.js';
import { type DenialReason, judgeKey, judgeOrg, judgeStatus } from './terms.js';

/** An accepted login. */
export interface Login {
  org: Org;
  /** Of the key that was offered; of a certificate, of the key in it. */
  fingerprint: string;
  /** Of the login key whose terms apply: the key itself, or the authority. */
  credential: string;
  permission: Permission;
  /** Whether the key may sign with SHA-1 where a listener accepts that. */
  allowsSha1: boolean;
  /** When it ends by itself; null: never. */
  validUntil: number | null;
  certificate: Certificate | null;
  /** The version of access at which it was judged; absent: access may have changed since it was read. */
  access?: number;
}

export interface Denial {
  denied: DenialReason;
  fingerprint: string;
  /** As in Login; of a key that the organization may not have. */
  credential: string;
}

export interface LoginDetails {
  address: string | null;
  /** The client program's identification. */
  client: string | null;
  /** The algorithms of the connection. */
  algorithms: string | null;
}

export interface Authenticator {
  /** `publicKey`: a key or a certificate in SSH wire format. Throws only when the database can't be asked. */
  authenticate(orgId: string, publicKey: Buffer, address: string | null): Promise<Login | Denial>;
  /** The same for a password. Whether there is such an organization or password or not, it takes as long. */
  authenticatePassword(orgId: string, password: string, address: string | null): Promise<Login | Denial>;
  /** Whether any organization has a password: then password login is offered to all clients, else to none. */
  offersPasswords(): Promise<boolean>;
  /** Records a login that has succeeded. */
  recordLogin(login: Login, details: LoginDetails): Promise<void>;
  /**
   * Records that a login was refused: of an organization's own key also in the audit trail. Without a signature any client that
   * knows the key may have offered it.
   */
  recordRefusal(
    org: string,
    denial: Denial,
    details: Omit<LoginDetails, 'algorithms'> & { isProven: boolean; isOwn: boolean },
  ): Promise<void>;
  /**
   * Judges these earlier logins by today's state; one call reads the database once for all of them. Use the returned
   * function at once, and do not keep it.
   */
  review(logins: readonly Login[]): (login: Login, address: string | null) => Promise<Login | Denial>;
}

/** The key, certificate or password that a client presents, or that it presented at an earlier login. */
interface Presented {
  kind: LoginKeyKind;
  fingerprint: string;
  credential: string;
  /** null: verified at the login. */
  wire: Buffer | null;
  certificate: Certificate | null;
}

interface StoredState {
  org: Org | null;
  key: LoginKey | null;
  isRevoked: boolean;
  /** As in Login. */
  access?: number;
}

export interface AuthenticatorDeps {
  control: Db;
  settings: Pick<Settings, 'sftpPlans'>;
  now: () => number;
  /** Commits writes that arrive together in one transaction; default: each in its own. */
  commit?: <T>(work: (tx: Queryable) => Promise<T>) => Promise<T>;
}

export function createAuthenticator({
  control,
  settings,
  now,
  commit = (work) => control.transact(work, { isRepeatable: true }),
}: AuthenticatorDeps): Authenticator {
  const passwords = new PasswordQueue();
  return {
    async authenticate(orgId, publicKey, address) {
      const presented = readPresented(publicKey);
      const stored = await loadState(control.read, orgId, presented);
      return presented.isBroken
        ? { denied: 'malformed certificate', fingerprint: presented.fingerprint, credential: presented.credential }
        : judge(stored, presented, address, settings, now());
    },
    async authenticatePassword(orgId, password, address) {
      const fingerprint = passwordCredentialOf(password);
      const presented: Presented = {
        kind: 'password',
        fingerprint,
        credential: fingerprint,
        wire: noWire,
        certificate: null,
      };
      const stored = await loadState(control.read, orgId, presented);
      // A text that was never generated here is wrong without a check: it costs no processor time and no place in the queue.
      const isRight = fingerprint !== unknownPassword && (await passwords.check(password, stored.key?.secret ?? null));
      if (isRight === true) return judge(stored, presented, address, settings, now());
      const denied = isRight === null ? 'too many passwords at once' : 'wrong password';
      // The typed text must not be logged, except for the name of an existing password.
      const name = stored.key?.fingerprint ?? unknownPassword;
      return { denied, fingerprint: name, credential: name };
    },
    offersPasswords: () => hasPasswords(control.read, now()),
    async recordLogin(login, details) {
      const { org, fingerprint, credential, permission } = login;
      const at = now();
      const event = { at, org: org.id, actor: `key:${fingerprint}`, action: 'login.accepted', subject: org.id };
      const detail = { permission, ...(credential !== fingerprint && { authority: credential }), ...details };
      await commit(async (tx) => {
        await touchLoginKey(tx, org.id, credential, { at, ...details });
        await noteAttempt(tx, { org: org.id, fingerprint, credential, at, ...details, reason: null });
        await recordAudit(tx, { ...event, detail });
      });
    },
    async recordRefusal(org, { denied, fingerprint, credential }, { address, client, isProven, isOwn }) {
      const at = now();
      const event = { at, org, actor: isProven ? `key:${fingerprint}` : 'system', action: 'login.refused' };
      const detail = { reason: denied, address, client, proven: isProven };
      const of = isOwn ? credential : null;
      await commit(async (tx) => {
        await noteAttempt(tx, { org, fingerprint, credential: of, at, address, client, reason: denied });
        if (isOwn && !unaudited.includes(denied)) await recordAudit(tx, { ...event, subject: fingerprint, detail });
      });
    },
    review(logins) {
      const known = loadStates(control.read, logins);
      return async (login, address) => {
        const { orgs, keys } = await known;
        const { org, credential, certificate } = login;
        const isRevoked =
          certificate !== null && (await isCertificateRevoked(control.read, org.id, credential, marksOf(certificate)));
        const stored = {
          org: orgs.get(org.id) ?? null,
          key: keys.get(nameOf(org.id, credential)) ?? null,
          isRevoked,
        };
        return judge(stored, presentedBefore(login), address, settings, now());
      };
    },
  };
}

/** Of a key that may log in: clients repeat these. The last attempts and the log have them. */
const unaudited: readonly DenialReason[] = ['signature with SHA-1', 'wrong signature', 'too many connections'];

/** The login key that would have to accept this key or certificate: its own fingerprint, or that of its authority. */
export function credentialOf(publicKey: Buffer): string {
  return readPresented(publicKey).credential;
}

/** The same for a password: its name, which is no secret. */
export function passwordCredentialOf(password: string): string {
  return nameOfPassword(password) ?? unknownPassword;
}

const unknownPassword = 'password:unknown';
/** A password has no wire format. */
const noWire = Buffer.alloc(0);

function presentedBefore({ fingerprint, credential, certificate }: Login): Presented {
  const kind = certificate !== null ? 'ca' : credential.startsWith('password:') ? 'password' : 'key';
  return { kind, fingerprint, credential, wire: null, certificate };
}

function readPresented(wire: Buffer): Presented & { isBroken: boolean } {
  const alone = fingerprintOf(wire);
  try {
    const certificate = readCertificate(wire);
    if (certificate !== null)
      return {
        kind: 'ca',
        fingerprint: certificate.fingerprint,
        credential: certificate.authorityFingerprint,
        wire: certificate.authority,
        certificate,
        isBroken: false,
      };
    return { kind: 'key', fingerprint: alone, credential: alone, wire, certificate, isBroken: false };
  } catch {
    return { kind: 'key', fingerprint: alone, credential: alone, wire, certificate: null, isBroken: true };
  }
}

async function loadStates(db: Queryable, logins: readonly Login[]) {
  const ids = [...new Set(logins.map(({ org }) => org.id))];
  const credentials = [...new Set(logins.map(({ credential }) => credential))];
  // Keys before organizations: one that is removed between the two is reported as an unknown organization.
  const keys = await findLoginKeys(db, ids, credentials);
  const orgs = await findOrgs(db, ids);
  return {
    orgs: new Map(orgs.map((org) => [org.id, org])),
    keys: new Map(keys.map((key) => [nameOf(key.org, key.fingerprint), key])),
  };
}

function nameOf(org: string, credential: string): string {
  return `${org} ${credential}`;
}

/** Runs every query, so that an unknown organization takes no less time than a known one. */
async function loadState(db: Queryable, orgId: string, { credential, certificate }: Presented): Promise<StoredState> {
  const marks = certificate === null ? [] : marksOf(certificate);
  const id = toText(orgId);
  const [found, isRevoked] = await Promise.all([
    findOrgAndKey(db, id, credential),
    marks.length > 0 && isCertificateRevoked(db, id, credential, marks),
  ]);
  return { ...found, isRevoked };
}

function marksOf({ serial, keyId, fingerprint }: Certificate) {
  return [
    { kind: 'serial', value: serial },
    { kind: 'id', value: toText(keyId) },
    { kind: 'key', value: fingerprint },
  ] as const;
}

/** PostgreSQL accepts no text with a NUL, and no id has one: such a name must be unknown, not an error. */
function toText(claimed: string): string {
  return claimed.replaceAll('\0', '\uFFFD');
}

function judge(
  { org, key, isRevoked, access }: StoredState,
  presented: Presented,
  address: string | null,
  settings: AuthenticatorDeps['settings'],
  at: number,
): Login | Denial {
  const { fingerprint, credential, certificate, wire } = presented;
  const deny = (denied: DenialReason): Denial => ({ denied, fingerprint, credential });
  const closed = judgeStatus(org, settings);
  if (org === null || closed !== null) return deny(closed ?? 'unknown organization');
  if (key?.kind !== presented.kind || (wire !== null && !wire.equals(Buffer.from(key.publicKey, 'base64'))))
    return deny(certificate === null ? 'unknown key' : 'unknown authority');
  // An open session may finish after the hours.
  const denied = judgeKey(key, address, at) ?? judgeOrg(org, address, wire === null ? null : at);
  if (denied !== null) return deny(denied);
  const { permission, allowsSha1, expiresAt } = key;
  const login = { org, fingerprint, credential: key.fingerprint, permission, allowsSha1, certificate };
  // Of a certificate, its revocation was another query.
  if (certificate === null) return { ...login, validUntil: expiresAt, ...(access !== undefined && { access }) };
  const flaw = judgeCertificate(certificate, { principals: key.principals ?? [org.id], address, now: at });
  if (flaw !== null) return deny(flaw);
  if (isRevoked) return deny('revoked certificate');
  const ends = [expiresAt, certificate.validBefore].filter((time) => time !== null);
  return { ...login, validUntil: ends.length === 0 ? null : Math.min(...ends) };
}

/** Judges the terms of a login key, a certificate and an organization: validity, addresses and hours. */

import type { Settings } from '../../config/settings.js';
import { hasSftp } from '../../config/settings.js';
import type { LoginKey } from '../../db/control/keys.js';
import type { Org } from '../../db/control/orgs.js';
import { typeOf, WireReader } from '../wire.js';
import { allowsSource, parseSources } from './addresses.js';
import type { Certificate } from './certificate.js';
import { allowsTime } from './hours.js';
import { importKey, leastRsaBits } from './verify.js';

/** Why a login is denied: for the log only, the client always gets the same answer. */
export type DenialReason =
  | 'unknown organization'
  | 'disabled organization'
  | 'plan without SFTP'
  | 'unknown key'
  | 'unknown authority'
  | 'wrong password'
  | 'too many passwords at once'
  | 'revoked key'
  | 'key not valid yet'
  | 'expired key'
  | 'address not allowed for this key'
  | 'address not allowed for this organization'
  | 'outside the hours of this organization'
  | 'malformed certificate'
  | 'revoked certificate'
  | CertificateFlaw;

export type CertificateFlaw =
  | 'certificate not signed by its authority'
  | 'certificate is not for users'
  | 'certificate not valid yet'
  | 'expired certificate'
  | 'certificate for another principal'
  | 'certificate with an option that is not supported'
  | 'certificate for a key that is too short'
  | 'address not allowed for this certificate';

/** null: the terms of the organization's key allow a login now, from this address. */
export function judgeKey(key: LoginKey, address: string | null, at: number): DenialReason | null {
  if (key.revokedAt !== null) return 'revoked key';
  if (key.notBefore !== null && at < key.notBefore) return 'key not valid yet';
  if (key.expiresAt !== null && key.expiresAt <= at) return 'expired key';
  return allowsSource(key.sources, address) ? null : 'address not allowed for this key';
}

/** null: the organization exists, is enabled, and its plan includes SFTP. */
export function judgeStatus(org: Org | null, settings: Pick<Settings, 'sftpPlans'>): DenialReason | null {
  if (org === null) return 'unknown organization';
  if (!org.enabled) return 'disabled organization';
  return hasSftp(settings, org.plan) ? null : 'plan without SFTP';
}

/** null: the organization's terms allow the login. `at` null: ignore its hours. */
export function judgeOrg({ options, timeZone }: Org, address: string | null, at: number | null): DenialReason | null {
  if (!allowsSource(options.addresses ?? [], address)) return 'address not allowed for this organization';
  const isOutside = at !== null && options.hours !== undefined && !allowsTime(options.hours, timeZone, at);
  return isOutside ? 'outside the hours of this organization' : null;
}

/** null: it may log in where its authority's certificates may. */
export function judgeCertificate(
  certificate: Certificate,
  { principals, address, now }: { principals: readonly string[]; address: string | null; now: number },
): CertificateFlaw | null {
  if (!certificate.isGenuine) return 'certificate not signed by its authority';
  if (!certificate.isForUsers) return 'certificate is not for users';
  if (now < certificate.validAfter) return 'certificate not valid yet';
  if (certificate.validBefore !== null && certificate.validBefore <= now) return 'expired certificate';
  if (isShort(certificate.key)) return 'certificate for a key that is too short';
  // A certificate without principals would be valid for every organization.
  if (!certificate.principals.some((name) => principals.includes(name))) return 'certificate for another principal';
  for (const [name, value] of certificate.criticalOptions) {
    // "If an implementation does not recognise a critical option, then the certificate should be refused."
    if (name !== 'source-address') return 'certificate with an option that is not supported';
    if (!allowsAddress(value, address)) return 'address not allowed for this certificate';
  }
  return null;
}

function isShort(key: Buffer): boolean {
  if (typeOf(key) !== 'ssh-rsa') return false;
  try {
    return (importKey(key).publicKey.asymmetricKeyDetails?.modulusLength ?? 0) < leastRsaBits;
  } catch {
    return true;
  }
}

function allowsAddress(value: Buffer, address: string | null): boolean {
  try {
    const sources = parseSources(new WireReader(value).text());
    return sources.length > 0 && allowsSource(sources, address);
  } catch {
    return false;
  }
}

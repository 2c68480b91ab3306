/** Judges the terms of a login key and an organization: validity, addresses and hours. */
import type { Settings } from '../../config/settings.js';
import { hasSftp } from '../../config/settings.js';
import type { LoginKey } from '../../db/control/keys.js';
import type { Org } from '../../db/control/orgs.js';
import { allowsSource } from './addresses.js';
import { certificateFlaws } from './certificateterms.js';
import { allowsTime } from './hours.js';

/** Why a login is denied: for the log only, the client always gets the same answer. */
export const denialReasons = [
  'unknown organization',
  'disabled organization',
  'plan without SFTP',
  'unknown key',
  'unknown authority',
  'wrong password',
  'too many passwords at once',
  'revoked key',
  'key not valid yet',
  'expired key',
  'address not allowed for this key',
  'address not allowed for this organization',
  'outside the hours of this organization',
  'malformed certificate',
  'revoked certificate',
  'signature with SHA-1',
  'wrong signature',
  'too many connections',
  ...certificateFlaws,
] as const;
export type DenialReason = (typeof denialReasons)[number];

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

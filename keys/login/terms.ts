/** The terms on which a login key, and its organization, let somebody in: until when, from where, at what hours. */
import type { LoginKey } from '../../db/control/keys.js';
import type { Org } from '../../db/control/orgs.js';
import { allowsSource } from './addresses.js';
import type { DenialReason } from './authenticate.js';
import { allowsTime } from './hours.js';

/** Whether a key that the organization has may be used now, from there. null: it may. */
export function judgeKey(key: LoginKey, address: string | null, at: number): DenialReason | null {
  if (key.revokedAt !== null) return 'revoked key';
  if (key.notBefore !== null && at < key.notBefore) return 'key not valid yet';
  if (key.expiresAt !== null && key.expiresAt <= at) return 'expired key';
  return allowsSource(key.sources, address) ? null : 'address not allowed for this key';
}

/** null: the organization lets its keys in. `at` null: whatever the time. */
export function judgePlace({ options, timeZone }: Org, address: string | null, at: number | null): DenialReason | null {
  if (!allowsSource(options.addresses ?? [], address)) return 'address not allowed for this organization';
  const isOutside = at !== null && options.hours !== undefined && !allowsTime(options.hours, timeZone, at);
  return isOutside ? 'outside the hours of this organization' : null;
}

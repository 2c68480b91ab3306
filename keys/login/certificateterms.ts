/** Judges whether a certificate may log in: its authority, principals, validity, key and source addresses. */
import { typeOf, WireReader } from '../wire.js';
import { allowsSource, parseSources } from './addresses.js';
import type { Certificate } from './certificate.js';
import { importKey, leastRsaBits } from './verify.js';

export const certificateFlaws = [
  'certificate not signed by its authority',
  'certificate is not for users',
  'certificate not valid yet',
  'expired certificate',
  'certificate for another principal',
  'certificate with an option that is not supported',
  'certificate for a key that is too short',
  'address not allowed for this certificate',
] as const;
export type CertificateFlaw = (typeof certificateFlaws)[number];

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

/** User certificates as OpenSSH makes them (its PROTOCOL.certkeys): reading one, and judging whether it may log in. */
import { KeyError } from '../error.js';
import { typeOf, WireReader } from '../wire.js';
import { allowsSource, parseSources } from './addresses.js';
import { certifiedType, fingerprintOf, readCertifiedKey } from './fingerprint.js';
import { leastRsaBits } from './publickeys.js';
import { importKey, verifySignature } from './verify.js';

export interface Certificate {
  /** The certified key, as if it were alone. */
  key: Buffer;
  fingerprint: string;
  serial: string;
  /** Its name, as the authority gave it: for looking it up, and not for logs. */
  keyId: string;
  principals: string[];
  isForUsers: boolean;
  validAfter: number;
  /** null: for ever. */
  validBefore: number | null;
  criticalOptions: ReadonlyMap<string, Buffer>;
  authority: Buffer;
  authorityFingerprint: string;
  /** Whether the authority's signature is good; SHA-1 never is. */
  isGenuine: boolean;
}

/** null: the wire format is no certificate's. @throws KeyError `malformed` when it is, and is broken. */
export function readCertificate(wire: Buffer): Certificate | null {
  if (certifiedType(typeOf(wire)) === null) return null;
  const certified = readCertifiedKey(wire);
  if (certified === null) throw new KeyError('malformed', 'a certificate of an unknown type');
  const { key, reader } = certified;
  const serial = reader.bigU64().toString();
  const isForUsers = reader.u32() === 1;
  const keyId = reader.string().toString('utf8');
  const principals = new WireReader(reader.string()).strings().map((name) => name.toString('utf8'));
  const validAfter = toMs(reader.bigU64()) ?? Number.MAX_SAFE_INTEGER;
  const validBefore = toMs(reader.bigU64());
  const criticalOptions = readOptions(reader.string());
  readOptions(reader.string()); // what it may do in a shell, which there is none of
  reader.string(); // reserved
  const authority = reader.string();
  const signed = wire.subarray(0, reader.position);
  const signature = reader.string();
  if (!reader.isAtEnd) throw new KeyError('malformed', 'more bytes than the certificate has');
  return {
    key,
    fingerprint: fingerprintOf(key),
    serial,
    keyId,
    principals,
    isForUsers,
    validAfter,
    validBefore,
    criticalOptions,
    authority,
    authorityFingerprint: fingerprintOf(authority),
    isGenuine: verifySignature(authority, signature, signed),
  };
}

export type CertificateFlaw =
  | 'certificate not signed by its authority'
  | 'certificate is not for users'
  | 'certificate not valid yet'
  | 'expired certificate'
  | 'certificate for another principal'
  | 'certificate with an option that is not supported'
  | 'certificate for a key that is too short'
  | 'address not allowed for this certificate';

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
  // A certificate that names nobody would be good for everybody.
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

function readOptions(packed: Buffer): Map<string, Buffer> {
  const strings = new WireReader(packed).strings();
  if (strings.length % 2 !== 0) throw new KeyError('malformed', 'an option without its value');
  const options = new Map<string, Buffer>();
  for (let index = 0; index < strings.length; index += 2)
    options.set(strings[index]!.toString('latin1'), strings[index + 1]!);
  return options;
}

/** Seconds to milliseconds; null: past what a clock can show, which stands for "for ever". */
function toMs(seconds: bigint): number | null {
  return seconds > BigInt(Number.MAX_SAFE_INTEGER) / 1000n ? null : Number(seconds) * 1000;
}

/** Reads user certificates as OpenSSH makes them (its PROTOCOL.certkeys), and the key that each is about. */
import { KeyError } from '../error.js';
import { encodeString, typeOf, WireReader } from '../wire.js';
import { fingerprintOf } from './fingerprint.js';
import { verifySignature } from './verify.js';

export interface Certificate {
  /** The certified key, in its own wire format. */
  key: Buffer;
  fingerprint: string;
  serial: string;
  /** The name that the authority gave it: for lookup, not for logs. */
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

/** null: it is no certificate. @throws KeyError `malformed` for a broken one */
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
  readOptions(reader.string()); // extensions: rights in a shell, which does not exist here
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

/** Wire strings of a key behind its type; in a certificate they stand between the nonce and the serial number. */
const keyParts: Readonly<Record<string, number>> = {
  'ssh-ed25519': 1,
  'ssh-rsa': 2,
  'ecdsa-sha2-nistp256': 2,
  'ecdsa-sha2-nistp384': 2,
  'ecdsa-sha2-nistp521': 2,
  'sk-ssh-ed25519@openssh.com': 2,
  'sk-ecdsa-sha2-nistp256@openssh.com': 3,
};

const suffix = '-cert-v01@openssh.com';

/** The type of the key that a certificate's type is for; null: it is no certificate's type. */
export function certifiedType(type: string): string | null {
  if (!type.endsWith(suffix)) return null;
  const plain = type.slice(0, -suffix.length);
  return plain.startsWith('sk-') ? `${plain}@openssh.com` : plain;
}

/**
 * The key that a certificate is about (OpenSSH's PROTOCOL.certkeys), as if it were alone, and a reader that stands
 * behind it. null: no certificate of a known type.
 * @throws KeyError `malformed` when it is cut short.
 */
function readCertifiedKey(wire: Buffer): { key: Buffer; reader: WireReader } | null {
  const type = certifiedType(typeOf(wire));
  const parts = type === null ? undefined : keyParts[type];
  if (type === null || parts === undefined) return null;
  const reader = new WireReader(wire);
  reader.string();
  reader.string(); // the nonce
  const begin = reader.position;
  for (let part = 0; part < parts; part++) reader.string();
  return { key: Buffer.concat([encodeString(type), wire.subarray(begin, reader.position)]), reader };
}

/**
 * The key that a certificate is about, in its own wire format; a plain key is returned as it is. null: neither.
 */
export function plainKeyOf(publicKey: Buffer): Buffer | null {
  if (Object.hasOwn(keyParts, typeOf(publicKey))) return publicKey;
  try {
    return readCertifiedKey(publicKey)?.key ?? null;
  } catch {
    return null;
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

/** Seconds to milliseconds; null: later than any date of JavaScript, which stands for "for ever". */
function toMs(seconds: bigint): number | null {
  return seconds > BigInt(Number.MAX_SAFE_INTEGER) / 1000n ? null : Number(seconds) * 1000;
}

/** What a public key is called: the fingerprint of its wire format, and of the key inside a certificate. */
import { createHash } from 'node:crypto';
import { encodeString, typeOf, WireReader } from '../wire.js';

/** The wire format's fingerprint, `SHA256:…`, as ssh-keygen prints it. */
export function fingerprintOf(publicKey: Buffer): string {
  return `SHA256:${createHash('sha256').update(publicKey).digest('base64').replace(/=+$/, '')}`;
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
 * The key that a certificate is about (OpenSSH's PROTOCOL.certkeys), as if it were alone, and a reader that has come to
 * what follows it. null: no certificate of a known type.
 * @throws KeyError `malformed` when it is cut short.
 */
export function readCertifiedKey(wire: Buffer): { key: Buffer; reader: WireReader } | null {
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
 * The key that a certificate is about, in its own wire format; a key that is no certificate is given back.
 * null: neither.
 */
export function plainKeyOf(publicKey: Buffer): Buffer | null {
  if (Object.hasOwn(keyParts, typeOf(publicKey))) return publicKey;
  try {
    return readCertifiedKey(publicKey)?.key ?? null;
  } catch {
    return null;
  }
}

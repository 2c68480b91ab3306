/** What a public key is called: the fingerprint of its wire format, and of the key inside a certificate. */
import { createHash } from 'node:crypto';

/** The wire format's fingerprint, `SHA256:…`, as ssh-keygen prints it. */
export function fingerprintOf(publicKey: Buffer): string {
  return `SHA256:${createHash('sha256').update(publicKey).digest('base64').replace(/=+$/, '')}`;
}

/** How many strings the public part of each type of key has (PROTOCOL.certkeys and PROTOCOL.u2f of OpenSSH). */
const keyStrings: readonly [type: RegExp, strings: number][] = [
  [/^sk-ecdsa-/, 3],
  [/^sk-ssh-ed25519/, 2],
  [/^ecdsa-/, 2],
  [/^ssh-rsa/, 2],
  [/^ssh-ed25519/, 1],
];

/**
 * The key that a certificate is about, in its own wire format; a key that is no certificate is given back.
 * null: neither.
 */
export function plainKeyOf(publicKey: Buffer): Buffer | null {
  const type = stringAt(publicKey, 0);
  const name = type?.subarray(4).toString('latin1') ?? '';
  const strings = keyStrings.find(([pattern]) => pattern.test(name))?.[1];
  if (type === null || strings === undefined) return null;
  const certified = /^(.+)-cert-v01@openssh\.com$/.exec(name)?.[1];
  if (certified === undefined) return publicKey;
  const plainName = Buffer.from(certified.startsWith('sk-') ? `${certified}@openssh.com` : certified);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(plainName.length);
  const parts: Buffer[] = [length, plainName];
  const nonce = stringAt(publicKey, type.length);
  let at = type.length + (nonce?.length ?? 0);
  for (let count = 0; count < strings; count++) {
    const part = nonce === null ? null : stringAt(publicKey, at);
    if (part === null) return null;
    parts.push(part);
    at += part.length;
  }
  return Buffer.concat(parts);
}

/** The string at an offset, its length in front; null: it does not end within the bytes. */
function stringAt(bytes: Buffer, offset: number): Buffer | null {
  if (offset + 4 > bytes.length) return null;
  const end = offset + 4 + bytes.readUInt32BE(offset);
  return end > bytes.length ? null : bytes.subarray(offset, end);
}

/** Owns the fingerprint of a key: how Dropslot names it in lists, logs and the audit trail. */
import { createHash } from 'node:crypto';

/** The fingerprint of a public key or certificate in SSH wire format, `SHA256:…`, as ssh-keygen prints it. */
export function fingerprintOf(publicKey: Buffer): string {
  return `SHA256:${createHash('sha256').update(publicKey).digest('base64').replace(/=+$/, '')}`;
}

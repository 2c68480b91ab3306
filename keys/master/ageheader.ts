/**
 * The header of an age file with one X25519 stanza, as the age v1 specification has it, on node:crypto: the library takes three to
 * ten times as long for it. It has all other headers, and says why one does not open.
 */
import { createHmac, hkdfSync } from 'node:crypto';
import type { Stanza } from 'age-encryption';
import { parseIdentity } from './x25519.js';

/** The header that `stanza`, of one short line, makes for the file key. */
export function encodeHeader({ args, body }: Stanza, fileKey: Uint8Array): Buffer {
  const text = `age-encryption.org/v1\n-> ${args.join(' ')}\n${unpadded(body)}\n---`;
  return Buffer.from(`${text} ${macOf(fileKey, text)}\n`);
}

/** Share, body and MAC have 32 bytes each. */
const form = /^(age-encryption\.org\/v1\n-> X25519 ([\w+/]{43})\n([\w+/]{43})\n---) ([\w+/]{43})\n$/;

/**
 * The file key of a header with its last newline, by any of the identities (one a line). null: it has another form, or none of them opens
 * it, or it was changed: the library is to be asked.
 */
export function openHeader(header: Buffer, identities: string): Buffer | null {
  const [, text, share, body, mac] = form.exec(header.toString('latin1')) ?? [];
  const bytes = Buffer.from(body ?? '', 'base64');
  if (text === undefined || unpadded(bytes) !== body || identities.includes('AGE-SECRET-KEY-PQ-')) return null;
  for (const identity of identities.split('\n')) {
    const fileKey = parseIdentity(identity).unwrapFileKey([{ args: ['X25519', share!], body: bytes }]) as Buffer | null;
    if (fileKey !== null) return macOf(fileKey, text) === mac ? fileKey : null;
  }
  return null;
}

function macOf(fileKey: Uint8Array, text: string): string {
  const key = Buffer.from(hkdfSync('sha256', fileKey, '', 'header', 32));
  return unpadded(createHmac('sha256', key).update(text).digest());
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}

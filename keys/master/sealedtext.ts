/** Seals and opens short secrets as armored age files, for storage that others can read. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { Decrypter, Identity } from 'age-encryption';
import { encodeHeader, openHeader } from './ageheader.js';
import { loadAge } from './agelibrary.js';
import { parseIdentity, parseRecipient } from './x25519.js';

/** Seals to `recipient` (`age1…`) alone. */
export async function sealText(recipient: string, text: string): Promise<string> {
  const { armor, Encrypter } = await loadAge();
  const bytes = Buffer.from(text);
  if (!recipient.startsWith('age1pq1') && bytes.length <= chunkBytes)
    return armor.encode(await sealChunk(recipient, bytes));
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient.startsWith('age1pq1') ? recipient : parseRecipient(recipient));
  return armor.encode(await encrypter.encrypt(text));
}

/** A payload of one chunk, as openBytes opens it. */
async function sealChunk(recipient: string, bytes: Buffer): Promise<Buffer> {
  const fileKey = randomBytes(16);
  const [stanza] = await parseRecipient(recipient).wrapFileKey(fileKey);
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('chacha20-poly1305', payloadKey(fileKey, nonce), onlyChunk, {
    authTagLength: tagBytes,
  });
  return Buffer.concat([
    encodeHeader(stanza!, fileKey),
    nonce,
    cipher.update(bytes),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
}

function payloadKey(fileKey: Uint8Array, nonce: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32));
}

/** Opens by any of the identities (one a line). @throws Error when none of them opens it, or it was changed */
export async function openText(identities: string, sealed: string): Promise<string> {
  const { armor } = await loadAge();
  return openBytes(identities, armor.decode(sealed));
}

const endOfHeader = Buffer.from('\n--- ');
const nonceBytes = 16;
const tagBytes = 16;
const chunkBytes = 64 * 1024;
/** The nonce of the first chunk when it is the last one too: its number, and a mark. */
const onlyChunk = Buffer.concat([Buffer.alloc(11), Buffer.from([1])]);

/**
 * As openText, of bytes without armor. A payload of one chunk, which each secret is, is opened on node:crypto: the library's streams
 * take longer for it than for the header, and `doctor` opens the identity of each organization.
 */
export async function openBytes(identities: string, sealed: Uint8Array): Promise<string> {
  const file = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length);
  const mac = file.indexOf(endOfHeader);
  const start = mac < 0 ? 0 : file.indexOf('\n', mac + endOfHeader.length) + 1;
  const payload = file.subarray(start);
  if (start === 0 || payload.length < nonceBytes + tagBytes || payload.length > nonceBytes + chunkBytes + tagBytes)
    return (await decrypterOf(identities)).decrypt(sealed, 'text');
  const header = file.subarray(0, start);
  const fileKey = openHeader(header, identities) ?? (await (await decrypterOf(identities)).decryptHeader(header));
  const key = payloadKey(fileKey, payload.subarray(0, nonceBytes));
  const decipher = createDecipheriv('chacha20-poly1305', key, onlyChunk, { authTagLength: tagBytes });
  decipher.setAuthTag(payload.subarray(-tagBytes));
  const text = decipher.update(payload.subarray(nonceBytes, -tagBytes));
  decipher.final();
  return text.toString('utf8');
}

async function decrypterOf(identities: string): Promise<Decrypter> {
  const { Decrypter } = await loadAge();
  const decrypter = new Decrypter();
  for (const identity of identities.split('\n')) decrypter.addIdentity(asIdentity(identity));
  return decrypter;
}

/**
 * The text of `sealed`, sealed to the newest key; `current`: it is sealed to that one already; `lost`: no key opens it.
 * @param older identities, one a line; empty: there are none
 */
export async function resealText(
  newest: { identity: string; recipient: string },
  older: string,
  sealed: string,
): Promise<{ sealed: string } | 'current' | 'lost'> {
  if ((await openText(newest.identity, sealed).catch(() => null)) !== null) return 'current';
  const opened = older === '' ? null : await openText(older, sealed).catch(() => null);
  return opened === null ? 'lost' : { sealed: await sealText(newest.recipient, opened) };
}

/** In the form that opens fastest. @throws Error when it is no X25519 identity, nor a post-quantum one */
export function asIdentity(identity: string): string | Identity {
  return identity.startsWith('AGE-SECRET-KEY-PQ-') ? identity : parseIdentity(identity);
}

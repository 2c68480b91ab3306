/**
 * The header of a sealed file (age v1, https://c2sp.org/age): makes one with a fresh file key, opens one, and wraps the
 * file key of one for another recipient. The library does post-quantum recipients and opens headers, node:crypto the rest.
 */
import { hkdfSync, randomBytes } from 'node:crypto';
import { encodeHeader as encodeShortHeader, openHeader as openShortHeader } from '../keys/master/ageheader.js';
import { loadAge } from '../keys/master/agelibrary.js';
import { keyIdOf, typeOfRecipient } from '../keys/master/orgidentity.js';
import { parseIdentity, parseRecipient } from '../keys/master/x25519.js';

const nonceBytes = 16;
const fileKeyBytes = 16;
const sealedNothingBytes = 16; // the tag of an empty last chunk
const endOfHeader = Buffer.from('\n--- ');

/** A header of ours has 200 bytes, a post-quantum one 1,700; one that the operator wrapped for several may have more. */
export const maxHeaderBytes = 64 * 1024;

export interface Header {
  /** The header and the payload's nonce, as they stand at the start of the file. */
  bytes: Buffer;
  /** Seals the payload's chunks; derived from the file key and the nonce. */
  payloadKey: Buffer;
}

export interface NewHeader extends Header {
  /** The key id of the recipient. */
  sealedTo: string;
}

/** A new file's header. @throws Error when the recipient is no `age1…` key */
export async function createHeader(recipient: string): Promise<NewHeader> {
  const { header, fileKey } = await encodeHeader(recipient);
  const nonce = randomBytes(nonceBytes);
  const bytes = Buffer.concat([header, nonce]);
  return { bytes, payloadKey: derivePayloadKey(fileKey, nonce), sealedTo: keyIdOf(recipient) };
}

/**
 * Opens the header that `start`, the first bytes of a file, begins with, by any of the identities (one a line). null:
 * `start` does not reach its end.
 * @throws Error when it is no age file, was changed, or was sealed to another recipient
 */
export async function openHeader(start: Buffer, identities: string): Promise<Header | null> {
  const parts = splitHeader(start);
  if (parts === null) return null;
  const fileKey = await openFileKey(parts.text, identities);
  return { bytes: parts.bytes, payloadKey: derivePayloadKey(fileKey, parts.nonce) };
}

/**
 * As openHeader, with the new header (`bytes`) that only `recipient` opens. File key and nonce are kept, and so every chunk
 * of the payload.
 */
export async function rewrapHeader(
  start: Buffer,
  identities: string,
  recipient: string,
): Promise<{ old: Buffer; bytes: Buffer } | null> {
  const parts = splitHeader(start);
  if (parts === null) return null;
  const fileKey = await openFileKey(parts.text, identities);
  const { header } = await encodeHeader(recipient, fileKey);
  return { old: parts.bytes, bytes: Buffer.concat([header, parts.nonce]) };
}

/** Bytes of the header and the nonce, computed without any key; null: `start` does not reach their end. */
export function measureHeader(start: Buffer): number | null {
  return splitHeader(start)?.bytes.length ?? null;
}

/** @param given the file key to wrap; without one, it is made. */
async function encodeHeader(recipient: string, given?: Uint8Array): Promise<{ header: Buffer; fileKey: Uint8Array }> {
  if (typeOfRecipient(recipient) !== 'hybrid') {
    const fileKey = given ?? randomBytes(fileKeyBytes);
    const [stanza] = await parseRecipient(recipient).wrapFileKey(fileKey);
    return { header: encodeShortHeader(stanza!, fileKey), fileKey };
  }
  let fileKey: Uint8Array = new Uint8Array();
  const header = await encodeByLibrary(recipient, (made) => {
    if (given !== undefined) made.set(given);
    fileKey = made;
  });
  return { header, fileKey };
}

async function encodeByLibrary(recipient: string, choose: (fileKey: Uint8Array) => void): Promise<Buffer> {
  const { Encrypter } = await loadAge();
  const encrypter = new Encrypter();
  // Asked first, and wraps nothing: the recipient and the MAC get the same bytes after it.
  encrypter.addRecipient({
    wrapFileKey: (fileKey) => {
      choose(fileKey);
      return [];
    },
  });
  encrypter.addRecipient(recipient);
  const empty = Buffer.from(await encrypter.encrypt(new Uint8Array()));
  return empty.subarray(0, empty.length - nonceBytes - sealedNothingBytes);
}

async function openFileKey(header: Buffer, identities: string): Promise<Uint8Array> {
  const own = openShortHeader(header, identities);
  if (own !== null) return own;
  const { Decrypter } = await loadAge();
  const decrypter = new Decrypter();
  for (const identity of identities.split('\n'))
    decrypter.addIdentity(identity.startsWith('AGE-SECRET-KEY-PQ-') ? identity : parseIdentity(identity));
  return decrypter.decryptHeader(header);
}

function splitHeader(start: Buffer): { text: Buffer; nonce: Buffer; bytes: Buffer } | null {
  const mac = start.indexOf(endOfHeader);
  const newline = mac < 0 ? -1 : start.indexOf('\n', mac + endOfHeader.length);
  const end = newline + 1 + nonceBytes;
  if (newline < 0 || start.length < end) return null;
  return {
    text: start.subarray(0, newline + 1),
    nonce: start.subarray(newline + 1, end),
    bytes: start.subarray(0, end),
  };
}

function derivePayloadKey(fileKey: Uint8Array, nonce: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32));
}

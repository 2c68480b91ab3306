/**
 * The header of a sealed file (age v1, https://c2sp.org/age): makes one with a fresh file key, and opens one. The
 * library does the format, node:crypto the keys.
 */
import { hkdfSync, randomBytes } from 'node:crypto';
import { Decrypter, Encrypter } from 'age-encryption';
import { parseIdentity, parseRecipient } from './x25519.js';

const nonceBytes = 16;
const sealedNothingBytes = 16; // the tag of an empty last chunk
const endOfHeader = Buffer.from('\n--- ');

/** A header of ours has 200 bytes; one that the operator wrapped again for several recipients may have more. */
export const maxHeaderBytes = 64 * 1024;

export interface Header {
  /** The header and the payload's nonce, as they stand at the start of the file. */
  bytes: Buffer;
  /** Seals the payload's chunks; derived from the file key and the nonce. */
  payloadKey: Buffer;
}

/** A new file's header. @throws Error when the recipient is no `age1…` key */
export async function createHeader(recipient: string): Promise<Header> {
  const native = parseRecipient(recipient);
  let fileKey: Uint8Array = new Uint8Array();
  const encrypter = new Encrypter();
  encrypter.addRecipient({
    wrapFileKey: (key) => {
      fileKey = key;
      return native.wrapFileKey(key);
    },
  });
  const empty = Buffer.from(await encrypter.encrypt(new Uint8Array()));
  const header = empty.subarray(0, empty.length - nonceBytes - sealedNothingBytes);
  const nonce = randomBytes(nonceBytes); // the library's has sealed its empty payload
  return { bytes: Buffer.concat([header, nonce]), payloadKey: derivePayloadKey(fileKey, nonce) };
}

/**
 * Opens the header that `start`, the first bytes of a file, begins with. null: `start` does not reach its end.
 * @throws Error when it is no age file, was changed, or was sealed for somebody else
 */
export async function openHeader(start: Buffer, identity: string): Promise<Header | null> {
  const mac = start.indexOf(endOfHeader);
  const newline = mac < 0 ? -1 : start.indexOf('\n', mac + endOfHeader.length);
  const end = newline + 1 + nonceBytes;
  if (newline < 0 || start.length < end) return null;
  const decrypter = new Decrypter();
  decrypter.addIdentity(parseIdentity(identity));
  const fileKey = await decrypter.decryptHeader(start.subarray(0, newline + 1));
  const nonce = start.subarray(newline + 1, end);
  return { bytes: start.subarray(0, end), payloadKey: derivePayloadKey(fileKey, nonce) };
}

function derivePayloadKey(fileKey: Uint8Array, nonce: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32));
}

/** The payload of a sealed file: 64 KiB chunks under ChaCha20-Poly1305, the STREAM construction of age v1. */
import { createCipheriv, createDecipheriv, type Hash } from 'node:crypto';

export const chunkBytes = 64 * 1024;
export const tagBytes = 16;
export const sealedChunkBytes = chunkBytes + tagBytes;

/** A sealed file that is cut off, was changed, or has its chunks in another order. */
export class SealError extends Error {
  override name = 'SealError';
}

/**
 * Seals the chunks in `memory`, each `chunkBytes` of plaintext (the last one may be shorter) before the room
 * for its tag, where they lie, and adds their plaintext to `hash`. A chunk is sealed once under one key: its number, from
 * `first` on, is its nonce. `isLast`: the payload ends with them.
 */
export function sealChunks(key: Buffer, memory: Buffer, first: number, isLast: boolean, hash: Hash): void {
  const count = Math.ceil(memory.length / sealedChunkBytes);
  for (let at = 0; at < count; at++) {
    const chunk = memory.subarray(at * sealedChunkBytes, (at + 1) * sealedChunkBytes);
    const plain = chunk.subarray(0, chunk.length - tagBytes);
    const nonce = nonceOf(first + at, isLast && at === count - 1);
    const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: tagBytes });
    hash.update(plain);
    cipher.update(plain).copy(plain);
    cipher.final();
    cipher.getAuthTag().copy(chunk, plain.length);
  }
}

/** The plaintext of one sealed chunk. @throws SealError */
export function openChunk(key: Buffer, index: number, isLast: boolean, sealed: Buffer): Buffer {
  if (sealed.length < tagBytes) throw new SealError(`chunk ${index} is cut off`);
  const decipher = createDecipheriv('chacha20-poly1305', key, nonceOf(index, isLast), { authTagLength: tagBytes });
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  const plain = decipher.update(sealed.subarray(0, sealed.length - tagBytes));
  try {
    decipher.final();
  } catch (cause) {
    throw new SealError(`chunk ${index} was changed, or is sealed to another key`, { cause });
  }
  return plain;
}

/** Plaintext bytes of a payload of so many bytes; null: no payload has this length. */
export function plainSizeOf(payloadBytes: number): number | null {
  const whole = Math.floor(payloadBytes / sealedChunkBytes);
  const rest = payloadBytes - whole * sealedChunkBytes;
  if (rest === 0) return whole === 0 ? null : whole * chunkBytes;
  if (rest < tagBytes) return null;
  if (rest === tagBytes && whole > 0) return null; // only an empty file has an empty last chunk
  return whole * chunkBytes + rest - tagBytes;
}

/** The number of the last chunk; an empty file has one, empty chunk. */
export function lastChunkOf(plainBytes: number): number {
  return plainBytes === 0 ? 0 : Math.ceil(plainBytes / chunkBytes) - 1;
}

/** An 11-byte big-endian counter, and 1 for the last chunk. */
function nonceOf(index: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(index, 5, 6);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

/** Computes the server's half of mlkem768x25519-sha256: ML-KEM-768 with X25519, secure while either of them is. */
import * as crypto from 'node:crypto';
import { createHash, createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';

const mlkemKeyBytes = 1184;
const mlkemCiphertextBytes = 1088;
const x25519Bytes = 32;

/** Lengths of the two messages (draft-ietf-sshm-mlkem-hybrid-kex). */
export const initBytes = mlkemKeyBytes + x25519Bytes;
export const replyBytes = mlkemCiphertextBytes + x25519Bytes;

/**
 * From the client's C_INIT to our S_REPLY and the shared secret K, which enters the exchange hash as a string.
 * @throws when the client's message has another length, or holds no usable keys.
 */
export function answerHybrid(init: Buffer): { reply: Buffer; secret: Buffer } {
  if (init.length !== initBytes) throw new Error(`${init.length} bytes instead of ${initBytes}`);
  const { ciphertext, sharedSecret } = encapsulate(init.subarray(0, mlkemKeyBytes));
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const classical = agreeX25519(privateKey, init.subarray(mlkemKeyBytes));
  const reply = Buffer.concat([ciphertext, exportX25519(publicKey)]);
  return { reply, secret: combineSecrets(sharedSecret, classical) };
}

/** K = SHA-256(K_PQ || K_CL). */
export function combineSecrets(postQuantum: Uint8Array, classical: Uint8Array): Buffer {
  return createHash('sha256').update(postQuantum).update(classical).digest();
}

/** @throws when the other side's point makes the secret zero (RFC 7748, section 6.1) */
export function agreeX25519(privateKey: KeyObject, publicKey: Buffer): Buffer {
  const key = { kty: 'OKP', crv: 'X25519', x: publicKey.toString('base64url') };
  const secret = diffieHellman({ privateKey, publicKey: createPublicKey({ key, format: 'jwk' }) });
  if (secret.every((byte) => byte === 0)) throw new Error('a public key that makes the secret zero');
  return secret;
}

export function exportX25519(publicKey: KeyObject): Buffer {
  return Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url');
}

interface Encapsulated {
  ciphertext: Uint8Array;
  sharedSecret: Uint8Array;
}

/** SubjectPublicKeyInfo of an ML-KEM-768 key, up to the key itself. */
const spkiHead = Buffer.from('308204b2300b0609608648016503040402038204a100', 'hex');

/** Node.js has ML-KEM from 24.7 on, where its OpenSSL is 3.5 or later. */
type Native = (key: KeyObject) => { ciphertext: Buffer; sharedKey: Buffer };

function encapsulate(publicKey: Buffer): Encapsulated {
  if (!isReduced(publicKey)) throw new Error('an ML-KEM key with numbers beyond the modulus');
  const native = nativeEncapsulate();
  if (native === null) {
    const { cipherText, sharedSecret } = ml_kem768.encapsulate(publicKey);
    return { ciphertext: cipherText, sharedSecret };
  }
  const key = createPublicKey({ key: Buffer.concat([spkiHead, publicKey]), format: 'der', type: 'spki' });
  const { ciphertext, sharedKey } = native(key);
  return { ciphertext, sharedSecret: sharedKey };
}

const modulus = 3329;
/** Of an ML-KEM-768 key the last 32 bytes are a seed, all before them are numbers of 12 bits. */
const numberBytes = mlkemKeyBytes - 32;

/** The check of FIPS 203, section 7.2, which `@noble/post-quantum` 0.5.4 has, and which finds nothing there. */
function isReduced(publicKey: Buffer): boolean {
  for (let at = 0; at < numberBytes; at += 3) {
    const pair = publicKey.readUIntLE(at, 3);
    if ((pair & 0xfff) >= modulus || pair >> 12 >= modulus) return false;
  }
  return true;
}

/** null: this Node.js has none. */
export function nativeEncapsulate(): Native | null {
  const { encapsulate: native } = crypto as unknown as { encapsulate?: Native };
  const [major = 0, minor = 0] = (process.versions.openssl ?? '').split('.').map(Number);
  return native !== undefined && (major > 3 || (major === 3 && minor >= 5)) ? native : null;
}

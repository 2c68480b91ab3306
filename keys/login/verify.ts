/** Verifies SSH signatures by node's own cryptography: for certificates, and for keys of hardware tokens. */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { KeyError } from '../error.js';
import { typeOf, WireReader, WireWriter } from '../wire.js';

/** Of each key type: the signature algorithms that may prove it. SHA-1 is in none. */
const signatureAlgorithms: Readonly<Record<string, readonly string[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
  'sk-ssh-ed25519@openssh.com': ['sk-ssh-ed25519@openssh.com'],
  'sk-ecdsa-sha2-nistp256@openssh.com': ['sk-ecdsa-sha2-nistp256@openssh.com'],
};

const hashes: Readonly<Record<string, string | null>> = {
  'ssh-ed25519': null,
  'sk-ssh-ed25519@openssh.com': null,
  'ecdsa-sha2-nistp256': 'sha256',
  'sk-ecdsa-sha2-nistp256@openssh.com': 'sha256',
  'ecdsa-sha2-nistp384': 'sha384',
  'ecdsa-sha2-nistp521': 'sha512',
  'rsa-sha2-256': 'sha256',
  'rsa-sha2-512': 'sha512',
};

/** Of a signature algorithm; null: it has its own. */
export function hashOf(algorithm: string): string | null {
  return hashes[algorithm] ?? null;
}

const curves: Readonly<Record<string, { crv: string; bytes: number }>> = {
  nistp256: { crv: 'P-256', bytes: 32 },
  nistp384: { crv: 'P-384', bytes: 48 },
  nistp521: { crv: 'P-521', bytes: 66 },
};

/** An RSA key with fewer bits counts as broken. */
export const leastRsaBits = 2048;

/** Any client can offer any key: a long exponent makes each verification a thousand times more expensive. */
const mostExponentBytes = 8;

/** A person touched the token (OpenSSH's PROTOCOL.u2f). */
const userPresent = 0x01;

/**
 * Whether `signature` (its algorithm and its value, in wire format) is this key's over `message`, made by the algorithm
 * that `wanted` names, or by any that fits the key. False for a malformed signature, too.
 */
export function verifySignature(key: Buffer, signature: Buffer, message: Buffer, wanted?: string): boolean {
  try {
    const reader = new WireReader(signature);
    const algorithm = reader.text();
    const allowed = signatureAlgorithms[typeOf(key)] ?? [];
    if (!allowed.includes(algorithm) || (wanted !== undefined && wanted !== algorithm)) return false;
    const value = reader.string();
    const { publicKey, application } = importKey(key);
    const signed = application === null ? message : presentData(application, message, reader);
    if (signed === null || !reader.isAtEnd) return false;
    return verifyValue(publicKey, algorithm, typeOf(key) === 'ssh-rsa' ? padRsaValue(key, value) : value, signed);
  } catch {
    // node refuses points off the curve and numbers out of range by throwing.
    return false;
  }
}

/**
 * An RSA signature is as long as the key's modulus (RFC 8332, section 3), but PuTTY and its descendants (WinSCP, FileZilla)
 * leave out its leading zero bytes: one in 256 is shorter.
 */
export function padRsaValue(key: Buffer, value: Buffer): Buffer {
  const reader = new WireReader(key);
  reader.string(); // the type
  reader.string(); // the exponent
  const modulus = reader.string();
  const missing = modulus.length - (modulus[0] === 0 ? 1 : 0) - value.length;
  return missing > 0 ? Buffer.concat([Buffer.alloc(missing), value]) : value;
}

/** The bytes that a token signs: the hash of the message after its own flags and counter. null: no person touched it. */
function presentData(application: Buffer, message: Buffer, reader: WireReader): Buffer | null {
  const flags = reader.u8();
  const counter = reader.u32();
  if ((flags & userPresent) === 0) return null;
  const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest();
  return new WireWriter().raw(hash(application)).u8(flags).u32(counter).raw(hash(message)).finish();
}

function verifyValue(key: KeyObject, algorithm: string, value: Buffer, signed: Buffer): boolean {
  const hash = hashOf(algorithm);
  if (!algorithm.includes('ecdsa')) return verify(hash, signed, key, value);
  const size = Object.entries(curves).find(([name]) => algorithm.includes(name))![1].bytes;
  const reader = new WireReader(value);
  const signature = Buffer.concat([fixedNumber(reader.string(), size), fixedNumber(reader.string(), size)]);
  return reader.isAtEnd && verify(hash, signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

/** A signed big-endian number as `size` unsigned bytes. */
function fixedNumber(mpint: Buffer, size: number): Buffer {
  const digits = mpint[0] === 0 ? mpint.subarray(1) : mpint;
  if (digits.length > size) throw new KeyError('malformed', 'a number out of range');
  return Buffer.concat([Buffer.alloc(size - digits.length), digits]);
}

/** @throws KeyError, or node's own error, when it is no key */
export function importKey(wire: Buffer): { publicKey: KeyObject; application: Buffer | null } {
  const reader = new WireReader(wire);
  const type = reader.text();
  if (!(type in signatureAlgorithms)) throw new KeyError('malformed', `no key of a known type`);
  const jwk = readJwk(type, reader);
  const application = type.startsWith('sk-') ? reader.string() : null;
  if (!reader.isAtEnd) throw new KeyError('malformed', 'more bytes than the key has');
  return { publicKey: createPublicKey({ key: jwk, format: 'jwk' }), application };
}

function readJwk(type: string, reader: WireReader): Record<string, string> {
  const base64 = (bytes: Buffer) => bytes.toString('base64url');
  if (type === 'ssh-rsa') {
    const [e, n] = [reader.string(), reader.string()];
    if (e.length > mostExponentBytes) throw new KeyError('malformed', 'an RSA exponent that is too long');
    return { kty: 'RSA', e: base64(e), n: base64(n[0] === 0 ? n.subarray(1) : n) };
  }
  if (type.includes('ed25519')) return { kty: 'OKP', crv: 'Ed25519', x: base64(reader.string()) };
  const curve = curves[reader.text()];
  const point = reader.string();
  if (curve === undefined || !type.includes(`nistp${curve.crv.slice(2)}`) || point.length !== 1 + 2 * curve.bytes)
    throw new KeyError('malformed', 'a point of another curve');
  if (point[0] !== 4) throw new KeyError('malformed', 'a compressed point');
  const [x, y] = [point.subarray(1, 1 + curve.bytes), point.subarray(1 + curve.bytes)];
  return { kty: 'EC', crv: curve.crv, x: base64(x), y: base64(y) };
}

/** Signatures of host keys, as SSH writes them, for the proofs that clients ask for when they learn a key. */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import ssh2 from 'ssh2';
import { KeyError } from '../error.js';
import type { HostKey } from './hostkeys.js';

/**
 * Signs as SSH wants it (RFC 4253, 8332, 5656, 8709): the signature's algorithm and its bytes, each a string.
 * `algorithm` is the key's type, or `rsa-sha2-256` or `rsa-sha2-512` of an RSA key.
 */
export function signWithHostKey(key: HostKey, algorithm: string, data: Buffer): Buffer {
  return Buffer.concat([encodeString(Buffer.from(algorithm)), encodeString(signRaw(secretOf(key), algorithm, data))]);
}

function signRaw(secret: KeyObject, algorithm: string, data: Buffer): Buffer {
  if (algorithm === 'ssh-ed25519') return sign(null, data, secret);
  if (algorithm === 'rsa-sha2-512') return sign('sha512', data, secret);
  if (algorithm === 'rsa-sha2-256') return sign('sha256', data, secret);
  const pair = sign('sha256', data, { key: secret, dsaEncoding: 'ieee-p1363' });
  return Buffer.concat([pair.subarray(0, 32), pair.subarray(32)].map((half) => encodeString(encodeMpint(half))));
}

function secretOf({ file, privateKey }: HostKey): KeyObject {
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw new KeyError('malformed', `host key ${file} is no private key`);
  return createPrivateKey(parsed.getPrivatePEM());
}

/** RFC 4251, section 5: a length, then the bytes. */
export function encodeString(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** RFC 4251, section 5: no superfluous zeros, and a zero before a first bit that would mean a negative number. */
function encodeMpint(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const trimmed = first === -1 ? Buffer.alloc(0) : bytes.subarray(first);
  return (trimmed[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), trimmed]) : trimmed;
}

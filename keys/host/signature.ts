/** Signs with host keys in SSH's format, for the proofs that clients request when they learn a key. */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import ssh2 from 'ssh2';
import { KeyError } from '../error.js';
import { WireWriter } from '../wire.js';
import type { HostKey } from './hostkeys.js';

/**
 * Signs as SSH wants it (RFC 4253, 8332, 5656, 8709): the signature's algorithm and its bytes, each a string.
 * `algorithm` is the key's type, or `rsa-sha2-256` or `rsa-sha2-512` of an RSA key.
 */
export function signWithHostKey(key: HostKey, algorithm: string, data: Buffer): Buffer {
  return new WireWriter()
    .string(algorithm)
    .string(signRaw(secretOf(key), algorithm, data))
    .finish();
}

function signRaw(secret: KeyObject, algorithm: string, data: Buffer): Buffer {
  if (algorithm === 'ssh-ed25519') return sign(null, data, secret);
  if (algorithm === 'rsa-sha2-512') return sign('sha512', data, secret);
  if (algorithm === 'rsa-sha2-256') return sign('sha256', data, secret);
  const pair = sign('sha256', data, { key: secret, dsaEncoding: 'ieee-p1363' });
  return new WireWriter().mpint(pair.subarray(0, 32)).mpint(pair.subarray(32)).finish();
}

function secretOf({ file, privateKey }: HostKey): KeyObject {
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw new KeyError('malformed', `host key ${file} is no private key`);
  return createPrivateKey(parsed.getPrivatePEM());
}

/** Verifies the signature of an authentication request (RFC 4252, section 7): that the client has the private key. */
import { verify } from 'node:crypto';
import { encodeString, typeOf } from '../wire.js';
import { certifiedType, readCertificate } from './certificate.js';
import { hashOf, importKey, padRsaValue, verifySignature } from './verify.js';

/** The request as ssh2 reports it. */
export interface Proof {
  /** The algorithm of the request; ssh2 reports RSA with SHA-2 as `ssh-rsa` with a hash. */
  algorithm: string;
  hashAlgo: string | undefined;
  /** A key or a certificate in wire format. */
  key: Buffer;
  /** The signed bytes. */
  blob: Buffer | undefined;
  signature: Buffer | undefined;
}

export function signsWithSha1({ algorithm, hashAlgo }: Pick<Proof, 'algorithm' | 'hashAlgo'>): boolean {
  return (algorithm === 'ssh-rsa' && hashAlgo === undefined) || algorithm === 'ssh-rsa-cert-v01@openssh.com';
}

/** `takesSha1`: signatures of `ssh-rsa` are accepted, too; those of certificates never. */
export function verifyProof(proof: Proof, takesSha1 = false): boolean {
  const { key, blob, signature } = proof;
  if (blob === undefined || signature === undefined) return false;
  if (signsWithSha1(proof) && !(takesSha1 && proof.algorithm === 'ssh-rsa')) return false;
  const type = typeOf(key);
  if (certifiedType(type) !== null) return verifyCertified(proof, type, blob, signature);
  // The type in the key counts, and the request must agree with it.
  if (proof.algorithm !== type) return false;
  if (type.startsWith('sk-')) return verifySignature(key, restoreToken(type, signature), blob);
  try {
    // Not by ssh2, which writes the key as a PEM that is read again, and accepts keys that are expensive to verify.
    const { publicKey } = importKey(key);
    if (type !== 'ssh-rsa') return verify(hashOf(type), blob, publicKey, signature);
    return verify(proof.hashAlgo ?? 'sha1', blob, publicKey, padRsaValue(key, signature));
  } catch {
    return false;
  }
}

/** ssh2 does not know certificates' algorithms, and leaves their signatures as they came. */
function verifyCertified({ algorithm, key }: Proof, type: string, blob: Buffer, signature: Buffer): boolean {
  const isRsa = type === 'ssh-rsa-cert-v01@openssh.com';
  if (!isRsa && algorithm !== type) return false;
  if (isRsa && !/^rsa-sha2-(256|512)-cert-v01@openssh\.com$/.test(algorithm)) return false;
  try {
    const certificate = readCertificate(key);
    if (certificate === null) return false;
    return verifySignature(certificate.key, signature, blob, certifiedType(algorithm) ?? undefined);
  } catch {
    return false;
  }
}

/** ssh2 takes the signature for one of a plain key, and cuts off its algorithm and the length of its value. */
function restoreToken(type: string, signature: Buffer): Buffer {
  const presence = Math.max(0, signature.length - 5); // flags and counter come after the value
  return Buffer.concat([
    encodeString(type),
    encodeString(signature.subarray(0, presence)),
    signature.subarray(presence),
  ]);
}

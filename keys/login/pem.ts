/** Reads a public key in PEM (PKCS#1, SubjectPublicKeyInfo) or an X.509 certificate as SSH's wire format. */
import { createPublicKey, X509Certificate } from 'node:crypto';
import { KeyError } from '../error.js';
import { WireWriter } from '../wire.js';

const curveNames: Readonly<Record<string, string>> = { 'P-256': 'nistp256', 'P-384': 'nistp384', 'P-521': 'nistp521' };

/** Whether a line begins such a block. Private keys, certificate requests and all else do not. */
export function beginsPublicPem(line: string): boolean {
  return /^-----BEGIN (RSA PUBLIC KEY|PUBLIC KEY|CERTIFICATE)-----$/.test(line);
}

/** `block` from its BEGIN line to its END line. @throws KeyError `malformed`, `refused` */
export function readPublicPem(block: string): { algorithm: string; wire: Buffer } {
  const jwk = exportJwk(block);
  const bytes = (field: string | undefined) => Buffer.from(field ?? '', 'base64url');
  if (jwk.kty === 'RSA') {
    const wire = new WireWriter().string('ssh-rsa').mpint(bytes(jwk.e)).mpint(bytes(jwk.n)).finish();
    return { algorithm: 'ssh-rsa', wire };
  }
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519')
    return { algorithm: 'ssh-ed25519', wire: new WireWriter().string('ssh-ed25519').string(bytes(jwk.x)).finish() };
  const curve = curveNames[jwk.crv ?? ''];
  if (curve === undefined) throw unusable();
  const algorithm = `ecdsa-sha2-${curve}`;
  const point = Buffer.concat([Buffer.from([4]), bytes(jwk.x), bytes(jwk.y)]);
  return { algorithm, wire: new WireWriter().string(algorithm).string(curve).string(point).finish() };
}

/** Whether the block is the certificate of an authority, which signs others. */
export function isAuthority(block: string): boolean {
  return block.startsWith('-----BEGIN CERTIFICATE-----') && new X509Certificate(block).ca;
}

function exportJwk(block: string) {
  let key: ReturnType<typeof createPublicKey>;
  try {
    key = createPublicKey(block);
  } catch (cause) {
    throw new KeyError('malformed', 'the key is cut short or altered; copy the whole file again', { cause });
  }
  try {
    return key.export({ format: 'jwk' });
  } catch {
    throw unusable();
  }
}

function unusable(): KeyError {
  return new KeyError('refused', 'this kind of key is not supported; use an Ed25519, ECDSA or RSA key');
}

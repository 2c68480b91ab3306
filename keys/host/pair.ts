/** Generates key pairs in OpenSSH format. */
import { createPrivateKey } from 'node:crypto';
import ssh2 from 'ssh2';

export type PairType = 'ed25519' | 'ecdsa-nistp256' | 'rsa';

/** Until 2030 and beyond, says NIST SP 800-57, and quick enough for old clients. */
const rsaBits = 3072;

export interface KeyPair {
  /** OpenSSH format, without a passphrase. */
  private: string;
  /** A line of authorized_keys. */
  public: string;
}

/**
 * ssh2 1.17 drops a leading zero byte, so that programs reject one Ed25519 pair in 256, and puts
 * one before every ECDSA secret, which PuTTY accepts only where the number needs it: repeats until a pair is sound.
 */
export function generatePair(type: PairType): KeyPair {
  for (;;) {
    const pair = makePair(type);
    if (isSound(pair)) return pair;
  }
}

function makePair(type: PairType): KeyPair {
  if (type === 'ed25519') return ssh2.utils.generateKeyPairSync('ed25519');
  if (type === 'rsa') return ssh2.utils.generateKeyPairSync('rsa', { bits: rsaBits });
  return ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
}

function isSound(pair: KeyPair): boolean {
  const secret = ssh2.utils.parseKey(pair.private);
  const open = ssh2.utils.parseKey(pair.public);
  if (secret instanceof Error || open instanceof Error) return false;
  if (secret.type.startsWith('ecdsa-') && !needsZero(secret)) return false;
  const message = 'sound';
  return secret.getPublicSSH().equals(open.getPublicSSH()) && open.verify(message, secret.sign(message)) === true;
}

/** Whether the secret number would read as negative without a leading zero byte. */
function needsZero(secret: ssh2.ParsedKey): boolean {
  const { d = '' } = createPrivateKey(secret.getPrivatePEM()).export({ format: 'jwk' });
  return (Buffer.from(d, 'base64url')[0] ?? 0) >= 0x80;
}

/** Makes key pairs in OpenSSH format. */
import ssh2 from 'ssh2';

export type PairType = 'ed25519' | 'ecdsa-nistp256';

export interface KeyPair {
  /** OpenSSH format, without a passphrase. */
  private: string;
  /** A line of authorized_keys. */
  public: string;
}

/**
 * ssh2 1.17 drops a leading zero byte, so that one Ed25519 pair in 256 is none that any program accepts: pairs are made
 * until one proves itself.
 */
export function generatePair(type: PairType): KeyPair {
  for (;;) {
    const pair =
      type === 'ed25519'
        ? ssh2.utils.generateKeyPairSync('ed25519')
        : ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
    if (isSound(pair)) return pair;
  }
}

function isSound(pair: KeyPair): boolean {
  const secret = ssh2.utils.parseKey(pair.private);
  const open = ssh2.utils.parseKey(pair.public);
  if (secret instanceof Error || open instanceof Error) return false;
  const message = 'sound';
  return secret.getPublicSSH().equals(open.getPublicSSH()) && open.verify(message, secret.sign(message)) === true;
}

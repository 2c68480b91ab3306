/** Owns the SSH algorithms that each named policy offers; the default policy has no SHA-1, CBC, compression or DSA. */
import type { Algorithms } from 'ssh2';
import type { PolicyName } from '../../config/network.js';

type Lists = { [kind in keyof Algorithms]-?: Extract<NonNullable<Algorithms[kind]>, unknown[]> };

/** The algorithms of one kind of listener. A listener shows host keys of these types only. */
export interface Policy {
  algorithms: Lists;
  /** Whether a login key that an operator allowed it may sign with SHA-1. */
  takesSha1: boolean;
}

/** `ssh-audit` warns of none of these. */
const modern: Lists = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    // Not group 18: an exchange costs the server 50 ms, and an attacker nothing.
    'diffie-hellman-group16-sha512',
  ],
  // RSA counts where the operator has added such a host key.
  serverHostKey: ['ssh-ed25519', 'rsa-sha2-512', 'rsa-sha2-256'],
  // The client's order decides (RFC 4253, section 7.1); GCM is the fastest where the processor has AES.
  cipher: [
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com',
    'chacha20-poly1305@openssh.com',
    'aes256-ctr',
    'aes192-ctr',
    'aes128-ctr',
  ],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com'],
  compress: ['none'],
};

/** Still SHA-2 only. libssh2 up to 1.10 and JSch 0.1 need the NIST curves and the MACs over the plaintext. */
const accommodating: Lists = {
  ...modern,
  kex: [...modern.kex, 'ecdh-sha2-nistp256', 'ecdh-sha2-nistp384', 'ecdh-sha2-nistp521'],
  serverHostKey: ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512', 'rsa-sha2-256'],
  hmac: [...modern.hmac, 'hmac-sha2-256', 'hmac-sha2-512'],
};

/** For clients of 2010: a 2048-bit group, and SHA-1 in HMAC and key derivation, where collisions do not help an attacker. */
const compatible: Lists = {
  ...accommodating,
  kex: [...accommodating.kex, 'diffie-hellman-group14-sha256', 'diffie-hellman-group14-sha1'],
  hmac: [...accommodating.hmac, 'hmac-sha1-etm@openssh.com', 'hmac-sha1'],
};

export const policies: Readonly<Record<PolicyName | 'accommodating', Policy>> = {
  modern: { algorithms: modern, takesSha1: false },
  accommodating: { algorithms: accommodating, takesSha1: false },
  compatible: { algorithms: compatible, takesSha1: true },
};

/**
 * Clients that know none of `modern`'s algorithms of a kind, by their identification. Both sides sign the identifications,
 * so that an attacker between them can't bring another client to the weaker list.
 */
const oldClients = /^(libssh2_(0\.|1\.([0-9]|10)(\.|$))|JSCH-0\.1\.)/;

/** The policy for a client that calls itself `software`, on a listener with policy `named`. */
export function choosePolicy(named: PolicyName, software: string, accommodates: boolean): keyof typeof policies {
  return named === 'modern' && accommodates && oldClients.test(software) ? 'accommodating' : named;
}

/** Signatures that users may prove their keys with (RFC 8308, section 3.1). */
export const userSignatures = [
  'ssh-ed25519',
  'sk-ssh-ed25519@openssh.com',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ecdsa-sha2-nistp256@openssh.com',
  'rsa-sha2-512',
  'rsa-sha2-256',
] as const;

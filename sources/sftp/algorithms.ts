/** Owns the SSH algorithms that Dropslot offers to the servers of its sources; SHA-1, CBC and DSA only where a source allows them. */
import type { Algorithms } from 'ssh2';

type Lists = { [kind in 'kex' | 'serverHostKey' | 'cipher' | 'hmac']: string[] } & { compress: string[] };

const modern: Lists = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group18-sha512',
    'diffie-hellman-group-exchange-sha256',
    'diffie-hellman-group14-sha256',
  ],
  serverHostKey: [
    'ssh-ed25519',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
    'rsa-sha2-512',
    'rsa-sha2-256',
  ],
  cipher: [
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com',
    'chacha20-poly1305@openssh.com',
    'aes256-ctr',
    'aes192-ctr',
    'aes128-ctr',
  ],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  compress: ['none'],
};

/** Behind the others: a server that knows a better one uses that. */
const legacy: Lists = {
  kex: ['diffie-hellman-group14-sha1', 'diffie-hellman-group-exchange-sha1', 'diffie-hellman-group1-sha1'],
  serverHostKey: ['ssh-rsa', 'ssh-dss'],
  cipher: ['aes256-cbc', 'aes192-cbc', 'aes128-cbc', '3des-cbc'],
  hmac: ['hmac-sha1-etm@openssh.com', 'hmac-sha1'],
  compress: [],
};

/** Host keys that prove with one key: a server shows one of each family. */
const families: readonly (readonly string[])[] = [
  ['ssh-ed25519'],
  ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'],
  ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'],
  ['ssh-dss'],
];

/** The offers to make one after the other until the server shows a confirmed host key: all host keys, then each family. */
export function offersOf(takesLegacy: boolean): Algorithms[] {
  const all = Object.fromEntries(
    Object.entries(modern).map(([kind, names]) => [
      kind,
      takesLegacy ? [...names, ...legacy[kind as keyof Lists]] : names,
    ]),
  ) as Lists;
  const byFamily = families
    .map((family) => all.serverHostKey.filter((name) => family.includes(name)))
    .filter((names) => names.length > 0);
  return [all.serverHostKey, ...byFamily].map((serverHostKey) => ({ ...all, serverHostKey }) as unknown as Algorithms);
}

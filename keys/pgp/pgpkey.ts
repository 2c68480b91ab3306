/** Makes, reads and describes OpenPGP keys. */
import type { Key, PrivateKey } from 'openpgp';
import { PgpError } from './error.js';

/** The library is large, and most processes never need it. */
export const loadOpenpgp = () => import('openpgp');

export interface PgpKeyFacts {
  /** Capital hexadecimal digits: 40, of version 6 64. */
  fingerprint: string;
  /** Of the key and its subkeys. */
  keyIds: string[];
  algorithm: string;
  userId: string;
  isPrivate: boolean;
  /** Milliseconds since 1970. */
  createdAt: number;
  /** null: never. */
  expiresAt: number | null;
  canEncrypt: boolean;
  canSign: boolean;
  isRevoked: boolean;
  /** In armor. */
  publicKey: string;
}

export const pgpKeyTypes = ['rsa3072', 'rsa4096', 'curve25519', 'nistp256'] as const;
export type PgpKeyType = (typeof pgpKeyTypes)[number];

/** @param userId `name <address>` in parts. @param seconds until it expires; 0: never. */
export async function generatePgpKey(
  type: PgpKeyType,
  userId: { name: string; email: string },
  at: number,
  seconds: number,
): Promise<PgpKeyFacts & { privateKey: string }> {
  const { generateKey } = await loadOpenpgp();
  const forms = {
    rsa3072: { type: 'rsa', rsaBits: 3072 },
    rsa4096: { type: 'rsa', rsaBits: 4096 },
    curve25519: { type: 'ecc', curve: 'curve25519Legacy' },
    nistp256: { type: 'ecc', curve: 'nistP256' },
  } as const;
  const made = await generateKey({
    ...forms[type],
    userIDs: [userId],
    date: new Date(at),
    keyExpirationTime: seconds,
    format: 'object',
  });
  return { ...(await describeKey(made.privateKey, at)), privateKey: made.privateKey.armor() };
}

/**
 * Reads one key, in armor or binary. @param passphrase of a private key that has one; the key is returned without it.
 * @throws PgpError `malformed`, `locked`
 */
export async function readPgpKey(
  bytes: Buffer,
  at: number,
  passphrase: string | null,
): Promise<PgpKeyFacts & { privateKey: string | null }> {
  const openpgp = await loadOpenpgp();
  const text = bytes.toString('latin1').replace(/^\u00ef\u00bb\u00bf/, '');
  const from = text.search(/-----BEGIN PGP (?:PUBLIC|PRIVATE) KEY BLOCK-----/);
  if (/-----BEGIN PGP (?:MESSAGE|SIGNATURE|SIGNED)/.test(text) && from < 0)
    throw new PgpError(
      'malformed',
      'this is a PGP message, not a key; export the key, for example with gpg --armor --export',
    );
  let keys: Key[];
  try {
    keys = await (from >= 0
      ? openpgp.readKeys({ armoredKeys: text.slice(from) })
      : openpgp.readKeys({ binaryKeys: new Uint8Array(bytes) }));
  } catch (cause) {
    throw new PgpError('malformed', 'this is no OpenPGP key, neither as text (gpg --armor --export) nor binary', {
      cause,
    });
  }
  if (keys.length !== 1)
    throw new PgpError('malformed', `the file has ${keys.length} keys; export one key, by its fingerprint`);
  const key = keys[0]!;
  if (!key.isPrivate()) return { ...(await describeKey(key, at)), privateKey: null };
  const open = await unlock(key as PrivateKey, passphrase);
  return { ...(await describeKey(open, at)), privateKey: open.armor() };
}

async function unlock(key: PrivateKey, passphrase: string | null): Promise<PrivateKey> {
  if (key.isDecrypted()) return key;
  if (passphrase === null)
    throw new PgpError('locked', 'the private key has a passphrase; name a file that has it with --passphrase-file');
  const { decryptKey } = await loadOpenpgp();
  try {
    return await decryptKey({ privateKey: key, passphrase });
  } catch (cause) {
    throw new PgpError('locked', 'the passphrase does not open the private key', { cause });
  }
}

async function describeKey(key: Key, at: number): Promise<PgpKeyFacts> {
  const date = new Date(at);
  const expiry = await key.getExpirationTime().catch(() => null);
  const works = (attempt: Promise<unknown>) => attempt.then(() => true).catch(() => false);
  const { algorithm, bits, curve } = key.getAlgorithmInfo();
  const isRevoked = await key.isRevoked(undefined, undefined, date).catch(() => false);
  return {
    fingerprint: key.getFingerprint().toUpperCase(),
    keyIds: key.getKeyIDs().map((id) => id.toHex().toUpperCase()),
    algorithm:
      bits === undefined
        ? (curve ?? algorithm).replace(/^ed25519Legacy$/, 'curve25519')
        : `${algorithm.replace(/[A-Z].*/, '')}${bits}`,
    userId: key.getUserIDs()[0] ?? '',
    isPrivate: key.isPrivate(),
    createdAt: key.getCreationTime().getTime(),
    expiresAt: expiry instanceof Date ? expiry.getTime() : null,
    canEncrypt: await works(key.getEncryptionKey(undefined, date)),
    canSign: await works(key.getSigningKey(undefined, date)),
    isRevoked,
    publicKey: key.toPublic().armor(),
  };
}

/** The reason of the library, which names algorithms and packets and no content. */
export function shortReason(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text
    .replace(/^Error [^:]*: /, '')
    .replace(/[^\x20-\x7e]+/g, ' ')
    .slice(0, 160);
}

/** Login keys for tests, made by the programs that customers use, or by ssh2. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import type { Db } from '../../db/connection.js';
import { insertLoginKey, type NewLoginKey } from '../../db/control/keys.js';
import { generatePair } from '../../keys/host/pair.js';
import { type ParsedKey, parsePublicKeys } from '../../keys/login/publickeys.js';

export interface KeyPair {
  private: string;
  public: ParsedKey;
}

export function newKeyPair(type: 'ed25519' | 'ecdsa' | 'rsa' = 'ed25519'): KeyPair {
  const pair =
    type === 'rsa'
      ? ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 })
      : generatePair(type === 'ecdsa' ? 'ecdsa-nistp256' : 'ed25519');
  return { private: pair.private, public: parsePublicKeys(pair.public)[0]! };
}

/** Lets a key log in as an organization. */
export async function allowKey(
  control: Db,
  org: string,
  { public: key }: KeyPair,
  change: Partial<NewLoginKey> = {},
): Promise<void> {
  const { fingerprint, algorithm, publicKey } = key;
  const rest = { label: 'test', sources: [], expiresAt: null, createdAt: Date.UTC(2026, 0, 1) };
  await insertLoginKey(control.write, { org, fingerprint, algorithm, publicKey, ...rest, ...change });
}

/** The private key as a file that OpenSSH accepts. */
export function writeKeyFile(folder: string, pair: KeyPair, name = 'login_key'): string {
  const file = join(folder, name);
  writeFileSync(file, pair.private, { mode: 0o600 });
  return file;
}

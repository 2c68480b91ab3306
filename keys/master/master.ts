/** Owns the master key: the operator's age identity, which opens every organization's identity. */
import { KeyError } from '../error.js';
import { createPrivateFile, replacePrivateFile } from '../file.js';
import { loadAge } from './agelibrary.js';
import { isProtected, protect, unprotect } from './passphrase.js';
import { createMasterSecrets, type MasterSecrets, type SecretPaths } from './secrets.js';

export interface MasterKey {
  /** `age1…` of the first identity: seals. */
  recipient: string;
  /**
   * `AGE-SECRET-KEY-…`, one a line: the first one is the master key, the others are former ones that open their seals
   * while the master key is being changed. Never logged.
   */
  identity: string;
}

/** `hybrid` is post-quantum: ML-KEM-768 with X25519. */
export type IdentityType = 'x25519' | 'hybrid';

export async function generateIdentityOf(type: IdentityType): Promise<string> {
  const { generateHybridIdentity, generateX25519Identity } = await loadAge();
  return type === 'hybrid' ? generateHybridIdentity() : generateX25519Identity();
}

/**
 * Reads the master key, or creates it if its file does not exist; under the passphrase, if one is configured.
 * @throws KeyError
 */
export async function loadOrCreateMaster(
  paths: SecretPaths,
  secrets: MasterSecrets = createMasterSecrets(paths),
  type: IdentityType = 'x25519',
): Promise<{ master: MasterKey; created: boolean }> {
  const found = await readMaster(secrets);
  if (found !== null) return { master: found, created: false };
  const master = await generateMaster(type);
  if (await createPrivateFile(secrets.masterKey, await encode([master], secrets, secrets.hasPassphrase)))
    return { master, created: true };
  return { master: await loadMaster(paths, secrets), created: false };
}

/**
 * Reads the master key, which must exist.
 * @throws KeyError that says what to do
 */
export async function loadMaster(
  paths: SecretPaths,
  secrets: MasterSecrets = createMasterSecrets(paths),
): Promise<MasterKey> {
  const found = await readMaster(secrets);
  if (found !== null) return found;
  throw new KeyError(
    'missing',
    `there is no master key at ${secrets.masterKey}: restore it from the backup, or set masterKey to where it is`,
  );
}

export async function generateMaster(type: IdentityType): Promise<MasterKey> {
  const { identityToRecipient } = await loadAge();
  const identity = await generateIdentityOf(type);
  return { identity, recipient: await identityToRecipient(identity) };
}

/** Each identity of a master key as one of its own, the newest first. */
export async function splitMaster({ identity }: MasterKey): Promise<MasterKey[]> {
  const { identityToRecipient } = await loadAge();
  return Promise.all(
    identity.split('\n').map(async (line) => ({ identity: line, recipient: await identityToRecipient(line) })),
  );
}

/**
 * Replaces the content of the file by these identities, the newest first, under its passphrase if it has one.
 * @throws KeyError `refused` when the master key comes from no file
 */
export async function replaceMaster(secrets: MasterSecrets, masters: readonly MasterKey[]): Promise<void> {
  const stored = await secrets.readMaster();
  if (!secrets.isFile || stored === null)
    throw new KeyError('refused', `the master key comes from ${secrets.masterKey}: only you can change it there`);
  await replacePrivateFile(secrets.masterKey, await encode(masters, secrets, isProtected(stored)));
}

/** Writes one identity to a file of its own, under the passphrase of the master key if it has one. */
export async function keepMaster(path: string, secrets: MasterSecrets, master: MasterKey): Promise<void> {
  const stored = await secrets.readMaster();
  await replacePrivateFile(path, await encode([master], secrets, stored !== null && isProtected(stored)));
}

/** null: no such file. */
async function readMaster(secrets: MasterSecrets): Promise<MasterKey | null> {
  const { masterKey: path } = secrets;
  const stored = await secrets.readMaster();
  if (stored === null) return null;
  const text = isProtected(stored)
    ? await unprotect(stored, await secrets.readPassphrase(), path)
    : stored.toString('utf8');
  const lines = text.split('\n').map((line) => line.trim());
  const identities = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const [identity] = identities;
  if (identity === undefined)
    throw new KeyError('malformed', `master key ${path}: expected a line AGE-SECRET-KEY-…, found none`);
  try {
    const { identityToRecipient } = await loadAge();
    const recipients = await Promise.all(identities.map((one) => identityToRecipient(one)));
    return { identity: identities.join('\n'), recipient: recipients[0]! };
  } catch (cause) {
    throw new KeyError('malformed', `master key ${path}: this is no age identity (AGE-SECRET-KEY-…)`, { cause });
  }
}

async function encode(masters: readonly MasterKey[], secrets: MasterSecrets, isSecret: boolean): Promise<string> {
  const text = describe(masters);
  return isSecret ? protect(text, await secrets.readPassphrase()) : text;
}

/** The format of `age-keygen`, so that `age -d -i` takes the file as it is. */
function describe(masters: readonly MasterKey[]): string {
  return [
    "# Master key of Dropslot: opens every organization's key. Keep a copy of it apart from the data.",
    ...masters.flatMap(({ recipient, identity }) => [`# public key: ${recipient}`, identity]),
    '',
  ].join('\n');
}

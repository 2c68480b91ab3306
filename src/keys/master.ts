/** The master key: the age identity of the operator that opens every organization's identity. */
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import type { Paths } from '../config/paths.js';
import { KeyError } from './error.js';
import { createPrivateFile, readPrivateFile } from './file.js';

export interface MasterKey {
  /** `age1…`: seals. */
  recipient: string;
  /** `AGE-SECRET-KEY-1…`: opens. Never logged. */
  identity: string;
}

/**
 * Reads the master key, or makes one where there is none.
 * @throws KeyError
 */
export async function loadOrCreateMaster(
  paths: Pick<Paths, 'masterKey'>,
): Promise<{ master: MasterKey; created: boolean }> {
  const found = await readMaster(paths.masterKey);
  if (found !== null) return { master: found, created: false };
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  if (await createPrivateFile(paths.masterKey, describe({ recipient, identity })))
    return { master: { recipient, identity }, created: true };
  return { master: await loadMaster(paths), created: false };
}

/**
 * Reads the master key that must be there.
 * @throws KeyError with what to do
 */
export async function loadMaster(paths: Pick<Paths, 'masterKey'>): Promise<MasterKey> {
  const found = await readMaster(paths.masterKey);
  if (found !== null) return found;
  throw new KeyError(
    'missing',
    `there is no master key at ${paths.masterKey}: restore it from the backup, or set masterKey to where it is`,
  );
}

/** null: no such file. */
async function readMaster(path: string): Promise<MasterKey | null> {
  const text = await readPrivateFile(path);
  if (text === null) return null;
  const lines = text.split('\n').map((line) => line.trim());
  const identities = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const [identity] = identities;
  if (identity === undefined || identities.length > 1)
    throw new KeyError(
      'malformed',
      `master key ${path}: expected one line AGE-SECRET-KEY-1…, found ${identities.length}`,
    );
  try {
    return { identity, recipient: await identityToRecipient(identity) };
  } catch (cause) {
    throw new KeyError('malformed', `master key ${path}: this is no age identity (AGE-SECRET-KEY-1…)`, { cause });
  }
}

/** The format of `age-keygen`, so that `age -d -i` takes the file as it is. */
function describe(master: MasterKey): string {
  return [
    "# Master key of Dropslot: opens every organization's key. Keep a copy of it apart from the data.",
    `# public key: ${master.recipient}`,
    master.identity,
    '',
  ].join('\n');
}

/** Reads the master identity and its passphrase from their source: a file, a file descriptor, a systemd credential, a person. */
import { closeSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Paths } from '../../config/paths.js';
import { KeyError } from '../error.js';

/** Secrets that can be read only once, kept for this process and its children; null: not read yet, or a file. */
export interface KnownSecrets {
  /** The content of the master identity's descriptor, base64. */
  master: string | null;
  passphrase: string | null;
}

export type SecretPaths = Pick<Paths, 'masterKey'> & Partial<Pick<Paths, 'masterKeyPassphrase'>>;

export interface MasterSecrets {
  /** The path of a file, or `fd:N`. */
  readonly masterKey: string;
  /** Whether the master identity is a file, which may change under a running process and which commands can replace. */
  readonly isFile: boolean;
  /** The master identity as it is stored; null: no such file. @throws KeyError */
  readMaster(): Promise<Buffer | null>;
  /** Whether a passphrase is configured: it protects a new master key. */
  readonly hasPassphrase: boolean;
  /** @throws KeyError `locked` when there is none, and no person to ask */
  readPassphrase(): Promise<string>;
  known(): KnownSecrets;
}

export interface SecretOptions {
  /** Asks a person for the passphrase; absent where there is none. */
  ask?: (() => Promise<string>) | undefined;
  /** Secrets that another process has read already. */
  known?: KnownSecrets;
}

export function createMasterSecrets(paths: SecretPaths, { ask, known }: SecretOptions = {}): MasterSecrets {
  const { masterKey, masterKeyPassphrase: source = null } = paths;
  const isFile = descriptorOf(masterKey) === null;
  let master = known?.master ?? null;
  let passphrase = known?.passphrase ?? null;
  return {
    masterKey,
    isFile,
    hasPassphrase: source !== null || passphrase !== null,
    readMaster: async () => {
      if (isFile) return readSecret(masterKey);
      master ??= (await readSecret(masterKey))!.toString('base64');
      return Buffer.from(master, 'base64');
    },
    readPassphrase: async () => {
      passphrase ??= await obtainPassphrase(masterKey, source, ask);
      return passphrase;
    },
    known: () => ({ master, passphrase }),
  };
}

async function obtainPassphrase(masterKey: string, source: string | null, ask: SecretOptions['ask']): Promise<string> {
  if (source === null && ask === undefined)
    throw new KeyError(
      'locked',
      `master key ${masterKey} is protected by a passphrase: set masterKeyPassphraseFile to its file`,
    );
  if (source === null) return ask!();
  const bytes = await readSecret(source);
  if (bytes === null) throw new KeyError('missing', `there is no passphrase of the master key at ${source}`);
  // An editor adds a line end; everything else belongs to the passphrase.
  return bytes.toString('utf8').replace(/\r?\n$/, '');
}

/** null: no such file. */
async function readSecret(source: string): Promise<Buffer | null> {
  if (source.startsWith('credential:'))
    throw new KeyError(
      'missing',
      `${source}: there is no folder of credentials; name it with LoadCredential= in the systemd unit, or by the setting credentials`,
    );
  const descriptor = descriptorOf(source);
  try {
    return descriptor === null ? await readFile(source) : readDescriptor(descriptor);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new KeyError('unreadable', `${source} can't be read: ${(cause as Error).message}`, { cause });
  }
}

/** Closes the descriptor at once, so that no child process inherits it. */
function readDescriptor(descriptor: number): Buffer {
  try {
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function descriptorOf(source: string): number | null {
  const digits = /^fd:(\d+)$/.exec(source)?.[1];
  return digits === undefined ? null : Number(digits);
}

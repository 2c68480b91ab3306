/** Reads the master identity and its passphrase from their source: a file, a file descriptor, a systemd credential, a program, a person. */
import type { Paths } from '../../config/paths.js';
import {
  describeSource,
  descriptorOf,
  programOf,
  readSecret,
  SecretSourceError,
  toSecretText,
} from '../../config/secretsource.js';
import { KeyError } from '../error.js';
import { readProgram } from './program.js';

/** Secrets that can be read only once, kept for this process and its children; null: not read yet, or a file. */
export interface KnownSecrets {
  /** The content of the master identity's descriptor or the output of its program, base64. */
  master: string | null;
  passphrase: string | null;
}

export type SecretPaths = Pick<Paths, 'masterKey'> & Partial<Pick<Paths, 'masterKeyPassphrase'>>;

export interface MasterSecrets {
  /** The path of a file, `fd:N`, or `exec:PROGRAM` without its arguments, which may be secrets. */
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
  const { masterKeyPassphrase: source = null } = paths;
  const masterKey = describeSource(paths.masterKey);
  const program = programOf(paths.masterKey);
  const isFile = program === null && descriptorOf(masterKey) === null;
  let master = known?.master ?? null;
  let passphrase = known?.passphrase ?? null;
  return {
    masterKey,
    isFile,
    hasPassphrase: source !== null || passphrase !== null,
    readMaster: async () => {
      if (isFile) return readKey(masterKey);
      master ??= (await (program === null ? readKey(masterKey) : readProgram(program)))!.toString('base64');
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
  const bytes = await readKey(source);
  if (bytes === null) throw new KeyError('missing', `there is no passphrase of the master key at ${source}`);
  return toSecretText(bytes);
}

/** null: no such file. */
async function readKey(source: string): Promise<Buffer | null> {
  try {
    return await readSecret(source);
  } catch (cause) {
    if (!(cause instanceof SecretSourceError)) throw cause;
    throw new KeyError(cause.code, cause.message, { cause });
  }
}

/**
 * Where secrets come from: the path of a file, `fd:N` (an open file descriptor), `credential:NAME` (of the folder of credentials), or
 * `exec:PROGRAM` (its output).
 */
import { closeSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A path, or one of the two forms that are not paths. Descriptors 0 to 2 are the program's own. */
export function isSecretSource(given: string): boolean {
  if (given.startsWith('fd:')) return /^fd:([3-9]|[1-9]\d{1,5})$/.test(given);
  return isSecretFile(given);
}

/** A source that can be read again and again, and by each process: no descriptor. */
export function isSecretFile(given: string): boolean {
  if (/^(fd|exec):/.test(given)) return false;
  return !given.startsWith('credential:') || /^credential:[\w.-]+$/.test(given);
}

/** The source with the path of a credential in the place of its name; as it is where there is no folder of credentials. */
export function findSecret(source: string, credentials: string | undefined): string {
  const name = /^credential:(.+)$/.exec(source)?.[1];
  return name === undefined || credentials === undefined ? source : join(credentials, name);
}

/** null: the source is no descriptor. */
export function descriptorOf(source: string): number | null {
  const digits = /^fd:(\d+)$/.exec(source)?.[1];
  return digits === undefined ? null : Number(digits);
}

/**
 * The words of `exec:PROGRAM ARGUMENT…`; a word with blanks is in double quotes. No shell reads them.
 * null: another source, or no absolute path.
 */
export function programOf(source: string): string[] | null {
  const line = /^exec:(.+)$/s.exec(source)?.[1]?.trim();
  if (line === undefined || !/^(\s*("[^"]*"|[^\s"]+)(?=\s|$))+$/.test(line)) return null;
  const words = [...line.matchAll(/"([^"]*)"|[^\s"]+/g)].map(([word, quoted]) => quoted ?? word);
  return words[0]!.startsWith('/') ? words : null;
}

/** The source without the arguments of a program, which may be secrets, for messages and records. */
export function describeSource(source: string): string {
  const words = programOf(source);
  return words === null ? source : `exec:${words[0]}${words.length > 1 ? ' …' : ''}`;
}

/** The message says what to do, and never quotes the secret. */
export class SecretSourceError extends Error {
  override name = 'SecretSourceError';
  constructor(
    readonly code: 'missing' | 'unreadable',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

function noCredentials(source: string): SecretSourceError {
  return new SecretSourceError(
    'missing',
    `${source}: there is no folder of credentials; name it with LoadCredential= in the systemd unit, or by the setting credentials`,
  );
}

/** null: no such file. @param source as findSecret returns it. @throws SecretSourceError */
export async function readSecret(source: string): Promise<Buffer | null> {
  if (source.startsWith('credential:')) throw noCredentials(source);
  const descriptor = descriptorOf(source);
  try {
    return descriptor === null ? await readFile(source) : readDescriptor(descriptor);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new SecretSourceError('unreadable', `${source} can't be read: ${(cause as Error).message}`, { cause });
  }
}

/** A secret that is a line of text: an editor adds a line end, everything else belongs to the secret. */
export function toSecretText(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/\r?\n$/, '');
}

/**
 * The text of a secret that a setting or an option names. A descriptor can be read once.
 * @throws SecretSourceError, also when there is no such file
 */
export function readSecretText(given: string, credentials: string | undefined): string {
  const source = findSecret(given, credentials);
  if (source.startsWith('credential:')) throw noCredentials(source);
  const descriptor = descriptorOf(source);
  try {
    return toSecretText(descriptor === null ? readFileSync(source) : readDescriptor(descriptor));
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    throw new SecretSourceError('unreadable', `${given} can't be read: ${failures[code] ?? message}`, { cause });
  }
}

const failures: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a folder',
  EBADF: 'no such descriptor is open (it can be read only once)',
};

/** Closes the descriptor at once, so that no child process inherits it. */
function readDescriptor(descriptor: number): Buffer {
  try {
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

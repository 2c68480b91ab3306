/** What the commands that give keys have in common: their options, the file, and what is said about the keys in it. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { OperationError } from '../../operations/error.js';
import type { KeyTermTexts } from '../../operations/keyterms.js';
import type { AddedKey } from '../../operations/loginkeys.js';
import type { Output } from '../output.js';

export interface TermOptions extends KeyTermTexts {
  publicPart?: boolean;
  allowSha1?: boolean;
}

/** The options that every credential has. */
export function addTermOptions(command: Command, label = 'what it is for'): Command {
  return command
    .option('--label <text>', label)
    .option('--note <text>', 'anything else worth knowing about it')
    .option('--not-before <date>', 'first day it may log in: 2027-01-01')
    .option('--expires <date>', "last day it may log in, in the organization's time zone: 2027-12-31")
    .option('--from <cidrs>', 'addresses that it may log in from: 192.0.2.0/24,2001:db8::/32')
    .option('--permission <what>', 'upload-only or upload-and-read (default: upload-and-read)');
}

/** Those, and what concerns a file of keys. */
export function withTerms(command: Command): Command {
  return addTermOptions(command, "what the key is for (default: the key's comment)")
    .option('--allow-sha1', 'RSA alone: it may sign with SHA-1, on a port with the policy compatible')
    .option('--public-part', 'take the public key that stands in a PuTTY private key file');
}

export function readKeyFile(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new OperationError(code === 'ENOENT' ? 'not_found' : 'failed', `${file} can't be read: ${message}`, {
      cause,
    });
  }
}

/** What an operator should look at again. */
export function noteAdded(added: readonly AddedKey[], out: Output): void {
  for (const { fingerprint, alsoUsedBy, ignoredOptions } of added) {
    if (alsoUsedBy.length > 0) out.note(`Note: ${fingerprint} logs in to ${alsoUsedBy.join(', ')} as well.`);
    if (ignoredOptions.length > 0)
      out.note(`Note: of ${fingerprint} these options have no meaning here: ${ignoredOptions.join(', ')}.`);
  }
}

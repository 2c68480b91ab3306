/** The options that all commands adding login keys share, and their notes about the added keys. */
import type { Command } from 'commander';
import type { KeyTermTexts } from '../../operations/keyterms.js';
import type { AddedKey } from '../../operations/loginkeys.js';
import type { Output } from '../output.js';

export interface TermOptions extends KeyTermTexts {
  publicPart?: boolean;
  allowSha1?: boolean;
}

/** The options that every credential has. */
export function addTermOptions(command: Command, label = 'its purpose'): Command {
  return command
    .option('--label <text>', label)
    .option('--note <text>', 'a remark about it')
    .option('--not-before <date>', 'first day of validity: 2027-01-01')
    .option('--expires <date>', "last day of validity, in the organization's time zone: 2027-12-31")
    .option('--from <cidrs>', 'addresses that it may log in from: 192.0.2.0/24,2001:db8::/32')
    .option('--permission <what>', 'upload-only or upload-and-read (default: upload-and-read)');
}

/** Those, and the options for a file of keys. */
export function withTerms(command: Command): Command {
  return addTermOptions(command, "the purpose of the key (default: the key's comment)")
    .option('--allow-sha1', 'RSA only: allow SHA-1 signatures on a port with the policy compatible')
    .option('--public-part', 'take the public key out of a PuTTY private key file');
}

/** Writes notes about added keys that an operator should check. */
export function noteAdded(added: readonly AddedKey[], out: Output): void {
  for (const { fingerprint, alsoUsedBy, ignoredOptions } of added) {
    if (alsoUsedBy.length > 0) out.note(`Note: ${fingerprint} also logs in to ${alsoUsedBy.join(', ')}.`);
    if (ignoredOptions.length > 0)
      out.note(`Note: these options of ${fingerprint} are ignored: ${ignoredOptions.join(', ')}.`);
  }
}

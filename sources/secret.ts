/** The secret of a source, a private key or a password, sealed to the master key. */
import type { MasterKey } from '../keys/master/master.js';
import { openText, sealText } from '../keys/master/sealedtext.js';
import { SourceError } from './error.js';

export interface SourceSecret {
  /** OpenSSH, PEM or PuTTY format. */
  privateKey?: string;
  passphrase?: string;
  password?: string;
}

/** @param recipient of the master key */
export function sealSecret(recipient: string, secret: SourceSecret): Promise<string> {
  return sealText(recipient, JSON.stringify(secret));
}

/** @throws SourceError `secret` when the master key does not open it */
export async function openSecret(master: Pick<MasterKey, 'identity'>, sealed: string): Promise<SourceSecret> {
  try {
    return JSON.parse(await openText(master.identity, sealed)) as SourceSecret;
  } catch (cause) {
    throw new SourceError('secret', "the master key does not open the source's secret: another one sealed it", {
      cause,
    });
  }
}

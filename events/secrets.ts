/** The signing secrets of webhooks: made as Standard Webhooks writes them, and stored sealed to the master key. */
import { randomBytes } from 'node:crypto';
import type { MasterKey } from '../keys/master/master.js';
import { openText, sealText } from '../keys/master/sealedtext.js';

export interface SigningSecret {
  /** `whsec_` and base64. */
  secret: string;
  /** When it ends, in ms; null: it does not. */
  until: number | null;
}

const secretBytes = 32;

export function makeSecret(): string {
  return `whsec_${randomBytes(secretBytes).toString('base64')}`;
}

/** @param recipient of the master key */
export function sealSecrets(recipient: string, secrets: readonly SigningSecret[]): Promise<string> {
  return sealText(recipient, JSON.stringify(secrets));
}

/** @throws Error when the master key does not open them */
export async function unsealSecrets(master: MasterKey, sealed: string): Promise<SigningSecret[]> {
  return JSON.parse(await openText(master.identity, sealed)) as SigningSecret[];
}

/** Opens secrets, and keeps them while they are sealed alike; the master key is read again for each that is new. */
export function createSecretReader(
  loadMaster: () => Promise<MasterKey>,
  now: () => number,
): (sealed: string) => Promise<string[]> {
  const opened = new Map<string, readonly SigningSecret[]>();
  return async (sealed) => {
    let secrets = opened.get(sealed);
    if (secrets === undefined) {
      secrets = await unsealSecrets(await loadMaster(), sealed);
      if (opened.size >= mostOpened) opened.clear();
      opened.set(sealed, secrets);
    }
    return secrets.filter(({ until }) => until === null || until > now()).map(({ secret }) => secret);
  };
}

const mostOpened = 10_000;

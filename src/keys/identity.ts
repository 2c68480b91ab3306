/** An organization's age identity: the key of all its files, kept sealed to the master key. */
import { armor, Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import type { Org } from '../db/control/orgs.js';
import { KeyError } from './error.js';
import type { MasterKey } from './master.js';

/** Makes an identity; `sealedIdentity` is an armored age file that only the master key opens. */
export async function createOrgIdentity(
  masterRecipient: string,
): Promise<{ recipient: string; sealedIdentity: string }> {
  const identity = await generateX25519Identity();
  const encrypter = new Encrypter();
  encrypter.addRecipient(masterRecipient);
  const sealed = await encrypter.encrypt(identity);
  return { recipient: await identityToRecipient(identity), sealedIdentity: armor.encode(sealed) };
}

/**
 * Opens an organization's identity, `AGE-SECRET-KEY-1…`.
 * @throws KeyError `destroyed`, `refused` (another master key sealed it), `malformed`
 */
export async function openOrgIdentity(
  master: MasterKey,
  org: Pick<Org, 'id' | 'recipient' | 'sealedIdentity'>,
): Promise<string> {
  if (org.sealedIdentity === null)
    throw new KeyError('destroyed', `the identity of organization ${org.id} was destroyed: nothing opens its files`);
  const identity = await unseal(master, org.id, org.sealedIdentity);
  const recipient = await identityToRecipient(identity).catch(() => null);
  if (recipient !== org.recipient)
    throw new KeyError('malformed', `the identity of organization ${org.id} does not open what its recipient seals`);
  return identity;
}

async function unseal(master: MasterKey, org: string, sealedIdentity: string): Promise<string> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(master.identity);
  const sealed = decodeArmor(org, sealedIdentity);
  try {
    return await decrypter.decrypt(sealed, 'text');
  } catch (cause) {
    throw new KeyError(
      'refused',
      `the master key ${master.recipient} does not open the identity of organization ${org}: another one sealed it, or it was changed`,
      { cause },
    );
  }
}

function decodeArmor(org: string, sealedIdentity: string): Uint8Array {
  try {
    return armor.decode(sealedIdentity);
  } catch (cause) {
    throw new KeyError('malformed', `the sealed identity of organization ${org} is no armored age file`, { cause });
  }
}

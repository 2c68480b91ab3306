/** Owns an organization's age identities, which open all its files: creates and opens them, sealed to the master key. */
import { createHash } from 'node:crypto';
import type { Org, SealedIdentity } from '../../db/control/orgs.js';
import { KeyError } from '../error.js';
import { loadAge } from './agelibrary.js';
import { generateIdentityOf, type IdentityType, type MasterKey } from './master.js';
import { asIdentity, openBytes, sealText } from './sealedtext.js';
import { recipientOf } from './x25519.js';

/** Creates an identity; `sealedIdentity` is an armored age file that only the master key opens. */
export async function createOrgIdentity(
  masterRecipient: string,
  type: IdentityType = 'x25519',
): Promise<{ recipient: string; sealedIdentity: string }> {
  const identity = await generateIdentityOf(type);
  return {
    recipient: await (await loadAge()).identityToRecipient(identity),
    sealedIdentity: await sealText(masterRecipient, identity),
  };
}

/**
 * Opens an organization's identities, `AGE-SECRET-KEY-…`, one a line: the one that seals first, then those that still
 * open some of its files while it is changed.
 * @throws KeyError `destroyed`, `refused` (another master key sealed it), `malformed`
 */
export async function openOrgIdentity(
  master: MasterKey,
  org: Pick<Org, 'id' | 'recipient' | 'sealedIdentity' | 'oldIdentities'>,
): Promise<string> {
  if (org.sealedIdentity === null)
    throw new KeyError('destroyed', `the identity of organization ${org.id} was destroyed: nothing opens its files`);
  const all = [{ recipient: org.recipient, sealedIdentity: org.sealedIdentity }, ...org.oldIdentities];
  const opened = await Promise.all(all.map((one) => openSealedIdentity(master, org.id, one)));
  return opened.join('\n');
}

/** @throws KeyError `refused` (another master key sealed it), `malformed` */
export async function openSealedIdentity(
  master: MasterKey,
  org: string,
  { recipient, sealedIdentity }: Pick<SealedIdentity, 'recipient' | 'sealedIdentity'>,
): Promise<string> {
  const identity = await unseal(master, org, sealedIdentity);
  if ((await nameRecipient(identity)) !== recipient)
    throw new KeyError('malformed', `the identity of organization ${org} does not belong to its recipient`);
  return identity;
}

/** null: it is no identity. */
async function nameRecipient(identity: string): Promise<string | null> {
  try {
    return typeof asIdentity(identity) === 'string'
      ? await (await loadAge()).identityToRecipient(identity)
      : recipientOf(identity);
  } catch {
    return null;
  }
}

export function typeOfRecipient(recipient: string): IdentityType {
  return recipient.startsWith('age1pq1') ? 'hybrid' : 'x25519';
}

/** A short name for a recipient, kept with each file that is sealed to it: post-quantum ones have 2,000 letters. */
export function keyIdOf(recipient: string): string {
  return createHash('sha256').update(recipient).digest('hex').slice(0, 16);
}

/** The keys that open an organization's files: the one that seals first, then those that are rotated out; none once destroyed. */
export function keyIdsOf({ recipient, sealedIdentity, oldIdentities }: Org): string[] {
  return sealedIdentity === null ? [] : [{ recipient }, ...oldIdentities].map((one) => keyIdOf(one.recipient));
}

async function unseal(master: MasterKey, org: string, sealedIdentity: string): Promise<string> {
  const sealed = await decodeArmor(org, sealedIdentity);
  try {
    return await openBytes(master.identity, sealed);
  } catch (cause) {
    throw new KeyError(
      'refused',
      `the master key ${master.recipient} does not open the identity of organization ${org}: another one sealed it, or it was changed`,
      { cause },
    );
  }
}

async function decodeArmor(org: string, sealedIdentity: string): Promise<Uint8Array> {
  const { armor } = await loadAge();
  try {
    return armor.decode(sealedIdentity);
  } catch (cause) {
    throw new KeyError('malformed', `the sealed identity of organization ${org} is no armored age file`, { cause });
  }
}

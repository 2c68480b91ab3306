/** Seals and opens short secrets as armored age files, for storage that others can read. */
import { armor, Decrypter, Encrypter, type Identity } from 'age-encryption';
import { parseIdentity, parseRecipient } from './x25519.js';

/** Seals to `recipient` (`age1…`) alone. */
export async function sealText(recipient: string, text: string): Promise<string> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient.startsWith('age1pq1') ? recipient : parseRecipient(recipient));
  return armor.encode(await encrypter.encrypt(text));
}

/** Opens by any of the identities (one a line). @throws Error when none of them opens it, or it was changed */
export async function openText(identities: string, sealed: string): Promise<string> {
  const decrypter = new Decrypter();
  for (const identity of identities.split('\n')) decrypter.addIdentity(asIdentity(identity));
  return decrypter.decrypt(armor.decode(sealed), 'text');
}

/**
 * The text of `sealed`, sealed to the newest key; `current`: it is sealed to that one already; `lost`: no key opens it.
 * @param older identities, one a line; empty: there are none
 */
export async function resealText(
  newest: { identity: string; recipient: string },
  older: string,
  sealed: string,
): Promise<{ sealed: string } | 'current' | 'lost'> {
  if ((await openText(newest.identity, sealed).catch(() => null)) !== null) return 'current';
  const opened = older === '' ? null : await openText(older, sealed).catch(() => null);
  return opened === null ? 'lost' : { sealed: await sealText(newest.recipient, opened) };
}

/** In the form that opens fastest. @throws Error when it is no X25519 identity, nor a post-quantum one */
export function asIdentity(identity: string): string | Identity {
  return identity.startsWith('AGE-SECRET-KEY-PQ-') ? identity : parseIdentity(identity);
}

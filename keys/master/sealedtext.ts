/** Seals and opens short secrets as armored age files, for storage that others can read. */
import { armor, Decrypter, Encrypter } from 'age-encryption';

/** Seals to `recipient` (`age1…`) alone. */
export async function sealText(recipient: string, text: string): Promise<string> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  return armor.encode(await encrypter.encrypt(text));
}

/** Opens by any of the identities (one a line). @throws Error when none of them opens it, or it was changed */
export async function openText(identities: string, sealed: string): Promise<string> {
  const decrypter = new Decrypter();
  for (const identity of identities.split('\n')) decrypter.addIdentity(identity);
  return decrypter.decrypt(armor.decode(sealed), 'text');
}

/** Encrypts and decrypts a master identity under a passphrase, as `age -p` does, in binary or armored. */
import { KeyError } from '../error.js';
import { loadAge } from './agelibrary.js';

const binaryStart = 'age-encryption.org/v1\n';
const armoredStart = '-----BEGIN AGE ENCRYPTED FILE-----';

export function isProtected(stored: Buffer): boolean {
  const start = stored.subarray(0, armoredStart.length).toString('latin1');
  return start.startsWith(binaryStart) || start === armoredStart;
}

/** Armored, so that it can be printed and typed. */
export async function protect(text: string, passphrase: string): Promise<string> {
  const { armor, Encrypter } = await loadAge();
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  return `${armor.encode(await encrypter.encrypt(text))}\n`;
}

/** @throws KeyError `locked` for another passphrase, `malformed` when it is no whole age file under a passphrase */
export async function unprotect(stored: Buffer, passphrase: string, path: string): Promise<string> {
  const { armor, Decrypter } = await loadAge();
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  try {
    const isArmored = stored.toString('latin1', 0, 5) === armoredStart.slice(0, 5);
    const sealed = isArmored ? armor.decode(stored.toString('latin1').trim()) : new Uint8Array(stored);
    return await decrypter.decrypt(sealed, 'text');
  } catch (cause) {
    const isOther = /no identity matched/.test((cause as Error).message);
    throw isOther
      ? new KeyError('locked', `master key ${path}: this is not its passphrase`, { cause })
      : new KeyError('malformed', `master key ${path}: no whole age file under a passphrase`, { cause });
  }
}

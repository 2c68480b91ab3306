/** Recognizes private keys that were sent by mistake, in each of their formats, so that their owner is told to replace them. */

export const exposed =
  'this is a private key, which must never leave its owner: its owner must consider it exposed, make a new pair, and send the public key (often ….pub)';

export const exposedPutty = `${exposed}; if only you have seen it, --public-part takes the public key that stands in it`;

const putty = /^[ \t>]*PuTTY-User-Key-File-/im;

/** Also in the middle of a file, quoted, or without a first line. */
const marks: readonly RegExp[] = [
  // OpenSSH, PKCS#1, SEC 1, PKCS#8, encrypted or not; SSH2 of ssh.com.
  /BEGIN [A-Z0-9 ]*PRIVATE KEY/i,
  /^[ \t>]*(Private-(Lines|MAC|Hash)|Key-Derivation):/im,
  // The beginning of the body of an OpenSSH private key.
  /b3BlbnNzaC1rZXktdjE/,
  /SSH PRIVATE KEY FILE FORMAT/,
  // JSON Web Key, XML of .NET, age.
  /"kty"\s*:[\s\S]*"d"\s*:|"d"\s*:[\s\S]*"kty"\s*:/,
  /<RSAKeyValue>[\s\S]*<D>/,
  /AGE-SECRET-KEY-(PQ-)?1/,
];

/** Key stores of Java: JKS and JCEKS. */
const keyStores: readonly string[] = ['feedfeed', 'cececece'];

/** Whether bytes begin as a file that keeps private keys: a key store of Java, or a secret key of OpenPGP without its armor. */
export function isPrivateContainer(bytes: Buffer): boolean {
  return keyStores.includes(bytes.toString('hex', 0, 4)) || tagOf(bytes) === 5;
}

/** Whether bytes begin as a public key of OpenPGP without its armor. */
export function isPgpKey(bytes: Buffer): boolean {
  return tagOf(bytes) === 6;
}

/** The tag of the first packet of an OpenPGP key (RFC 9580, section 4.2): 5 a secret, 6 a public one; null: it is none. */
function tagOf(bytes: Buffer): number | null {
  const [first = 0, length = 0] = bytes;
  const isNew = (first & 0xc0) === 0xc0;
  if (!isNew && (first & 0x80) === 0) return null;
  const tag = isNew ? first & 0x3f : (first >> 2) & 0xf;
  const lengthBytes = isNew ? (length < 192 ? 1 : length < 224 ? 2 : 5) : 2 ** (first & 3);
  // The version of the key.
  return [3, 4, 5, 6].includes(bytes[1 + lengthBytes] ?? 0) ? tag : null;
}

/** The number of the line on which a private key begins, and its error message; null: there is none. */
export function findPrivateKey(text: string): { line: number; message: string } | null {
  const isPutty = putty.test(text);
  const starts = [putty, ...marks].map((mark) => mark.exec(text)?.index ?? Number.POSITIVE_INFINITY);
  const start = Math.min(...starts);
  if (start === Number.POSITIVE_INFINITY) return null;
  const line = text.slice(0, start).split(/\r\n|\n|\r/).length;
  return { line, message: isPutty ? exposedPutty : exposed };
}

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

/** The number of the line on which a private key begins, and its error message; null: there is none. */
export function findPrivateKey(text: string): { line: number; message: string } | null {
  const isPutty = putty.test(text);
  const starts = [putty, ...marks].map((mark) => mark.exec(text)?.index ?? Number.POSITIVE_INFINITY);
  const start = Math.min(...starts);
  if (start === Number.POSITIVE_INFINITY) return null;
  const line = text.slice(0, start).split(/\r\n|\n|\r/).length;
  return { line, message: isPutty ? exposedPutty : exposed };
}

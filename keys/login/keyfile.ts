/** Decodes the bytes of a key file as people send it: UTF-8, UTF-16, or a binary key or certificate (DER), which becomes PEM. */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { KeyError } from '../error.js';
import { exposed, isPgpKey, isPrivateContainer } from './privatekey.js';

export const pgpKey =
  'this is a key of OpenPGP, which encrypts or signs files and does not log in; ask for the public key of SSH';

/** A file of keys that is in base64 as a whole, as web forms and Kubernetes want it: text, which the key in it alone is not. */
const encodedFile = /^(?=[\s\S]*(ssh-(ed25519|rsa) |ecdsa-sha2-|sk-ssh-|-----BEGIN ))[\t\n\r\x20-\x7e\x80-\xff]+$/;

/** The text of the file, without a byte order mark. @throws KeyError `refused` for a binary private key */
export function decodeKeyFile(bytes: Buffer): string {
  if (isPrivateContainer(bytes)) throw new KeyError('refused', exposed);
  if (isPgpKey(bytes)) throw new KeyError('malformed', pgpKey);
  const text = decodeText(bytes) ?? derToPem(bytes) ?? bytes.toString('utf8');
  // A copied body of a PEM file, without its first and last line.
  const bare = text.replace(/\s+/g, '');
  const whole = /^[A-Za-z0-9+/]{64,}={0,2}$/.test(bare) ? Buffer.from(bare, 'base64').toString('latin1') : '';
  if (encodedFile.test(whole)) return Buffer.from(bare, 'base64').toString('utf8');
  const isBare = /^MI[A-Za-z0-9+/]{40,}={0,2}$/.test(bare);
  return (isBare ? derToPem(Buffer.from(bare, 'base64')) : null) ?? text;
}

/** null: bytes that are no text in UTF-16, and may be DER. */
function decodeText(bytes: Buffer): string | null {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return decodeUtf16(bytes.subarray(2));
  if (first === 0xfe && second === 0xff) return decodeUtf16(swap(bytes.subarray(2)));
  // Without a byte order mark: every second byte of ASCII text is zero.
  if (bytes.length >= 4 && first !== 0 && second === 0 && bytes[3] === 0) return decodeUtf16(bytes);
  if (bytes.length >= 4 && first === 0 && second !== 0 && bytes[2] === 0) return decodeUtf16(swap(bytes));
  return first === 0x30 && (second ?? 0) >= 0x80 ? null : bytes.toString('utf8').replace(/^\uFEFF/, '');
}

function decodeUtf16(bytes: Buffer): string {
  return bytes.toString('utf16le').replace(/^\uFEFF/, '');
}

function swap(bytes: Buffer): Buffer {
  return Buffer.from(bytes.subarray(0, bytes.length & ~1)).swap16();
}

/** Object identifiers in DER: password-based encryption of PKCS#8, and the data of PKCS#12. */
const passwordEncryption = Buffer.from('06092a864886f70d01050d', 'hex');
const pkcs12 = Buffer.from('06092a864886f70d010701', 'hex');

/** null: it is neither a key nor a certificate. @throws KeyError `refused` */
function derToPem(bytes: Buffer): string | null {
  // Before public keys: of a private key, createPublicKey reads the public one.
  const isPrivate = (['pkcs8', 'pkcs1', 'sec1'] as const).some(
    (type) => attempt(() => createPrivateKey({ key: bytes, format: 'der', type })) !== null,
  );
  const start = bytes.subarray(0, 64);
  if (isPrivate || start.includes(passwordEncryption) || (start.includes(pkcs12) && bytes[4] === 0x02))
    throw new KeyError('refused', exposed);
  const readers: (() => KeyObject)[] = [
    () => new X509Certificate(bytes).publicKey,
    () => createPublicKey({ key: bytes, format: 'der', type: 'spki' }),
    () => createPublicKey({ key: bytes, format: 'der', type: 'pkcs1' }),
  ];
  for (const read of readers) {
    const key = attempt(read);
    if (key !== null) return key.export({ type: 'spki', format: 'pem' }).toString();
  }
  return null;
}

function attempt<Result>(read: () => Result): Result | null {
  try {
    return read();
  } catch {
    return null;
  }
}

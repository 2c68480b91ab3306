/** Judges whether bytes are a whole public key in SSH's wire format. */
import ssh2 from 'ssh2';
import { typeOf } from '../wire.js';
import { importKey } from './verify.js';

/** Both parsers must accept it, and use all of its bytes: ssh2's, which verifies plain keys, ignores a rest. */
export function isWholeKey(algorithm: string, wire: Buffer): boolean {
  try {
    importKey(wire);
  } catch {
    return false;
  }
  if (algorithm.startsWith('sk-')) return typeOf(wire) === algorithm;
  const parsed = ssh2.utils.parseKey(`${algorithm} ${wire.toString('base64')}`);
  return !(parsed instanceof Error) && parsed.getPublicSSH().equals(wire);
}

/** Judges whether bytes are a whole public key in SSH's wire format. */
import { createRequire } from 'node:module';
import type ssh2 from 'ssh2';
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
  const parsed = loadSsh2().utils.parseKey(`${algorithm} ${wire.toString('base64')}`);
  return !(parsed instanceof Error) && parsed.getPublicSSH().equals(wire);
}

/** When it is first needed: commands that only list keys need not load all of ssh2. */
function loadSsh2(): typeof ssh2 {
  return createRequire(import.meta.url)('ssh2');
}

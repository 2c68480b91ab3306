/** Host keys: what proves to clients that this is the server they know. */
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { KeyError } from './error.js';
import { createPrivateFile, readPrivateFile } from './file.js';
import { fingerprintOf } from './fingerprint.js';
import { generatePair } from './pair.js';

export interface HostKey {
  /** `ssh-ed25519` or `ecdsa-sha2-nistp256`. */
  type: string;
  /** OpenSSH private key format. */
  privateKey: string;
  /** `SHA256:…`, for operators to tell their customers. */
  fingerprint: string;
  /** The line for a client's known_hosts, without the host name. */
  publicKey: string;
  file: string;
}

/** In the order in which clients are offered them. JSch 0.1.5x knows no Ed25519, so that ECDSA serves it without SHA-1. */
const kinds = [
  { type: 'ssh-ed25519', pair: 'ed25519', file: 'ssh_host_ed25519_key' },
  { type: 'ecdsa-sha2-nistp256', pair: 'ecdsa-nistp256', file: 'ssh_host_ecdsa_key' },
] as const;

/**
 * Loads the host keys of a folder; those that are missing are made (files 0600, the folder 0700), and named in `created`.
 * @throws KeyError that names the file: `unreadable`, or `malformed` when it holds another thing than the key it is named for.
 */
export async function loadOrCreateHostKeys(folder: string): Promise<{ keys: HostKey[]; created: string[] }> {
  const keys: HostKey[] = [];
  const created: string[] = [];
  for (const kind of kinds) {
    const file = join(folder, kind.file);
    // Another process may make the same file at the same moment: the one that is there in the end counts.
    if ((await readPrivateFile(file)) === null && (await createPrivateFile(file, generatePair(kind.pair).private)))
      created.push(file);
    const text = await readPrivateFile(file);
    if (text === null) throw new KeyError('missing', `host key ${file} is gone`);
    keys.push(parseHostKey(file, kind.type, text));
  }
  return { keys, created };
}

function parseHostKey(file: string, type: string, text: string): HostKey {
  const parsed = ssh2.utils.parseKey(text);
  if (parsed instanceof Error || !parsed.isPrivateKey())
    throw new KeyError('malformed', `host key ${file} is no private key in OpenSSH format without a passphrase`);
  if (parsed.type !== type)
    throw new KeyError('malformed', `host key ${file} holds a key of type ${parsed.type} instead of ${type}`);
  const wire = parsed.getPublicSSH();
  const publicKey = `${type} ${wire.toString('base64')}`;
  return { type, privateKey: text, fingerprint: fingerprintOf(wire), publicKey, file };
}

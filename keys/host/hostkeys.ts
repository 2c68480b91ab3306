/** Owns the host keys, which prove the server's identity to clients: their files, whose names give type and state, and their rotation. */
import { stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import ssh2 from 'ssh2';
import { KeyError } from '../error.js';
import { createPrivateFile, readPrivateFile, replacePrivateFile, syncFolder } from '../file.js';
import { fingerprintOf } from '../login/fingerprint.js';
import { parsePublicKeys } from '../login/publickeys.js';
import { generatePair, type PairType } from './pair.js';

/**
 * `active` proves the server's identity. Clients learn an `announced` key before it is used. A `retired` one was active
 * until another replaced it; clients may still know it.
 */
export type HostKeyState = 'active' | 'announced' | 'retired';

export type HostKeyType = 'ssh-ed25519' | 'ecdsa-sha2-nistp256' | 'ssh-rsa';

export interface HostKey {
  type: HostKeyType;
  state: HostKeyState;
  /** OpenSSH private key format, or PEM. */
  privateKey: string;
  /** `SHA256:…`, which operators give their customers. */
  fingerprint: string;
  /** The line for a client's known_hosts, without the host name. */
  publicKey: string;
  /** SSH wire format of the public key. */
  wire: Buffer;
  file: string;
  /** Milliseconds since 1970: when its file was written, which is when it was made, or when it was retired. */
  since: number;
}

interface Kind {
  type: HostKeyType;
  pair: PairType;
  file: string;
  /** The first start creates one. */
  isStandard: boolean;
}

/**
 * In the order in which clients are offered them. JSch 0.1.5x knows no Ed25519, so that ECDSA serves it without SHA-1;
 * RSA serves operators who move a server's old key here.
 */
const kinds: readonly Kind[] = [
  { type: 'ssh-ed25519', pair: 'ed25519', file: 'ssh_host_ed25519_key', isStandard: true },
  { type: 'ecdsa-sha2-nistp256', pair: 'ecdsa-nistp256', file: 'ssh_host_ecdsa_key', isStandard: true },
  { type: 'ssh-rsa', pair: 'rsa', file: 'ssh_host_rsa_key', isStandard: false },
];

const suffixes: Readonly<Record<HostKeyState, string>> = { active: '', announced: '.next', retired: '.old' };
const states = Object.keys(suffixes) as HostKeyState[];

/** Names that each server has, and names that may stand beside them in its folder. */
export const standardHostKeyNames: readonly string[] = kinds
  .filter(({ isStandard }) => isStandard)
  .map(({ file }) => file);
export const hostKeyNames: readonly string[] = kinds.flatMap(({ file }) =>
  states.map((state) => `${file}${suffixes[state]}`),
);

/**
 * Loads the host keys of a folder; standard ones that are missing are made (files 0600, the folder 0700), and named in
 * `created`.
 * @throws KeyError that names the file: `unreadable`, or `malformed` when it does not hold the key that its name says.
 */
export async function loadOrCreateHostKeys(folder: string): Promise<{ keys: HostKey[]; created: string[] }> {
  const created: string[] = [];
  for (const kind of kinds.filter(({ isStandard }) => isStandard)) {
    const file = join(folder, kind.file);
    // Another process may create the same file at the same moment: the file that exists in the end counts.
    if ((await readPrivateFile(file)) === null && (await createPrivateFile(file, generatePair(kind.pair).private)))
      created.push(file);
  }
  return { keys: await loadHostKeys(folder), created };
}

/** The host keys that are there, in the order in which clients are offered them. @throws KeyError as above */
export async function loadHostKeys(folder: string): Promise<HostKey[]> {
  const keys: HostKey[] = [];
  for (const { type, file } of kinds)
    for (const state of states) {
      const path = join(folder, `${file}${suffixes[state]}`);
      const text = await readPrivateFile(path);
      if (text === null) continue;
      const key = parseHostKey(path, type, state, text, await timeOf(path));
      // An interrupted activation leaves the active key under its second name, too.
      if (keys.every((other) => other.fingerprint !== key.fingerprint)) keys.push(key);
    }
  return keys;
}

/**
 * Puts a key beside the active one of its type, to be announced: a new one, or `text` (a private key without passphrase).
 * null: there is an announced key of this type already. @throws KeyError `malformed`, `refused`, `unreadable`
 */
export async function announceHostKey(
  folder: string,
  from: { type: HostKeyType } | { text: string },
): Promise<HostKey | null> {
  const text = 'text' in from ? from.text : generatePair(kindOf(from.type).pair).private;
  const type = 'text' in from ? readType(text) : from.type;
  const file = join(folder, `${kindOf(type).file}${suffixes.announced}`);
  const key = parseHostKey(file, type, 'announced', text, Date.now());
  if ((await loadHostKeys(folder)).some((other) => other.type === type && other.state === 'announced')) return null;
  // An interrupted activation left this file; its key is in use by now.
  if ((await readPrivateFile(file)) !== null) await removeHostKey({ file });
  return (await createPrivateFile(file, text)) ? key : null;
}

/**
 * The announced key takes the place of the active one, which is retired. There is an active key at each moment, and an
 * interrupted activation can be repeated.
 * @throws KeyError `unreadable`
 */
export async function activateHostKey(folder: string, key: HostKey): Promise<void> {
  const { file } = kindOf(key.type);
  const active = join(folder, file);
  const previous = await readPrivateFile(active);
  if (previous !== null) await replacePrivateFile(`${active}${suffixes.retired}`, previous);
  await replacePrivateFile(active, key.privateKey);
  await removeHostKey(key);
}

/** @throws KeyError `unreadable` */
export async function removeHostKey({ file }: Pick<HostKey, 'file'>): Promise<void> {
  try {
    await unlink(file);
    await syncFolder(dirname(file));
  } catch (cause) {
    throw new KeyError('unreadable', `host key ${file} can't be removed: ${(cause as Error).message}`, { cause });
  }
}

function parseHostKey(file: string, type: HostKeyType, state: HostKeyState, text: string, since: number): HostKey {
  const parsed = ssh2.utils.parseKey(text);
  if (parsed instanceof Error || !parsed.isPrivateKey())
    throw new KeyError('malformed', `host key ${file} is no private key in OpenSSH format without a passphrase`);
  if (parsed.type !== type)
    throw new KeyError('malformed', `host key ${file} holds a key of type ${parsed.type} instead of ${type}`);
  const wire = parsed.getPublicSSH();
  const publicKey = `${type} ${wire.toString('base64')}`;
  return { type, state, privateKey: text, fingerprint: fingerprintOf(wire), publicKey, wire, file, since };
}

function readType(text: string): HostKeyType {
  const parsed = ssh2.utils.parseKey(text);
  if (parsed instanceof Error || !parsed.isPrivateKey())
    throw new KeyError('malformed', 'this is no private key in OpenSSH or PEM format without a passphrase');
  const kind = kinds.find(({ type }) => type === parsed.type);
  if (kind === undefined)
    throw new KeyError('refused', `a host key is ${kinds.map(({ type }) => type).join(', ')}; this is ${parsed.type}`);
  // The same floor as for login keys, with the same words.
  parsePublicKeys(`${parsed.type} ${parsed.getPublicSSH().toString('base64')}`);
  return kind.type;
}

function kindOf(type: HostKeyType): Kind {
  return kinds.find((kind) => kind.type === type)!;
}

async function timeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).mtimeMs;
  } catch (cause) {
    throw new KeyError('unreadable', `host key ${file} can't be read: ${(cause as Error).message}`, { cause });
  }
}

/** The host keys, which prove this server to clients: list them, announce a new one, activate it, remove the old one. */
import { basename } from 'node:path';
import { type AuditEvent, recordAudit } from '../db/control/audit.js';
import { drawHostKey, knownHostsLine, md5Of, sshfpLine } from '../keys/host/display.js';
import {
  activateHostKey,
  announceHostKey,
  type HostKey,
  type HostKeyType,
  loadHostKeys,
  removeHostKey,
  standardHostKeyNames,
} from '../keys/host/hostkeys.js';
import { OperationError } from './error.js';
import { atKeys } from './keylock.js';
import type { Workplace } from './workplace.js';

/** Where clients reach the server. */
export interface ServerAddress {
  host: string;
  port: number;
}

/** A host key in every form that clients show or take; never the private key. */
export interface HostKeyView {
  type: HostKeyType;
  state: HostKey['state'];
  /** `SHA256:…` */
  fingerprint: string;
  /** `MD5:…`, as clients from before 2015 show it. */
  md5: string;
  /** The lines of OpenSSH's `VisualHostKey` picture. */
  visual: string[];
  publicKey: string;
  file: string;
  /** Milliseconds since 1970. */
  since: number;
  /** A line of known_hosts, and a DNS record; undefined: no address was named. */
  knownHosts?: string;
  sshfp?: string;
}

/** @param address null: leave out the lines that name the server. @throws KeyError on a file that holds no host key */
export async function listHostKeys({ paths }: Workplace, address: ServerAddress | null): Promise<HostKeyView[]> {
  return (await loadHostKeys(paths.hostKeys)).map((key) => viewHostKey(key, address));
}

/** The key whose fingerprint begins so. @throws OperationError `not_found`, `usage` when several do */
export async function showHostKey({ paths }: Workplace, prefix: string): Promise<HostKeyView> {
  return viewHostKey(findByPrefix(await loadHostKeys(paths.hostKeys), prefix));
}

function viewHostKey(key: HostKey, address: ServerAddress | null = null): HostKeyView {
  const { type, state, fingerprint, publicKey, file, since } = key;
  const named = address !== null && {
    knownHosts: knownHostsLine(key, address.host, address.port),
    sshfp: sshfpLine(key, address.host),
  };
  const visual = drawHostKey(key).split('\n');
  return { type, state, fingerprint, md5: md5Of(key), visual, publicKey, file, since, ...named };
}

/** The names of the types on the command line. */
export const hostKeyTypes: Readonly<Record<string, HostKeyType>> = {
  ed25519: 'ssh-ed25519',
  ecdsa: 'ecdsa-sha2-nistp256',
  rsa: 'ssh-rsa',
};

/**
 * Announces a new key, or one of another server, to clients.
 * @throws OperationError `refused` when a key of its type is announced already, or this key exists; KeyError on a bad key
 */
export function addHostKey(workplace: Workplace, from: { type: HostKeyType } | { text: string }): Promise<HostKeyView> {
  return atKeys(workplace, async () => {
    const key = await announceHostKey(workplace.paths.hostKeys, from);
    if (key === null)
      throw new OperationError(
        'refused',
        'a key of this type is announced already: activate or remove it first ("dropslot hostkeys list")',
      );
    const twin = (await loadHostKeys(workplace.paths.hostKeys)).find((one) => one.fingerprint === key.fingerprint);
    if (twin?.file !== key.file) {
      await removeHostKey(key);
      throw new OperationError('refused', `${key.fingerprint} exists already: ${twin?.file}`);
    }
    await record(workplace, 'hostkey.added', key);
    return viewHostKey(key);
  });
}

/**
 * Uses the announced key from the next connection on, and retires the active key of its type.
 * @throws OperationError `not_found`; `usage`; `refused` when it is not announced, or a retired key of its type exists
 */
export function activateAnnounced(workplace: Workplace, prefix: string): Promise<HostKeyView> {
  return atKeys(workplace, async () => {
    const keys = await loadHostKeys(workplace.paths.hostKeys);
    const key = findByPrefix(keys, prefix);
    if (key.state === 'active') throw new OperationError('refused', `${key.fingerprint} is active already`);
    if (key.state === 'retired')
      throw new OperationError('refused', `${key.fingerprint} is retired: add it again from a copy of ${key.file}`);
    const retired = keys.find(({ type, state }) => type === key.type && state === 'retired');
    if (retired !== undefined)
      throw new OperationError(
        'refused',
        `remove the retired key of this type first: dropslot hostkeys remove ${retired.fingerprint}`,
      );
    await activateHostKey(workplace.paths.hostKeys, key);
    await record(workplace, 'hostkey.activated', key);
    const renamed = await loadHostKeys(workplace.paths.hostKeys);
    return viewHostKey(renamed.find(({ fingerprint }) => fingerprint === key.fingerprint) ?? key);
  });
}

/**
 * Removes an announced or retired key, or an active RSA key: a server must have the other types.
 * @throws OperationError `not_found`, `usage`, `refused` when it is active
 */
export function removeInactive(workplace: Workplace, prefix: string): Promise<HostKeyView> {
  return atKeys(workplace, async () => {
    const key = findByPrefix(await loadHostKeys(workplace.paths.hostKeys), prefix);
    if (key.state === 'active' && standardHostKeyNames.includes(basename(key.file)))
      throw new OperationError('refused', `${key.fingerprint} is active: add another one and activate that first`);
    await removeHostKey(key);
    await record(workplace, 'hostkey.removed', key);
    return viewHostKey(key);
  });
}

/** @throws OperationError `not_found`, `usage` when several begin so */
function findByPrefix(keys: readonly HostKey[], prefix: string): HostKey {
  const wanted = prefix.startsWith('SHA256:') ? prefix : `SHA256:${prefix}`;
  const [key, ...more] = keys.filter(({ fingerprint }) => fingerprint.startsWith(wanted));
  if (more.length > 0) throw new OperationError('usage', `several host keys begin with ${wanted}: give more of it`);
  if (key === undefined)
    throw new OperationError('not_found', `no host key begins with ${wanted}; see "dropslot hostkeys list"`);
  return key;
}

async function record(
  workplace: Workplace,
  action: AuditEvent['action'],
  { fingerprint, type }: HostKey,
): Promise<void> {
  const { actor } = workplace;
  const detail = { type };
  await recordAudit(workplace.control.write, {
    at: workplace.now(),
    org: null,
    actor,
    action,
    subject: fingerprint,
    detail,
  });
}

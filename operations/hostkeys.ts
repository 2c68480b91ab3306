/** Rotating the keys that prove this server: announce the next, put it in the place of the old one, forget that. */
import { basename } from 'node:path';
import { type AuditEvent, recordAudit } from '../db/control/audit.js';
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

/** How operators name the types. */
export const hostKeyTypes: Readonly<Record<string, HostKeyType>> = {
  ed25519: 'ssh-ed25519',
  ecdsa: 'ecdsa-sha2-nistp256',
  rsa: 'ssh-rsa',
};

/**
 * A new key, or one that another server had, is announced from now on.
 * @throws OperationError `refused` when one of its type is announced already, or this one is here; KeyError on what is no key.
 */
export function addHostKey(workplace: Workplace, from: { type: HostKeyType } | { text: string }): Promise<HostKey> {
  return atKeys(workplace, async () => {
    const key = await announceHostKey(workplace.paths.hostKeys, from);
    if (key === null)
      throw new OperationError(
        'refused',
        'a key of this type is announced already: activate it, or remove it ("dropslot hostkeys list")',
      );
    const twin = (await loadHostKeys(workplace.paths.hostKeys)).find((one) => one.fingerprint === key.fingerprint);
    if (twin?.file !== key.file) {
      await removeHostKey(key);
      throw new OperationError('refused', `${key.fingerprint} is here already: ${twin?.file}`);
    }
    await record(workplace, 'hostkey.added', key);
    return key;
  });
}

/**
 * The announced key proves the server from the next connection on; the one before it is retired.
 * @throws OperationError `not_found`, `usage`, `refused` when it is not announced, or a retired one of its type is still here.
 */
export function activateAnnounced(workplace: Workplace, prefix: string): Promise<HostKey> {
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
        `remove the key that was retired before: dropslot hostkeys remove ${retired.fingerprint}`,
      );
    await activateHostKey(workplace.paths.hostKeys, key);
    await record(workplace, 'hostkey.activated', key);
    return (
      (await loadHostKeys(workplace.paths.hostKeys)).find(({ fingerprint }) => fingerprint === key.fingerprint) ?? key
    );
  });
}

/**
 * An active key goes only where each server does not have to have one of its type: RSA.
 * @throws OperationError `not_found`, `usage`, `refused` when it is active
 */
export function removeInactive(workplace: Workplace, prefix: string): Promise<HostKey> {
  return atKeys(workplace, async () => {
    const key = findByPrefix(await loadHostKeys(workplace.paths.hostKeys), prefix);
    if (key.state === 'active' && standardHostKeyNames.includes(basename(key.file)))
      throw new OperationError('refused', `${key.fingerprint} is active: add another one and activate that first`);
    await removeHostKey(key);
    await record(workplace, 'hostkey.removed', key);
    return key;
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

/** Makes the keys that a first start lacks, and logs the keys that must be backed up. */
import type { Logger } from '../config/logger.js';
import { listOrgs } from '../db/control/orgs.js';
import { type HostKey, loadHostKeys, loadOrCreateHostKeys } from '../keys/host/hostkeys.js';
import { OperationError } from '../operations/error.js';
import { backupNotice } from '../operations/masterkey.js';
import type { Workplace } from '../operations/workplace.js';

/** @returns the host keys, none for a node that only imports. @throws KeyError when an existing key can't be used */
export async function provision(workplace: Workplace, logger: Logger): Promise<{ hostKeys: HostKey[] }> {
  const { paths, settings } = workplace;
  if (workplace.isNew) logger.info('made the databases', describeDatabases(workplace));
  // A node that only accepts uploads holds no key that opens them, and does not look for one.
  if (settings.role !== 'intake') {
    const { master, created } = await workplace.makeMaster();
    if (created) {
      logger.info('made the master key', { file: paths.masterKey, recipient: master.recipient });
      logger.warn(backupNotice(paths.masterKey, paths.data));
    }
  }
  if (settings.role === 'import') return { hostKeys: [] };
  await requireSharedHostKeys(workplace);
  const { keys, created } = await loadOrCreateHostKeys(paths.hostKeys);
  for (const key of keys.filter((one) => created.includes(one.file)))
    logger.info('made a host key', { file: key.file, type: key.type, fingerprint: key.fingerprint });
  return { hostKeys: keys };
}

/**
 * With an object store the servers of one installation share no folder: one that made host keys of its own would look to clients
 * like an attacker.
 */
async function requireSharedHostKeys({ settings, paths, control }: Workplace): Promise<void> {
  if (settings.database === 'sqlite' || paths.store === undefined) return;
  if ((await loadHostKeys(paths.hostKeys)).length > 0 || (await listOrgs(control.read)).length === 0) return;
  throw new OperationError(
    'unavailable',
    `${paths.hostKeys} has no host keys, and the installation is in use: copy the files ssh_host_* of another of its servers there, so that clients meet the same host keys on each (docs/object-store.md)`,
  );
}

function describeDatabases({ paths, settings }: Workplace): Record<string, string> {
  if (settings.database === 'sqlite') return { control: paths.control, directory: paths.directory };
  return { database: 'PostgreSQL' };
}

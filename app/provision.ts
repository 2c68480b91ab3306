/** Makes the keys that a first start lacks, and logs the keys that must be backed up. */
import type { Logger } from '../config/logger.js';
import { type HostKey, loadOrCreateHostKeys } from '../keys/host/hostkeys.js';
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
  const { keys, created } = await loadOrCreateHostKeys(paths.hostKeys);
  for (const key of keys.filter((one) => created.includes(one.file)))
    logger.info('made a host key', { file: key.file, type: key.type, fingerprint: key.fingerprint });
  return { hostKeys: keys };
}

function describeDatabases({ paths, settings }: Workplace): Record<string, string> {
  if (settings.database === 'sqlite') return { control: paths.control, directory: paths.directory };
  return { database: 'PostgreSQL' };
}

/** A first start makes what is missing, says what it made and where, and what must be backed up. */
import type { Logger } from '../config/logger.js';
import { type HostKey, loadOrCreateHostKeys } from '../keys/host/hostkeys.js';
import { backupNotice } from '../operations/masterkey.js';
import type { Workplace } from '../operations/workplace.js';

/** What a start needs before it can listen. @throws KeyError when a key is there and can't be used. */
export async function provision(workplace: Workplace, logger: Logger): Promise<{ hostKeys: HostKey[] }> {
  const { paths, settings } = workplace;
  if (workplace.isNew) logger.info('made the databases', describeDatabases(workplace));
  // A node that only takes uploads holds no key that opens them: it does not even look for one.
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

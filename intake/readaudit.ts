/**
 * Records every read in the audit trail: a file is opened only once its record is written. While the disk is full, some
 * files can still be read: the log has those reads at once, and the audit trail after the disk has space again.
 */
import type { Logger } from '../config/logger.js';
import type { Org } from '../db/control/orgs.js';
import { isDiskFull } from '../db/error.js';
import { asSpaceError } from '../storage/failure.js';
import type { Space } from '../storage/types.js';
import type { GroupCommit } from './groupcommit.js';
import { audit } from './publish.js';
import type { Sender } from './types.js';

export interface ReadsDeps {
  commits: GroupCommit;
  now: () => number;
  logger: Logger;
  /** Reads that are not in the audit trail yet, of all sessions of the process. */
  unrecorded: Read[];
}

export interface Read {
  org: Org;
  sender: Sender;
  at: number;
  path: string;
  size: number;
}

/** More are refused, until the disk has space. */
const mostUnrecorded = 1_000;

/** Wraps `space` for one sender. */
export function recordReads(space: Space, org: Org, sender: Sender, deps: ReadsDeps): Space {
  return {
    org: space.org,
    stat: (path) => space.stat(path),
    list: (path, afterName, limit) => space.list(path, afterName, limit),
    mkdir: (path, attributes) => space.mkdir(path, attributes),
    rmdir: (path) => space.rmdir(path),
    checksum: (path) => space.checksum(path),
    measure: () => space.measure(),
    setAttributes: (path, attributes) => space.setAttributes(path, attributes),
    async openRead(path, signal) {
      const reader = await space.openRead(path, signal);
      try {
        const read = { org, sender, at: deps.now(), path, size: reader.entry.size };
        await asSpaceError(() => recordRead(deps, read));
      } catch (error) {
        await reader.close();
        throw error;
      }
      return reader;
    },
  };
}

/** With those that were not recorded before. @throws when it is not recorded and the disk is not full, or too many are waiting */
async function recordRead({ commits, logger, unrecorded }: ReadsDeps, read: Read): Promise<void> {
  const earlier = unrecorded.splice(0);
  try {
    await commits.run(async (tx) => {
      for (const { org, sender, at, path, size } of [...earlier, read])
        await audit(tx, org, sender, at, 'file.read', path, { size });
    });
  } catch (error) {
    unrecorded.unshift(...earlier);
    if (!isDiskFull(error) || unrecorded.length >= mostUnrecorded) throw error;
    unrecorded.push(read);
    const { org, sender, size } = read;
    logger.warn('the disk is full: a file is read before its record is in the audit trail, which follows', {
      ...{ org: org.id, key: sender.keyFingerprint, address: sender.address, size, waiting: unrecorded.length },
    });
  }
}

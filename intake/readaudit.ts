/** Records every read in the audit trail: a file is opened only once its record is written. */
import type { Org } from '../db/control/orgs.js';
import { asSpaceError } from '../storage/failure.js';
import type { Space } from '../storage/types.js';
import type { GroupCommit } from './groupcommit.js';
import { audit } from './publish.js';
import type { Sender } from './types.js';

export interface ReadsDeps {
  commits: GroupCommit;
  now: () => number;
}

/** Wraps `space` for one sender. */
export function recordReads(space: Space, org: Org, sender: Sender, { commits, now }: ReadsDeps): Space {
  return {
    org: space.org,
    stat: (path) => space.stat(path),
    list: (path, afterName, limit) => space.list(path, afterName, limit),
    mkdir: (path, attributes) => space.mkdir(path, attributes),
    rmdir: (path) => space.rmdir(path),
    checksum: (path) => space.checksum(path),
    measure: () => space.measure(),
    setAttributes: (path, attributes) => space.setAttributes(path, attributes),
    async openRead(path) {
      const reader = await space.openRead(path);
      try {
        const { size } = reader.entry;
        await asSpaceError(() => commits.run((tx) => audit(tx, org, sender, now(), 'file.read', path, { size })));
      } catch (error) {
        await reader.close();
        throw error;
      }
      return reader;
    },
  };
}

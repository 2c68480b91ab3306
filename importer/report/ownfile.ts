/** Writes a text of the server's own into an organization's tree, sealed, in place of an older one at its path. */
import type { Logger } from '../../config/logger.js';
import type { Paths } from '../../config/paths.js';
import type { Db, Queryable } from '../../db/connection.js';
import { replaceFile } from '../../db/control/checks.js';
import type { Org } from '../../db/control/orgs.js';
import { isInControl, sealAndCommit } from '../../storage/blobcommit.js';
import { removeBlob } from '../../storage/blobs.js';
import { requireOpenable } from '../../storage/recipient.js';
import { writeText } from './filereport.js';

export interface OwnFileDeps {
  control: Db;
  paths: Paths;
  logger: Logger;
  now: () => number;
}

/** @param prepare makes the path free, in the same transaction. */
export async function writeOwnFile(
  { control, paths, logger, now }: OwnFileDeps,
  org: Org,
  path: string,
  text: string,
  prepare: (tx: Queryable) => Promise<void> = async () => {},
): Promise<void> {
  const freed = await sealAndCommit({
    ...{ paths, logger },
    isNamed: isInControl(control),
    seal: (keep) => keep(writeText({ paths, recipient: org.recipient }, text)),
    commit: (blob, blobs) =>
      control.transact(async (tx) => {
        await requireOpenable(tx, org.id, blobs);
        await prepare(tx);
        return replaceFile(tx, org.id, path, blob, now());
      }),
  });
  for (const id of freed) await removeBlob(paths, id);
}

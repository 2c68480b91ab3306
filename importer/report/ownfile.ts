/** Writes a text of the server's own into an organization's tree, sealed, in place of an older one at its path. */
import type { Logger } from '../../config/logger.js';
import type { Paths } from '../../config/paths.js';
import type { Db, Queryable } from '../../db/connection.js';
import { replaceFile } from '../../db/control/checks.js';
import type { Org } from '../../db/control/orgs.js';
import { findReportKey } from '../../keys/pgp/keyset.js';
import { isInControl, sealAndCommit } from '../../storage/blobcommit.js';
import { removeBlob } from '../../storage/blobs.js';
import { requireOpenable } from '../../storage/recipient.js';
import { nameSealed, writePieces, writeText } from './filereport.js';

export interface OwnFileDeps {
  control: Db;
  paths: Paths;
  logger: Logger;
  now: () => number;
}

/** The same for a report: encrypted to the customer's PGP key, where one is chosen. */
export async function writeOwnReport(deps: OwnFileDeps, org: Org, path: string, text: string): Promise<void> {
  const encryptTo = await findReportKey(deps.control.read, org.id, org.options.reportsTo);
  await writeOwnFile(deps, org, nameSealed(path, { encryptTo }), text, async () => {}, encryptTo);
}

/** @param content a text, or its pieces. @param prepare makes the path free, in the same transaction. @param encryptTo a PGP key in armor; null: none. */
export async function writeOwnFile(
  { control, paths, logger, now }: OwnFileDeps,
  org: Org,
  path: string,
  content: string | AsyncIterable<string>,
  prepare: (tx: Queryable) => Promise<void> = async () => {},
  encryptTo: string | null = null,
): Promise<void> {
  const freed = await sealAndCommit({
    ...{ paths, logger },
    isNamed: isInControl(control),
    seal: (keep) => {
      const to = { paths, recipient: org.recipient, encryptTo };
      return keep(typeof content === 'string' ? writeText(to, content) : writePieces(to, content));
    },
    commit: (blob, blobs) =>
      control.transact(async (tx) => {
        await requireOpenable(tx, org.id, blobs);
        await prepare(tx);
        return replaceFile(tx, org.id, path, blob, now());
      }),
  });
  for (const id of freed) await removeBlob(paths, id);
}

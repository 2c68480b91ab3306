/** Writes a text of the server's own into `/reports` of an organization, in place of an older one of the same name. */
import { replaceFile } from '../../db/control/checks.js';
import type { Org } from '../../db/control/orgs.js';
import { reportsFolder } from '../../db/control/treelayout.js';
import { isInControl, sealAndCommit } from '../../storage/blobcommit.js';
import { removeBlob } from '../../storage/blobs.js';
import { requireOpenable } from '../../storage/recipient.js';
import { writeText } from '../report/filereport.js';
import { wrapLine } from '../report/wrap.js';
import type { RunDeps } from '../run/deps.js';
import { dateIn } from '../schedule/calendar.js';

export type NoticeDeps = Pick<RunDeps, 'control' | 'paths' | 'logger' | 'now'>;

/** Writes the lines, wrapped, to `name` in the folder of the day of the organization. */
export async function writeNotice(
  { control, paths, logger, now }: NoticeDeps,
  org: Org,
  name: string,
  lines: readonly string[],
): Promise<void> {
  const at = now();
  const path = `${reportsFolder(dateIn(org.timeZone, at))}/${name}`;
  const text = `${lines.flatMap((line) => wrapLine(line, line.startsWith(' ') ? 4 : 0)).join('\n')}\n`;
  const freed = await sealAndCommit({
    ...{ paths, logger },
    isNamed: isInControl(control),
    seal: (keep) => keep(writeText({ paths, recipient: org.recipient }, text)),
    commit: (blob, blobs) =>
      control.transact(async (tx) => {
        await requireOpenable(tx, org.id, blobs);
        return replaceFile(tx, org.id, path, blob, at);
      }),
  });
  for (const id of freed) await removeBlob(paths, id);
}

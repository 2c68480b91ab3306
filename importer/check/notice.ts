/** Writes a text of the server's own into `/reports` of an organization, in place of an older one of the same name. */
import type { Org } from '../../db/control/orgs.js';
import { reportsFolder } from '../../db/control/treelayout.js';
import { type OwnFileDeps, writeOwnReport } from '../report/ownfile.js';
import { wrapLine } from '../report/wrap.js';
import { dateIn } from '../schedule/calendar.js';

export type NoticeDeps = OwnFileDeps;

/** Writes the lines, wrapped, to `name` in the folder of the day of the organization. */
export async function writeNotice(deps: NoticeDeps, org: Org, name: string, lines: readonly string[]): Promise<void> {
  const path = `${reportsFolder(dateIn(org.timeZone, deps.now()))}/${name}`;
  const text = `${lines.flatMap((line) => wrapLine(line, line.startsWith(' ') ? 4 : 0)).join('\n')}\n`;
  await writeOwnReport(deps, org, path, text);
}

/** `dropslot queue`: list the uploads that wait for their import. */

import type { Command } from 'commander';
import { formatBytes, formatTime } from '../../operations/format.js';
import { queuedToJson } from '../../operations/forms/files.js';
import { listWaiting, type QueuedFile, type Waiting } from '../../operations/queue.js';
import { atControl, examples } from '../command.js';
import type { ListView } from '../output.js';

export function registerQueue(program: Command): void {
  program
    .command('queue')
    .summary('files that wait for the next slot')
    .description(
      `Lists the files that wait for the next slot of an organization, or of all, oldest first, each with the verdict of its early check.
Before them it lists the files of a held run, which blocks the next imports. After them it lists the files that are stored and not
imported because of their names: those that wait for a rename, and those that do not look like data files.`,
    )
    .argument('[org]', 'of this organization only')
    .addHelpText('after', examples('dropslot queue', 'dropslot queue acme', 'dropslot queue acme --json'))
    .action((id: string | undefined, _options, command: Command) =>
      atControl(command, async (workplace, out) => {
        const waiting = await listWaiting(workplace, id);
        await out.list(waiting.files, queueList(waiting, id));
        for (const [org, run] of waiting.heldRuns)
          out.note(
            `Run ${run} of ${org} is held and blocks its next imports: see "dropslot runs show ${run} --changes".`,
          );
      }),
    );
}

/** Of a file that was fetched from a source, found in a watched folder or sent by HTTPS with a token; null: of an SFTP session. */
function doorOf(client: string | null): string | null {
  return client !== null && /^(source:\d+|folder:\d+|token:\w+)$/.test(client) ? client : null;
}

const verdicts = { would_import: 'would be imported', would_hold: 'would be held', would_refuse: 'would be refused' };

function describeCheck({ state, checkVerdict, checkedAt }: QueuedFile): string {
  if (checkVerdict !== null) return verdicts[checkVerdict];
  if (state !== 'queued') return '';
  return checkedAt === null ? 'not checked yet' : 'not checked';
}

/** @param org whose files they are; undefined: those of all organizations */
function queueList({ heldRuns }: Waiting, org: string | undefined): ListView<QueuedFile> {
  return {
    columns: [
      { title: 'UPLOAD', cell: (upload) => String(upload.id), align: 'right' },
      ...(org === undefined
        ? [{ title: 'ORGANIZATION', cell: (upload: QueuedFile) => upload.org, whole: true } as const]
        : []),
      { title: 'PATH', cell: (upload) => upload.path, whole: true },
      { title: 'SIZE', cell: (upload) => formatBytes(upload.size), align: 'right' },
      { title: 'QUEUED', cell: (upload) => formatTime(upload.queuedAt) },
      { title: 'CHECK', cell: describeCheck },
      { title: 'FROM', cell: (upload) => upload.address ?? '–' },
      { title: 'KEY', cell: (upload) => upload.keyFingerprint ?? doorOf(upload.client) ?? '–', shortensTo: 15 },
      { title: 'NOTE', cell: (upload) => upload.note ?? '' },
    ],
    empty: org === undefined ? 'No file waits for its next slot.' : `No file of ${org} waits for its next slot.`,
    toJson: (upload) => queuedToJson(upload, heldRuns.get(upload.org) ?? null),
  };
}
